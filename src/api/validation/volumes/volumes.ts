import type { Steps } from '../../../base/steps.ts';
import type {
  Container,
  DownwardAPIVolumeFile,
  KeyToPath,
  ProjectedVolumeSource,
  Volume,
  VolumeDevice,
  VolumeMount,
} from '../../generated/core-v1.ts';
import { isDns1123Label, isDns1123Subdomain } from '../../names.ts';
import { compareQuantities } from '../../quantity.ts';
import type { Findings } from '../findings.ts';
import { validateAnnotations, validateLabels } from '../metadata.ts';
import { validateFieldReference, validateResourceFieldReference, volumeFields } from '../pods/environment.ts';
import { validateClaimSpec } from './storage.ts';
import {
  inlineSources,
  requireFields,
  type ValidateSource,
  validateCsiDriverName,
  validateNoBacksteps,
  validateOneSource,
} from './volume-sources.ts';

const mountsAtOnce = 256;

const MODE_FINDING = 'must be a number between 0 and 0777 (octal), both inclusive';

/** The volumes that are sound, by name: what mounts may refer to. */
export function validateVolumes(volumes: Volume[] | undefined, path: string, findings: Findings): Map<string, Volume> {
  const sound = new Map<string, Volume>();
  volumes?.forEach((volume, index) => {
    const at = `${path}[${index}]`;
    const count = findings.list.length;
    validateOneSource(volume, sourceValidators, at, findings);
    validateWithName(volume, at, findings);
    if (!volume.name) findings.required(`${at}.name`);
    else findings.invalidEach(`${at}.name`, volume.name, isDns1123Label(volume.name));
    if (sound.has(volume.name)) findings.duplicate(`${at}.name`, volume.name);
    if (findings.list.length === count) sound.set(volume.name, volume);
  });
  return sound;
}

const initiatorLimit = 64;

function validateWithName({ name, iscsi }: Volume, path: string, findings: Findings): void {
  if (iscsi?.initiatorName === undefined || `${name}:${iscsi.targetPortal}`.length <= initiatorLimit) return;
  const why =
    'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.';
  findings.invalid(`${path}.name`, name, why);
}

