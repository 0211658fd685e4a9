import type { GroupResource, KubeObject } from '../../api/object.ts';
import type { Objects } from '../objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';

const STORAGE_CLASSES = { group: 'storage.k8s.io', resource: 'storageclasses' };
const INGRESS_CLASSES = { group: 'networking.k8s.io', resource: 'ingressclasses' };

const isCreated = ({ operation, subresource, definition }: AdmissionRequest, group: string, resource: string) =>
  operation === 'CREATE' && subresource === '' && definition.group === group && definition.resource === resource;

/** The name of the newest class that is marked as the default. */
async function defaultClass(
  objects: Objects,
  classes: GroupResource,
  tenant: string,
  annotations: string[],
): Promise<string | undefined> {
  const isDefault = ({ metadata }: KubeObject) => annotations.some((key) => metadata.annotations?.[key] === 'true');
  const found = (await objects.entries(classes, { tenant })).map(({ object }) => object);
  const [first] = found.filter(isDefault).sort((a, b) => {
    const [left, right] = [a.metadata, b.metadata];
    if (left.creationTimestamp !== right.creationTimestamp) {
      return left.creationTimestamp > right.creationTimestamp ? -1 : 1;
    }
    return left.name < right.name ? -1 : 1;
  });
  return first?.metadata.name;
}

/** A claim that names no class gets the default one. Source: DefaultStorageClass upstream. */
export const defaultStorageClass = (objects: Objects): AdmissionPlugin => ({
  name: 'DefaultStorageClass',
  handles: (request) => isCreated(request, '', 'persistentvolumeclaims'),
  async admit({ object, tenant }) {
    const { spec, metadata } = object!;
    if (metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] !== undefined) return;
    // '' is a choice: no class at all.
    if (spec === undefined || (spec.storageClassName !== undefined && spec.storageClassName !== null)) return;
    const name = await defaultClass(objects, STORAGE_CLASSES, tenant, [
      'storageclass.kubernetes.io/is-default-class',
      'storageclass.beta.kubernetes.io/is-default-class',
    ]);
    if (name !== undefined) spec.storageClassName = name;
  },
});

/** The same for an ingress. Source: DefaultIngressClass upstream. */
export const defaultIngressClass = (objects: Objects): AdmissionPlugin => ({
  name: 'DefaultIngressClass',
  handles: (request) => isCreated(request, 'networking.k8s.io', 'ingresses'),
  async admit({ object, tenant }) {
    const { metadata } = object!;
    const spec = (object!['spec'] ??= {});
    if (spec.ingressClassName !== undefined && spec.ingressClassName !== null) return;
    if (metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined) return;
    const name = await defaultClass(objects, INGRESS_CLASSES, tenant, ['ingressclass.kubernetes.io/is-default-class']);
    if (name !== undefined) spec.ingressClassName = name;
  },
});
