import { semanticEqual } from '../../equality.ts';
import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  VolumeAttachment,
  VolumeAttributesClass,
} from '../../generated/storage-v1.ts';
import { isDns1123Subdomain, isQualifiedName } from '../../names.ts';
import { compareQuantities } from '../../quantity.ts';
import { type Findings, MUST_NOT_BE_NEGATIVE } from '../findings.ts';
import { validateImmutable, validateLabelSelector } from '../metadata.ts';
import { validateInlineVolume, validateProvisioner } from './storage.ts';
import { validateCsiDriverName } from './volume-sources.ts';

const MIN_TOKEN_SECONDS = 600;
const MAX_TOKEN_SECONDS = 2 ** 32;
const MAX_NODE_ID = 256;

/** Source: pkg/apis/storage/validation. */
export function validateCsiDriver({ spec }: CSIDriver, findings: Findings): void {
  if (spec.attachRequired === undefined) findings.required('spec.attachedRequired');
  if (spec.podInfoOnMount === undefined) findings.required('spec.podInfoOnMount');
  if (spec.storageCapacity === undefined) findings.required('spec.storageCapacity');
  if (spec.seLinuxMount === undefined) findings.required('spec.seLinuxMount');
  if (spec.fsGroupPolicy === undefined) findings.required('spec.fsGroupPolicy');
  else findings.optionalOneOf(spec.fsGroupPolicy, 'spec.fsGroupPolicy', ['File', 'None', 'ReadWriteOnceWithFSType']);
  const audiences = new Set<string>();
  spec.tokenRequests?.forEach(({ audience = '', expirationSeconds }, index) => {
    const path = `spec.tokenRequests[${index}]`;
    if (audiences.has(audience)) {
      findings.duplicate(`${path}.audience`, audience);
      return;
    }
    audiences.add(audience);
    if (expirationSeconds === undefined) return;
    const at = `${path}.expirationSeconds`;
    if (expirationSeconds < MIN_TOKEN_SECONDS) {
      findings.invalid(at, expirationSeconds, 'may not specify a duration less than 10 minutes');
    }
    if (expirationSeconds > MAX_TOKEN_SECONDS) {
      findings.invalid(at, expirationSeconds, 'may not specify a duration larger than 2^32 seconds');
    }
  });
  for (const mode of spec.volumeLifecycleModes ?? []) {
    findings.optionalOneOf(mode, 'spec.volumeLifecycleModes', ['Persistent', 'Ephemeral']);
  }
  const period = spec.nodeAllocatableUpdatePeriodSeconds;
  if (period !== undefined && period < 10) {
    findings.invalid('spec.nodeAllocatableUpdatePeriodSeconds', period, 'must be greater than or equal to 10 seconds');
  }
}

export function validateCsiDriverUpdate(driver: CSIDriver, old: CSIDriver, findings: Findings): void {
  validateCsiDriver(driver, findings);
  // Upstream's own name of the field.
  validateImmutable(driver.spec.attachRequired, old.spec.attachRequired, 'spec.attachedRequired', findings);
  validateImmutable(
    driver.spec.volumeLifecycleModes,
    old.spec.volumeLifecycleModes,
    'spec.volumeLifecycleModes',
    findings,
  );
}

export function validateCsiNode({ spec }: CSINode, findings: Findings): void {
  const names = new Set<string>();
  spec?.drivers?.forEach((driver, index) => {
    const path = `spec.drivers[${index}]`;
    validateCsiDriverName(driver.name, `${path}.name`, findings);
    if (!driver.nodeID) findings.required(`${path}.nodeID`);
    else if (driver.nodeID.length > MAX_NODE_ID) {
      findings.invalid(`${path}.nodeID`, driver.nodeID, `must be ${MAX_NODE_ID} characters or less`);
    }
    findings.nonnegative(driver.allocatable?.count, `${path}.allocatable.count`);
    if (names.has(driver.name)) findings.duplicate(`${path}.name`, driver.name);
    names.add(driver.name);
    const keys = new Set<string>();
    for (const key of driver.topologyKeys ?? []) {
      if (key === '') findings.required(path);
      if (keys.has(key)) findings.duplicate(path, key);
      keys.add(key);
      findings.invalidEach(path, key, isQualifiedName(key));
    }
  });
}

