import { semanticEqual } from '../equality.ts';
import type { PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../generated/core-v1.ts';
import type { StorageClass } from '../generated/storage-v1.ts';
import { isDns1123Subdomain } from '../names.ts';
import { compareQuantities } from '../quantity.ts';
import type { Findings } from './findings.ts';
import { validateImmutable, validateLabelSelector } from './metadata.ts';

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

function validateAccessModes(modes: string[] | undefined, path: string, findings: Findings): void {
  if (!modes?.length) {
    findings.required(path, path.startsWith('spec') ? '' : 'at least 1 access mode is required');
    return;
  }
  for (const mode of modes) findings.optionalOneOf(mode, path, accessModes);
  if (modes.includes('ReadWriteOncePod') && modes.length > 1) {
    findings.forbidden(path, 'may not use ReadWriteOncePod with other access modes');
  }
}

/** Source: ValidatePersistentVolumeClaimSpec. */
export function validateClaimSpec(spec: PersistentVolumeClaimSpec, path: string, findings: Findings): void {
  if (!spec.accessModes?.length) findings.required(`${path}.accessModes`, 'at least 1 access mode is required');
  else validateAccessModes(spec.accessModes, `${path}.accessModes`, findings);
  validateLabelSelector(spec.selector, `${path}.selector`, findings);
  const storage = spec.resources?.requests?.['storage'];
  if (storage === undefined) findings.required(`${path}.resources[storage]`);
  else if (compareQuantities(storage, '0') <= 0) {
    findings.invalid(`${path}.resources[storage]`, storage, 'must be greater than zero');
  }
  if (spec.storageClassName) {
    findings.invalidEach(`${path}.storageClassName`, spec.storageClassName, isDns1123Subdomain(spec.storageClassName));
  }
  findings.optionalOneOf(spec.volumeMode, `${path}.volumeMode`, ['Block', 'Filesystem']);
}

export function validateClaim(claim: PersistentVolumeClaim, findings: Findings): void {
  validateClaimSpec(claim.spec, 'spec', findings);
}

export function validateClaimUpdate(
  claim: PersistentVolumeClaim,
  old: PersistentVolumeClaim,
  findings: Findings,
): void {
  validateClaim(claim, findings);
  const kept = {
    ...claim.spec,
    resources: old.spec.resources,
    volumeAttributesClassName: old.spec.volumeAttributesClassName,
    ...(old.spec.volumeName === undefined && { volumeName: old.spec.volumeName }),
    ...(old.spec.storageClassName === undefined && { storageClassName: old.spec.storageClassName }),
  };
  if (!semanticEqual(kept, old.spec)) {
    findings.forbidden(
      'spec',
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
    );
  }
  const before = old.spec.resources?.requests?.['storage'];
  const after = claim.spec.resources?.requests?.['storage'];
  if (before !== undefined && after !== undefined && compareQuantities(after, before) < 0) {
    const allocated = old.status?.capacity?.['storage'];
    if (allocated === undefined || compareQuantities(after, allocated) <= 0) {
      findings.forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity');
    }
  }
}

export function validateVolume({ spec }: PersistentVolume, findings: Findings): void {
  if (!spec.accessModes?.length) findings.required('spec.accessModes');
  else validateAccessModes(spec.accessModes, 'spec.accessModes', findings);
  const storage = spec.capacity?.['storage'];
  if (!Object.keys(spec.capacity ?? {}).length) findings.required('spec.capacity');
  else if (storage === undefined || Object.keys(spec.capacity!).length > 1) {
    findings.notSupported('spec.capacity', spec.capacity, ['storage']);
  } else if (compareQuantities(storage, '0') <= 0) {
    findings.invalid('spec.capacity[storage]', storage, 'must be greater than zero');
  }
  findings.oneOf(spec.persistentVolumeReclaimPolicy, 'spec.persistentVolumeReclaimPolicy', [
    'Delete',
    'Recycle',
    'Retain',
  ]);
  const common = new Set([
    'capacity',
    'accessModes',
    'claimRef',
    'persistentVolumeReclaimPolicy',
    'storageClassName',
    'mountOptions',
    'volumeMode',
    'nodeAffinity',
    'volumeAttributesClassName',
  ]);
  const sources = Object.keys(spec).filter((field) => !common.has(field));
  if (sources.length === 0) findings.required('spec', 'must specify a volume type');
  for (const source of sources.slice(1))
    findings.forbidden(`spec.${source}`, 'may not specify more than 1 volume type');
  findings.optionalOneOf(spec.volumeMode, 'spec.volumeMode', ['Block', 'Filesystem']);
}

export function validateStorageClass(storageClass: StorageClass, findings: Findings): void {
  if (!storageClass.provisioner) findings.required('provisioner');
  else findings.invalidEach('provisioner', storageClass.provisioner, provisionerFindings(storageClass.provisioner));
  findings.optionalOneOf(storageClass.reclaimPolicy, 'reclaimPolicy', ['Delete', 'Retain']);
  findings.optionalOneOf(storageClass.volumeBindingMode, 'volumeBindingMode', ['Immediate', 'WaitForFirstConsumer']);
}

const provisionerFindings = (provisioner: string): string[] => {
  const slash = provisioner.indexOf('/');
  return slash < 0
    ? []
    : isDns1123Subdomain(provisioner.slice(0, slash).toLowerCase()).map((one) => `prefix part ${one}`);
};

export function validateStorageClassUpdate(storageClass: StorageClass, old: StorageClass, findings: Findings): void {
  validateStorageClass(storageClass, findings);
  if (!semanticEqual(storageClass.parameters, old.parameters)) {
    findings.forbidden('parameters', 'updates to parameters are forbidden.');
  }
  if (storageClass.provisioner !== old.provisioner) {
    findings.forbidden('provisioner', 'updates to provisioner are forbidden.');
  }
  if (storageClass.reclaimPolicy !== old.reclaimPolicy) {
    findings.forbidden('reclaimPolicy', 'updates to reclaimPolicy are forbidden.');
  }
  validateImmutable(storageClass.volumeBindingMode, old.volumeBindingMode, 'volumeBindingMode', findings);
}