/** In upstream's order: the first of several is the one that is meant. */
const sourceValidators: Record<string, ValidateSource> = {
  emptyDir(source, path, findings) {
    if (source.sizeLimit !== undefined && compareQuantities(source.sizeLimit, '0') < 0) {
      findings.forbidden(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity');
    }
  },
  hostPath: inlineSources['hostPath']!,
  gitRepo(source, path, findings) {
    requireFields('repository')(source, path, findings);
    if (source.directory) validateDescendingPath(source.directory, `${path}.directory`, findings);
  },
  gcePersistentDisk: inlineSources['gcePersistentDisk']!,
  awsElasticBlockStore: inlineSources['awsElasticBlockStore']!,
  secret(source, path, findings) {
    if (!source.secretName) findings.required(`${path}.secretName`);
    validateMode(source.defaultMode, `${path}.defaultMode`, findings);
    validateItems(source.items, `${path}.items`, findings);
  },
  nfs: inlineSources['nfs']!,
  iscsi: inlineSources['iscsi']!,
  glusterfs: inlineSources['glusterfs']!,
  flocker: inlineSources['flocker']!,
  persistentVolumeClaim: requireFields('claimName'),
  rbd: inlineSources['rbd']!,
  cinder: inlineSources['cinder']!,
  cephfs: inlineSources['cephfs']!,
  quobyte: inlineSources['quobyte']!,
  downwardAPI(source, path, findings) {
    validateMode(source.defaultMode, `${path}.defaultMode`, findings);
    for (const file of source.items ?? []) validateDownwardFile(file, path, findings);
  },
  fc: inlineSources['fc']!,
  flexVolume: inlineSources['flexVolume']!,
  configMap(source, path, findings) {
    if (!source.name) findings.required(`${path}.name`);
    validateMode(source.defaultMode, `${path}.defaultMode`, findings);
    validateItems(source.items, `${path}.items`, findings);
  },
  azureFile: inlineSources['azureFile']!,
  vsphereVolume: inlineSources['vsphereVolume']!,
  photonPersistentDisk: inlineSources['photonPersistentDisk']!,
  portworxVolume: inlineSources['portworxVolume']!,
  azureDisk: inlineSources['azureDisk']!,
  storageos: inlineSources['storageos']!,
  projected: validateProjected,
  scaleIO: inlineSources['scaleIO']!,
  csi({ driver, nodePublishSecretRef }, path, findings) {
    validateCsiDriverName(driver, `${path}.driver`, findings);
    if (nodePublishSecretRef === undefined) return;
    const { name } = nodePublishSecretRef;
    if (!name) findings.required(`${path}.nodePublishSecretRef.name`);
    // Upstream's own path.
    else findings.invalidEach(`${path}.name`, name, isDns1123Subdomain(name));
  },
  ephemeral(source, path, findings) {
    if (source.volumeClaimTemplate === undefined) {
      findings.required(`${path}.volumeClaimTemplate`);
      return;
    }
    const { metadata, spec } = source.volumeClaimTemplate;
    const at = `${path}.volumeClaimTemplate`;
    validateAnnotations(metadata?.annotations, `${at}.metadata.annotations`, findings);
    validateLabels(metadata?.labels, `${at}.metadata.labels`, findings);
    for (const field of Object.keys(metadata ?? {})) {
      if (field !== 'annotations' && field !== 'labels' && metadata[field] !== undefined && metadata[field] !== null) {
        findings.forbidden(`${at}.metadata.${field}`, 'cannot be set');
      }
    }
    validateClaimSpec(spec ?? {}, `${at}.spec`, findings);
  },
  image(source, path, findings) {
    if (!source.reference) findings.required(`${path}.reference`);
    findings.oneOf(source.pullPolicy, `${path}.pullPolicy`, ['Always', 'IfNotPresent', 'Never']);
  },
};

function validateProjected(source: ProjectedVolumeSource, path: string, findings: Findings): void {
  validateMode(source.defaultMode, `${path}.defaultMode`, findings);
  const paths = new Set<string>();
  const claim = (file: string | undefined, shown: string) => {
    if (!file) return;
    if (paths.has(file)) findings.invalid(path, shown, 'conflicting duplicate paths');
    paths.add(file);
  };
  (source.sources ?? []).forEach((projection, index) => {
    const at = `${path}.sources[${index}]`;
    let found = 0;
    for (const kind of ['secret', 'configMap'] as const) {
      const part = projection[kind];
      if (part === undefined) continue;
      found++;
      if (!part.name) findings.required(`${at}.${kind}.name`);
      validateItems(part.items, `${at}.${kind}.items`, findings);
      for (const item of part.items ?? []) claim(item.path, part.name ?? '');
    }
    if (projection.downwardAPI !== undefined) {
      found++;
      for (const file of projection.downwardAPI.items ?? []) {
        validateDownwardFile(file, `${at}.downwardAPI`, findings);
        claim(file.path, file.path);
      }
    }
    if (projection.serviceAccountToken !== undefined) {
      found++;
      const { expirationSeconds = 0, path: file } = projection.serviceAccountToken;
      if (expirationSeconds < 600) {
        findings.invalid(
          `${at}.serviceAccountToken.expirationSeconds`,
          expirationSeconds,
          'may not specify a duration less than 10 minutes',
        );
      }
      if (expirationSeconds > 2 ** 32) {
        findings.invalid(
          `${at}.serviceAccountToken.expirationSeconds`,
          expirationSeconds,
          'may not specify a duration larger than 2^32 seconds',
        );
      }
      if (!file) findings.required(`${path}.path`);
      else validateLocalPath(file, `${path}.path`, findings);
    }
    if (projection.clusterTrustBundle !== undefined) found++;
    if (projection.podCertificate !== undefined) found++;
    if (found > 1) findings.forbidden(at, 'may not specify more than 1 volume type per source');
  });
}

function validateDownwardFile(file: DownwardAPIVolumeFile, path: string, findings: Findings): void {
  if (!file.path) findings.required(`${path}.path`);
  validateLocalPath(file.path, `${path}.path`, findings);
  if (file.fieldRef !== undefined) {
    validateFieldReference(file.fieldRef, volumeFields, `${path}.fieldRef`, findings);
    if (file.resourceFieldRef !== undefined) {
      findings.invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously');
    }
  } else if (file.resourceFieldRef !== undefined) {
    validateResourceFieldReference(file.resourceFieldRef, `${path}.resourceFieldRef`, true, findings);
  } else findings.required(path, 'one of fieldRef and resourceFieldRef is required');
  validateMode(file.mode, `${path}.mode`, findings);
}

function validateItems(items: KeyToPath[] | undefined, path: string, findings: Findings): void {
  items?.forEach((item, index) => {
    const at = `${path}[${index}]`;
    if (!item.key) findings.required(`${at}.key`);
    if (!item.path) findings.required(`${at}.path`);
    validateLocalPath(item.path, `${at}.path`, findings);
    validateMode(item.mode, `${at}.mode`, findings);
  });
}

function validateMode(mode: number | undefined, path: string, findings: Findings): void {
  if (mode !== undefined && (mode < 0 || mode > 0o777)) findings.invalid(path, mode, MODE_FINDING);
}

export function validateDescendingPath(target: string, path: string, findings: Findings): void {
  if (target.startsWith('/')) findings.invalid(path, target, 'must be a relative path');
  validateNoBacksteps(target, path, findings);
}

export function validateLocalPath(target: string, path: string, findings: Findings): void {
  validateDescendingPath(target, path, findings);
  if (target.startsWith('..') && !target.startsWith('../')) findings.invalid(path, target, "must not start with '..'");
}

export function* validateVolumeMounts(
  container: Container,
  volumes: Map<string, Volume>,
  path: string,
  findings: Findings,
): Steps<void> {
  const mounts = container.volumeMounts;
  const devices = container.volumeDevices ?? [];
  if (mounts === undefined && devices.length === 0) return;
  const paths = new Set<string>();
  const deviceNames = new Set(devices.map(({ name }) => name));
  const devicePaths = new Set(devices.map(({ devicePath }) => devicePath));
  for (const [index, mount] of (mounts ?? []).entries()) {
    if (index % mountsAtOnce === mountsAtOnce - 1) yield;
    const at = `${path}.volumeMounts[${index}]`;
    if (!mount.name) findings.required(`${at}.name`);
    if (!volumes.has(mount.name)) findings.notFound(`${at}.name`, mount.name);
    if (!mount.mountPath) findings.required(`${at}.mountPath`);
    if (paths.has(mount.mountPath)) findings.invalid(`${at}.mountPath`, mount.mountPath, 'must be unique');
    paths.add(mount.mountPath);
    if (deviceNames.has(mount.name)) {
      findings.invalid(`${at}.name`, mount.name, 'must not already exist in volumeDevices');
    }
    if (devicePaths.has(mount.mountPath)) {
      findings.invalid(`${at}.mountPath`, mount.mountPath, 'must not already exist as a path in volumeDevices');
    }
    validateSubPath(mount, at, `${path}.volumeMounts`, findings);
    validatePropagation(mount, container.securityContext?.privileged === true, `${path}.volumeMounts`, findings);
  }
  if (devices.length > 0) validateDevices(devices, mounts ?? [], volumes, `${path}.volumeDevices`, findings);
}

function validateDevices(
  devices: VolumeDevice[],
  mounts: VolumeMount[],
  volumes: Map<string, Volume>,
  path: string,
  findings: Findings,
): void {
  const [names, paths] = [new Set<string>(), new Set<string>()];
  const mountNames = new Set(mounts.map((mount) => mount.name));
  const mountPaths = new Set(mounts.map((mount) => mount.mountPath));
  devices.forEach(({ name = '', devicePath = '' }, index) => {
    const at = `${path}[${index}]`;
    const volume = volumes.get(name);
    if (name === '') findings.required(`${at}.name`);
    if (names.has(name)) findings.invalid(`${at}.name`, name, 'must be unique');
    if (volume === undefined) findings.notFound(`${at}.name`, name);
    else if (volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined) {
      const why = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode';
      findings.invalid(`${at}.name`, name, why);
    }
    if (devicePath === '') findings.required(`${at}.devicePath`);
    if (paths.has(devicePath)) findings.invalid(`${at}.devicePath`, devicePath, 'must be unique');
    if (devicePath.split('/').includes('..')) {
      findings.invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')");
    } else paths.add(devicePath);
    if (mountNames.has(name)) {
      findings.invalid(`${at}.name`, name, 'must not already exist in volumeMounts');
    }
    if (mountPaths.has(devicePath)) {
      findings.invalid(`${at}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts');
    }
    if (name !== '') names.add(name);
  });
}

function validateSubPath(mount: VolumeMount, at: string, list: string, findings: Findings): void {
  if (mount.subPath) validateDescendingPath(mount.subPath, `${list}.subPath`, findings);
  if (!mount.subPathExpr) return;
  if (mount.subPath) {
    findings.invalid(`${at}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive');
  }
  validateDescendingPath(mount.subPathExpr, `${list}.subPathExpr`, findings);
}

function validatePropagation(mount: VolumeMount, privileged: boolean, list: string, findings: Findings): void {
  const { mountPropagation, recursiveReadOnly } = mount;
  if (mountPropagation !== undefined) {
    findings.optionalOneOf(mountPropagation, `${list}.mountPropagation`, ['Bidirectional', 'HostToContainer', 'None']);
    if (mountPropagation === 'Bidirectional' && !privileged) {
      findings.forbidden(
        `${list}.mountPropagation`,
        'Bidirectional mount propagation is available only to privileged containers',
      );
    }
  }
  if (recursiveReadOnly === undefined || recursiveReadOnly === 'Disabled') return;
  const at = `${list}.recursiveReadOnly`;
  if (recursiveReadOnly !== 'Enabled' && recursiveReadOnly !== 'IfPossible') {
    findings.notSupported(at, recursiveReadOnly, ['Disabled', 'Enabled', 'IfPossible']);
    return;
  }
  if (mount.readOnly !== true) findings.forbidden(at, 'may only be specified when readOnly is true');
  if (mountPropagation !== undefined && mountPropagation !== 'None') {
    findings.forbidden(at, 'may only be specified when mountPropagation is None or not specified');
  }
}