export function validateCsiNodeUpdate(node: CSINode, old: CSINode, findings: Findings): void {
  validateCsiNode(node, findings);
  for (const before of old.spec?.drivers ?? []) {
    for (const after of node.spec?.drivers ?? []) {
      if (before.name !== after.name) continue;
      const { allocatable: _before, ...fixedBefore } = before;
      const { allocatable: _after, ...fixedAfter } = after;
      validateImmutable(fixedAfter, fixedBefore, 'spec.drivers', findings);
    }
  }
}

export function validateStorageCapacity(one: CSIStorageCapacity, findings: Findings): void {
  validateLabelSelector(one.nodeTopology, 'nodeTopology', findings);
  const storageClass = one.storageClassName ?? '';
  findings.invalidEach('storageClassName', storageClass, isDns1123Subdomain(storageClass));
  if (one.capacity !== undefined && compareQuantities(one.capacity, 0) < 0) {
    findings.invalid('capacity', one.capacity, MUST_NOT_BE_NEGATIVE);
  }
}

export function validateStorageCapacityUpdate(
  one: CSIStorageCapacity,
  old: CSIStorageCapacity,
  findings: Findings,
): void {
  validateStorageCapacity(one, findings);
  validateImmutable(one.nodeTopology, old.nodeTopology, 'nodeTopology', findings);
  validateImmutable(one.storageClassName ?? '', old.storageClassName, 'storageClassName', findings);
}

export function validateVolumeAttachment({ spec }: VolumeAttachment, findings: Findings): void {
  const { attacher, nodeName = '', source } = spec ?? ({} as VolumeAttachment['spec']);
  validateCsiDriverName(attacher, 'spec.attacher', findings);
  const { persistentVolumeName, inlineVolumeSpec } = source ?? {};
  if (persistentVolumeName === undefined && inlineVolumeSpec === undefined) {
    findings.required('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName');
  } else if (persistentVolumeName !== undefined && inlineVolumeSpec !== undefined) {
    findings.forbidden('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName');
  } else if (persistentVolumeName === '') {
    findings.required('spec.source.persistentVolumeName', 'must specify non empty persistentVolumeName');
  } else if (inlineVolumeSpec !== undefined) {
    validateInlineVolume(inlineVolumeSpec, 'spec.source.inlineVolumeSpec', findings);
  }
  if (persistentVolumeName !== undefined) {
    const path = 'spec.source.persistentVolumeName';
    findings.invalidEach(path, persistentVolumeName, isDns1123Subdomain(persistentVolumeName));
  }
  findings.invalidEach('spec.nodeName', nodeName, isDns1123Subdomain(nodeName));
}

export function validateVolumeAttachmentUpdate(one: VolumeAttachment, old: VolumeAttachment, findings: Findings): void {
  validateVolumeAttachment(one, findings);
  validateImmutable(one.spec, old.spec, 'spec', findings);
}

export function validateVolumeAttributesClass(one: VolumeAttributesClass, findings: Findings): void {
  validateProvisioner(one.driverName, 'driverName', findings);
  if (Object.keys(one.parameters ?? {}).length === 0) {
    findings.required('parameters', 'must contain at least one key/value pair');
  }
}

export function validateVolumeAttributesClassUpdate(
  one: VolumeAttributesClass,
  old: VolumeAttributesClass,
  findings: Findings,
): void {
  if (one.driverName !== old.driverName) findings.forbidden('driverName', 'updates to driverName are forbidden.');
  if (!semanticEqual(one.parameters, old.parameters)) {
    findings.forbidden('parameters', 'updates to parameters are forbidden.');
  }
  validateVolumeAttributesClass(one, findings);
}
