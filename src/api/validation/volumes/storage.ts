import { semanticEqual } from '../../equality.ts';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PersistentVolumeSpec,
  TopologySelectorTerm,
  TypedLocalObjectReference,
  VolumeNodeAffinity,
} from '../../generated/core-v1.ts';
import type { StorageClass } from '../../generated/storage-v1.ts';
import { isDns1123Label, isDns1123Subdomain, isQualifiedName } from '../../names.ts';
import { compareQuantities, quantityValue } from '../../quantity.ts';
import { normalizeSources } from '../../strategies/volumes.ts';
import type { Findings } from '../findings.ts';
import { validateImmutable, validateLabelSelector } from '../metadata.ts';
import { validateNodeSelector } from '../pods/scheduling.ts';
import { persistentSources, validateOneSource } from './volume-sources.ts';

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

function validateAccessModes(modes: string[] | undefined, path: string, findings: Findings): void {
  if (!modes?.length) {
    findings.required(path, path.startsWith('spec') ? '' : 'at least 1 access mode is required');
    return;
  }
  for (const mode of modes) findings.optionalOneOf(mode, path, accessModes);
  const isOther = (mode: string) => mode !== 'ReadWriteOncePod' && accessModes.includes(mode);
  if (modes.includes('ReadWriteOncePod') && modes.some(isOther)) {
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
  if (spec.volumeAttributesClassName) {
    const name = spec.volumeAttributesClassName;
    findings.invalidEach(`${path}.volumeAttributesClassName`, name, isDns1123Subdomain(name));
  }
  findings.optionalOneOf(spec.volumeMode, `${path}.volumeMode`, ['Block', 'Filesystem']);
  const { dataSource, dataSourceRef } = spec;
  if (dataSource) validateSource(dataSource, `${path}.dataSource`, findings);
  if (dataSourceRef) {
    validateSource(dataSourceRef, `${path}.dataSourceRef`, findings);
    const { namespace } = dataSourceRef;
    if (namespace) findings.invalidEach(`${path}.dataSourceRef.namespace`, namespace, isDns1123Label(namespace));
  }
  // What is shown is the path itself, as it is upstream: it has no fields that JSON knows.
  const mismatch = (detail: string) => findings.invalid(path, {}, detail);
  if (dataSource && dataSourceRef?.namespace) {
    mismatch('may not be specified when dataSourceRef.namespace is specified');
  } else if (dataSource && dataSourceRef) {
    const { apiGroup, kind, name } = dataSourceRef;
    if (!semanticEqual(dataSource, { apiGroup, kind, name })) mismatch('must match dataSourceRef');
  }
}

function validateSource(source: TypedLocalObjectReference, path: string, findings: Findings): void {
  if (!source.name) findings.required(`${path}.name`);
  if (!source.kind) findings.required(`${path}.kind`);
  if (source.apiGroup) findings.invalidEach(`${path}.apiGroup`, source.apiGroup, isDns1123Subdomain(source.apiGroup));
  else if (source.kind !== 'PersistentVolumeClaim') {
    const detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
    findings.invalid(path, source.kind ?? '', detail);
  }
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
  const isBound = old.status?.phase === 'Bound';
  const kept = {
    ...claim.spec,
    ...(isBound && { resources: withStorageOf(claim.spec.resources, old.spec.resources) }),
    ...(isBound &&
      claim.spec.volumeAttributesClassName !== undefined && {
        volumeAttributesClassName: old.spec.volumeAttributesClassName,
      }),
    ...(old.spec.volumeName === undefined && { volumeName: old.spec.volumeName }),
    ...(old.spec.storageClassName === undefined && { storageClassName: old.spec.storageClassName }),
  };
  const before = { ...old.spec };
  normalizeSources(before);
  // Upstream's own path.
  validateImmutable(claim.spec.volumeMode, old.spec.volumeMode, 'volumeMode', findings);
  if (!semanticEqual(kept, before)) {
    findings.forbidden(
      'spec',
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
    );
  }
  const size = old.spec.resources?.requests?.['storage'];
  const after = claim.spec.resources?.requests?.['storage'] ?? '0';
  if (size !== undefined && compareQuantities(after, size) < 0) {
    const allocated = old.status?.capacity?.['storage'];
    if (allocated === undefined || compareQuantities(after, allocated) <= 0) {
      findings.forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity');
    }
  }
}

/** Growing is the one change of resources. */
function withStorageOf(
  resources: PersistentVolumeClaimSpec['resources'],
  old: PersistentVolumeClaimSpec['resources'],
): PersistentVolumeClaimSpec['resources'] {
  const storage = old?.requests?.['storage'];
  if (storage === undefined || resources?.requests?.['storage'] === undefined) return resources;
  return { ...resources, requests: { ...resources.requests, storage } };
}

const MOUNT_OPTIONS = 'volume.beta.kubernetes.io/mount-options';
/** Kinds of volumes that know mount options. */
const mountable = [
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'nfs',
  'rbd',
  'quobyte',
  'iscsi',
  'cinder',
  'cephfs',
  'azureFile',
  'vsphereVolume',
  'azureDisk',
  'photonPersistentDisk',
];

export function validateVolume({ metadata, spec }: PersistentVolume, findings: Findings): void {
  if (metadata.annotations?.[MOUNT_OPTIONS] !== undefined && !mountable.some((kind) => kind in spec)) {
    const detail = 'may not specify mount options for this volume type';
    findings.forbidden(`metadata.annotations.${MOUNT_OPTIONS}`, detail);
  }
  if (!spec.accessModes?.length) findings.required('spec.accessModes');
  else validateAccessModes(spec.accessModes, 'spec.accessModes', findings);
  const storage = spec.capacity?.['storage'];
  if (!Object.keys(spec.capacity ?? {}).length) findings.required('spec.capacity');
  if (storage === undefined || Object.keys(spec.capacity!).length > 1) {
    findings.notSupported('spec.capacity', spec.capacity ?? null, ['storage']);
  }
  for (const name in spec.capacity) {
    const [path, quantity] = [`spec.capacity[${name}]`, spec.capacity[name]!];
    const whole = quantityValue(quantity);
    if (whole < 0) findings.invalid(path, whole, 'must be a valid resource quantity');
    if (compareQuantities(quantity, '0') <= 0) findings.invalid(path, quantity, 'must be greater than zero');
  }
  findings.oneOf(spec.persistentVolumeReclaimPolicy, 'spec.persistentVolumeReclaimPolicy', [
    'Delete',
    'Recycle',
    'Retain',
  ]);
  const isAffine = spec.nodeAffinity !== undefined;
  if (isAffine && spec.nodeAffinity!.required === undefined) {
    findings.required('spec.nodeAffinity.required', 'must specify required node constraints');
  } else if (isAffine) validateNodeSelector(spec.nodeAffinity!.required!, 'spec.nodeAffinity.required', findings);
  validateOneSource(spec, sources(metadata.name, isAffine, 'spec'), 'spec', findings);
  const { storageClassName, volumeAttributesClassName } = spec;
  validateRecycledRoot(spec, 'spec', findings);
  if (storageClassName) {
    findings.invalidEach('spec.storageClassName', storageClassName, isDns1123Subdomain(storageClassName));
  }
  findings.optionalOneOf(spec.volumeMode, 'spec.volumeMode', ['Block', 'Filesystem']);
  if (volumeAttributesClassName === undefined) return;
  const at = 'spec.volumeAttributesClassName';
  if (volumeAttributesClassName === '') findings.required(at, 'an empty string is disallowed');
  else findings.invalidEach(at, volumeAttributesClassName, isDns1123Subdomain(volumeAttributesClassName));
  if (spec.csi === undefined) findings.required('spec.csi', 'has to be specified when using volumeAttributesClassName');
}

/** One of a VolumeAttachment, without an object of its own. Source: ValidatePersistentVolumeSpec, inline. */
export function validateInlineVolume(spec: PersistentVolumeSpec, path: string, findings: Findings): void {
  const here = 'in the context of inline volumes';
  const unwanted = (name: 'claimRef' | 'nodeAffinity' | 'capacity' | 'storageClassName', isThere: boolean) => {
    if (isThere) findings.forbidden(`${path}.${name}`, `may not be specified ${here}`);
  };
  unwanted('claimRef', spec.claimRef !== undefined);
  unwanted('capacity', Object.keys(spec.capacity ?? {}).length > 0);
  if (spec.csi === undefined) findings.required(`${path}.csi`, `has to be specified ${here}`);
  validateAccessModes(spec.accessModes, `${path}.accessModes`, findings);
  const policy = spec.persistentVolumeReclaimPolicy;
  if (policy && policy !== 'Retain') {
    findings.forbidden(`${path}.persistentVolumeReclaimPolicy`, `may only be Retain ${here}`);
  }
  unwanted('nodeAffinity', spec.nodeAffinity !== undefined);
  validateOneSource(spec, sources('', false, path), path, findings);
  validateRecycledRoot(spec, path, findings);
  unwanted('storageClassName', !!spec.storageClassName);
  if (spec.volumeMode !== undefined && spec.volumeMode !== 'Filesystem') {
    findings.forbidden(`${path}.volumeMode`, `may not specify volumeMode other than Filesystem ${here}`);
  }
}

function validateRecycledRoot(spec: PersistentVolumeSpec, path: string, findings: Findings): void {
  const isRoot = /^\/+(\.?\/*)*$/.test(spec.hostPath?.path ?? '');
  if (!isRoot || spec.persistentVolumeReclaimPolicy !== 'Recycle') return;
  findings.forbidden(`${path}.persistentVolumeReclaimPolicy`, "may not be 'recycle' for a hostPath mount of '/'");
}

/** Two kinds look beyond themselves: at the volume's name, and at where it may be reached from. */
function sources(name: string, isAffine: boolean, volumePath: string): typeof persistentSources {
  return {
    ...persistentSources,
    iscsi(source, path, findings) {
      persistentSources['iscsi']!(source, path, findings);
      if (source.initiatorName === undefined || `${name}:${source.targetPortal}`.length <= 64) return;
      const why =
        'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.';
      findings.invalid(`${path}.targetportal`, source.targetPortal, why);
    },
    local(source, path, findings) {
      persistentSources['local']!(source, path, findings);
      if (!isAffine) findings.required(`${volumePath}.nodeAffinity`, 'Local volume requires node affinity');
    },
  };
}

const volumeFields = new Set([
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
export function validateVolumeUpdate(volume: PersistentVolume, old: PersistentVolume, findings: Findings): void {
  // Told twice upstream.
  validateVolume(volume, findings);
  validateVolume(volume, findings);
  // A secret for growing a volume may come later.
  const mayCome = old.spec.csi !== undefined && old.spec.csi.controllerExpandSecretRef === undefined;
  const sourceOf = ({ spec }: PersistentVolume): Record<string, unknown> => {
    const source = Object.entries(spec).filter(([field]) => !volumeFields.has(field));
    const { controllerExpandSecretRef: secret, ...csi } = spec.csi ?? {};
    const kept = mayCome || secret === undefined ? csi : { ...csi, controllerExpandSecretRef: secret };
    return { ...Object.fromEntries(source), ...(spec.csi && { csi: kept }) };
  };
  // To Go, a structure that says nothing is not one that is not there.
  const kindsOf = (one: PersistentVolume) =>
    Object.entries(sourceOf(one))
      .map(([kind, source]) => [kind, ...structuresOf(source)].join('.'))
      .sort()
      .join();
  if (kindsOf(volume) !== kindsOf(old) || !semanticEqual(sourceOf(volume), sourceOf(old))) {
    findings.forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation');
  }
  // Upstream's own paths.
  validateImmutable(volume.spec.volumeMode, old.spec.volumeMode, 'volumeMode', findings);
  if (old.spec.nodeAffinity !== undefined && !isSameAffinity(volume.spec.nodeAffinity, old.spec.nodeAffinity)) {
    findings.invalid(
      'nodeAffinity',
      volume.spec.nodeAffinity,
      'field is immutable, except for updating from beta label to GA',
    );
  }
  if (old.spec.volumeAttributesClassName !== undefined && volume.spec.volumeAttributesClassName === undefined) {
    findings.forbidden('spec.volumeAttributesClassName', 'update from non-nil value to nil is forbidden');
  }
}

/** Labels that nodes once had, and what they are called now. Source: betaToGALabel of pkg/apis/core/validation. */
const stableLabels: Record<string, string> = {
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
};

/** A label may get its newer name; upstream takes none for the newer name of all others. */
function isSameAffinity(affinity: VolumeNodeAffinity | undefined, old: VolumeNodeAffinity): boolean {
  const renamed = structuredClone(old);
  renamed.required?.nodeSelectorTerms?.forEach((term, index) => {
    const now = affinity?.required?.nodeSelectorTerms?.[index];
    for (const field of ['matchExpressions', 'matchFields'] as const) {
      term[field]?.forEach((requirement, at) => {
        const key = now?.[field]?.[at]?.key ?? '';
        if ((stableLabels[requirement.key] ?? '') === key) requirement.key = key;
      });
    }
  });
  return semanticEqual(affinity, renamed);
}

const structuresOf = (source: any): string[] =>
  Object.keys(source)
    .filter((field) => field.endsWith('Ref'))
    .sort();

export function validateStorageClass(storageClass: StorageClass, findings: Findings): void {
  validateProvisioner(storageClass.provisioner, 'provisioner', findings);
  validateTopologies(storageClass.allowedTopologies, 'allowedTopologies', findings);
  if (storageClass.reclaimPolicy !== '') {
    findings.optionalOneOf(storageClass.reclaimPolicy, 'reclaimPolicy', ['Delete', 'Retain']);
  }
  findings.optionalOneOf(storageClass.volumeBindingMode, 'volumeBindingMode', ['Immediate', 'WaitForFirstConsumer']);
}

export function validateProvisioner(provisioner: string | undefined, path: string, findings: Findings): void {
  if (!provisioner) findings.required(path);
  else findings.invalidEach(path, provisioner.toLowerCase(), isQualifiedName(provisioner.toLowerCase()));
}

function validateTopologies(terms: TopologySelectorTerm[] | undefined, path: string, findings: Findings): void {
  const seen = new Map<string, number>();
  terms?.forEach((term, index) => {
    const at = `${path}[${index}].matchLabelExpressions`;
    const keys = new Map<string, string[]>();
    term.matchLabelExpressions?.forEach(({ key = '', values = [] }, i) => {
      if (values.length === 0) findings.required(`${at}[${i}].values`);
      const given = new Set<string>();
      values.forEach((value, j) => {
        if (given.has(value)) findings.duplicate(`${at}[${i}].values[${j}]`, value);
        given.add(value);
      });
      findings.invalidEach(`${at}[${i}].key`, key, isQualifiedName(key));
      if (keys.has(key)) findings.duplicate(`${at}[${i}].key`, key);
      keys.set(key, [...values].sort());
    });
    const text = JSON.stringify([...keys].sort());
    // Upstream compares with as many empty terms as there are.
    const matches = (seen.get(text) ?? 0) + (keys.size === 0 ? terms.length : 0);
    for (let i = 0; i < matches && !findings.isFull; i++) findings.duplicate(at, '');
    seen.set(text, (seen.get(text) ?? 0) + 1);
  });
}

export function validateStorageClassUpdate(storageClass: StorageClass, old: StorageClass, findings: Findings): void {
  validateStorageClass(storageClass, findings);
  validateImmutable(storageClass.parameters, old.parameters, 'parameters', findings);
  validateImmutable(storageClass.provisioner ?? '', old.provisioner, 'provisioner', findings);
  validateImmutable(storageClass.reclaimPolicy, old.reclaimPolicy, 'reclaimPolicy', findings);
  validateImmutable(storageClass.volumeBindingMode, old.volumeBindingMode, 'volumeBindingMode', findings);
}
