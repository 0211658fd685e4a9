import { semanticEqual } from '../equality.ts';
import type { KubeObject } from '../object.ts';
import { compareQuantities, parseQuantity, quantityOf, quantityValue } from '../quantity.ts';
import { type QuotaEvaluator, selectsName } from './evaluator.ts';

const objectCount = 'count/persistentvolumeclaims';
const claimNames = ['persistentvolumeclaims', 'requests.storage'];
const classSuffix = '.storageclass.storage.k8s.io/';
const legacyClassAnnotation = 'volume.beta.kubernetes.io/storage-class';

/** Claims and the storage they ask for, in all and by storage class. */
export const claimEvaluator: QuotaEvaluator = {
  handles({ operation, subresource, object, oldObject }) {
    if (subresource === '') return operation === 'CREATE' || operation === 'UPDATE';
    if (subresource !== 'status' || object === undefined || oldObject === undefined) return false;
    return (
      !semanticEqual(allocated(object), allocated(oldObject)) ||
      [...attributeClasses(object)].sort().join() !== [...attributeClasses(oldObject)].sort().join()
    );
  },
  isMine: (name) =>
    name === objectCount ||
    claimNames.includes(name) ||
    claimNames.some((one) => name.endsWith(`${classSuffix}${one}`)),
  matchesScope(selector, claim) {
    if (selector.scopeName !== 'VolumeAttributesClass') return false;
    const classes = attributeClasses(claim);
    if (classes.size === 0) return selectsName(selector, '');
    return [...classes].some((name) => selectsName(selector, name));
  },
  usage(claim) {
    const usage: Record<string, string> = { persistentvolumeclaims: '1', [objectCount]: '1' };
    const storageClass: string =
      claim.metadata.annotations?.[legacyClassAnnotation] ?? claim['spec'].storageClassName ?? '';
    const storage = storageOf(claim);
    if (storageClass !== '') usage[`${storageClass}${classSuffix}persistentvolumeclaims`] = '1';
    if (storage !== undefined) {
      usage['requests.storage'] = storage;
      if (storageClass !== '') usage[`${storageClass}${classSuffix}requests.storage`] = storage;
    }
    return usage;
  },
};

const allocated = ({ status }: KubeObject): string | undefined => status?.allocatedResources?.storage;

/** An expansion that could not be finished counts as long as its space is set aside. */
function storageOf(claim: KubeObject): string | undefined {
  const asked: string | undefined = claim['spec'].resources?.requests?.storage;
  if (asked === undefined) return undefined;
  const held = allocated(claim);
  return wholeBytes(held !== undefined && compareQuantities(held, asked) > 0 ? held : asked);
}

const wholeBytes = (quantity: string): string => {
  const { nanos, format } = parseQuantity(quantity);
  return nanos % 1_000_000_000n === 0n ? quantity : quantityOf(quantityValue(quantity), format);
};

function attributeClasses({ spec, status }: KubeObject): Set<string> {
  const names = [
    spec.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return new Set(names.filter(Boolean));
}
