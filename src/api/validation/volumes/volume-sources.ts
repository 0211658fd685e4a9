import { inclusiveRange, isDns1123Label, isDns1123Subdomain, nameIsDnsLabel } from '../../names.ts';
import type { Findings } from '../findings.ts';

export type ValidateSource = (source: any, path: string, findings: Findings) => void;

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

export function validateNoBacksteps(target: string, path: string, findings: Findings): void {
  if (target.includes('..') && target.split('/').includes('..'))
    findings.invalid(path, target, "must not contain '..'");
}

export const requireFields =
  (...fields: string[]): ValidateSource =>
  (source, path, findings) => {
    for (const field of fields) if (!source[field]) findings.required(`${path}.${field}`);
  };

export function validateCsiDriverName(driver: string | undefined, path: string, findings: Findings): void {
  if (!driver) findings.required(path);
  else {
    if (driver.length > 63) findings.tooLong(path, 63);
    findings.invalidEach(path, driver, isDns1123Subdomain(driver.toLowerCase()));
  }
}

function validatePartition({ partition = 0 }: any, path: string, findings: Findings): void {
  if (partition < 0 || partition > 255) findings.invalid(`${path}.partition`, partition, inclusiveRange(1, 255));
}

/** Of a secret that a volume names: as upstream, each kind of volume says how much of it. */
function requireSecret(secret: any, path: string, findings: Findings, ...fields: ('name' | 'namespace')[]): void {
  if (secret === undefined) return;
  for (const field of fields) if (!secret[field]) findings.required(`${path}.${field}`);
}

const initiatorForms: [string, RegExp][] = [
  ['iqn', /iqn\.\d{4}-\d{2}\.([a-zA-Z0-9.-]+)(:[^,;*&$|\s]+)$/],
  ['eui', /^eui.[a-zA-Z0-9]{16}$/],
  ['naa', /^naa.[a-zA-Z0-9]{32}$/],
];

function validateInitiator(name: string, path: string, unknownForm: string, findings: Findings): void {
  const form = initiatorForms.find(([prefix]) => name.startsWith(prefix));
  if (form === undefined) findings.invalid(path, name, unknownForm);
  else if (!form[1].test(name)) findings.invalid(path, name, 'must be valid format');
}

const iscsi =
  (unknownForm: string, isPersistent: boolean): ValidateSource =>
  (source, path, findings) => {
    const { iqn, lun = 0, secretRef, initiatorName } = source;
    if (!source.targetPortal) findings.required(`${path}.targetPortal`);
    if (!iqn) findings.required(`${path}.iqn`);
    else validateInitiator(iqn, `${path}.iqn`, unknownForm, findings);
    if (lun < 0 || lun > 255) findings.invalid(`${path}.lun`, lun, inclusiveRange(0, 255));
    if ((source.chapAuthDiscovery || source.chapAuthSession) && secretRef === undefined) {
      findings.required(`${path}.secretRef`);
    }
    if (isPersistent) requireSecret(secretRef, `${path}.secretRef`, findings, 'name');
    if (initiatorName !== undefined) {
      validateInitiator(initiatorName, `${path}.initiatorname`, unknownForm, findings);
    }
  };

const storageOs =
  (...fields: ('name' | 'namespace')[]): ValidateSource =>
  ({ volumeName, volumeNamespace, secretRef }, path, findings) => {
    if (!volumeName) findings.required(`${path}.volumeName`);
    else findings.invalidEach(`${path}.volumeName`, volumeName, isDns1123Label(volumeName));
    if (volumeNamespace) {
      findings.invalidEach(`${path}.volumeNamespace`, volumeNamespace, isDns1123Label(volumeNamespace));
    }
    requireSecret(secretRef, `${path}.secretRef`, findings, ...fields);
  };

const cinder =
  (...fields: ('name' | 'namespace')[]): ValidateSource =>
  (source, path, findings) => {
    requireFields('volumeID')(source, path, findings);
    requireSecret(source.secretRef, `${path}.secretRef`, findings, ...fields);
  };

const cachingModes = ['None', 'ReadOnly', 'ReadWrite'];
const diskKinds = ['Dedicated', 'Managed', 'Shared'];
const managedDisk = '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';
const blobDisk = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';

const azureDisk: ValidateSource = ({ diskName, diskURI, cachingMode, kind }, path, findings) => {
  if (!diskName) findings.required(`${path}.diskName`);
  if (!diskURI) findings.required(`${path}.diskURI`);
  findings.optionalOneOf(cachingMode, `${path}.cachingMode`, cachingModes);
  findings.optionalOneOf(kind, `${path}.kind`, diskKinds);
  if (kind === undefined) return;
  const [prefix, form] = kind === 'Managed' ? ['/subscriptions/', managedDisk] : ['https://', blobDisk];
  if (!diskURI?.startsWith(prefix)) findings.notSupported(`${path}.diskURI`, diskURI ?? '', [form]);
};

const fibreChannel: ValidateSource = ({ targetWWNs = [], wwids = [], lun }, path, findings) => {
  const at = `${path}.targetWWNs`;
  if (targetWWNs.length === 0 && wwids.length === 0) {
    findings.required(at, 'must specify either targetWWNs or wwids, but not both');
  }
  if (targetWWNs.length === 0) return;
  if (wwids.length > 0) findings.invalid(at, targetWWNs, 'targetWWNs and wwids can not be specified simultaneously');
  if (lun === undefined) findings.required(`${path}.lun`, 'lun is required if targetWWNs is specified');
  else if (lun < 0 || lun > 255) findings.invalid(`${path}.lun`, lun, inclusiveRange(0, 255));
};

const flex: ValidateSource = ({ driver, options = {} }, path, findings) => {
  if (!driver) findings.required(`${path}.driver`);
  for (const key of Object.keys(options)) {
    const domain = `.${key.split('/', 1)[0]!.toLowerCase()}`;
    if (!domain.endsWith('.kubernetes.io') && !domain.endsWith('.k8s.io')) continue;
    findings.invalid(`${path}.options[${key}]`, key, 'kubernetes.io and k8s.io namespaces are reserved');
  }
};

const flocker: ValidateSource = ({ datasetName = '', datasetUUID = '' }, path, findings) => {
  if (!datasetName && !datasetUUID) findings.required(path, 'one of datasetName and datasetUUID is required');
  if (datasetName && datasetUUID) {
    findings.invalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously');
  }
  if (datasetName.includes('/')) findings.invalid(`${path}.datasetName`, datasetName, "must not contain '/'");
};

const quobyte: ValidateSource = ({ registry, tenant = '', volume }, path, findings) => {
  const why = 'must be a host:port pair or multiple pairs separated by commas';
  if (!registry) findings.required(`${path}.registry`, why);
  else if (tenant.length >= 65) {
    findings.required(`${path}.tenant`, 'must be a UUID and may not exceed a length of 64 characters');
  } else {
    for (const pair of registry.split(',')) {
      if (!isHostAndPort(pair)) findings.invalid(`${path}.registry`, registry, why);
    }
  }
  if (!volume) findings.required(`${path}.volume`);
};

/** As Go's net.SplitHostPort takes it. */
const isHostAndPort = (text: string) => /^(\[[^[\]]*\]|[^:[\]]*):[^:[\]]*$/.test(text);

const disk =
  (field: string): ValidateSource =>
  (source, path, findings) => {
    requireFields(field)(source, path, findings);
    validatePartition(source, path, findings);
  };

/** Kinds of volumes that pods and persistent volumes have in common, in the form that both take. */
const shared: Record<string, ValidateSource> = {
  hostPath(source, path, findings) {
    if (!source.path) {
      findings.required(`${path}.path`);
      return;
    }
    validateNoBacksteps(source.path, `${path}.path`, findings);
    findings.optionalOneOf(source.type, `${path}.type`, hostPathTypes);
  },
  gcePersistentDisk: disk('pdName'),
  awsElasticBlockStore: disk('volumeID'),
  glusterfs: requireFields('endpoints', 'path'),
  flocker,
  nfs(source, path, findings) {
    requireFields('server', 'path')(source, path, findings);
    if (!source.path?.startsWith('/')) findings.invalid(`${path}.path`, source.path ?? '', 'must be an absolute path');
  },
  rbd(source, path, findings) {
    if (!source.monitors?.length) findings.required(`${path}.monitors`);
    requireFields('image')(source, path, findings);
  },
  quobyte,
  cephfs(source, path, findings) {
    if (!source.monitors?.length) findings.required(`${path}.monitors`);
  },
  fc: fibreChannel,
  flexVolume: flex,
  azureFile: requireFields('secretName', 'shareName'),
  vsphereVolume: requireFields('volumePath'),
  photonPersistentDisk: requireFields('pdID'),
  portworxVolume: requireFields('volumeID'),
  azureDisk,
  scaleIO: requireFields('gateway', 'system', 'volumeName'),
};

/** Those of pods alone, and those whose secrets lie beside the pod. */
export const inlineSources: Record<string, ValidateSource> = {
  ...shared,
  iscsi: iscsi('must be valid format starting with iqn, eui, or naa', false),
  cinder: cinder('name'),
  storageos: storageOs('name'),
};

/** Those of persistent volumes, in upstream's order. */
export const persistentSources: Record<string, ValidateSource> = {
  hostPath: shared['hostPath']!,
  gcePersistentDisk: shared['gcePersistentDisk']!,
  awsElasticBlockStore: shared['awsElasticBlockStore']!,
  glusterfs(source, path, findings) {
    shared['glusterfs']!(source, path, findings);
    const { endpointsNamespace: namespace } = source;
    const at = `${path}.endpointsNamespace`;
    if (namespace === '') {
      findings.invalid(at, '', 'if the endpointnamespace is set, it must be a valid namespace name');
    } else if (namespace !== undefined) findings.invalidEach(at, namespace, nameIsDnsLabel(namespace, false));
  },
  flocker,
  nfs: shared['nfs']!,
  rbd: shared['rbd']!,
  quobyte,
  cephfs: shared['cephfs']!,
  iscsi: iscsi('must be valid format', true),
  cinder: cinder('name', 'namespace'),
  fc: fibreChannel,
  flexVolume: flex,
  azureFile(source, path, findings) {
    shared['azureFile']!(source, path, findings);
    if (source.secretNamespace === '') findings.required(`${path}.secretNamespace`);
  },
  vsphereVolume: shared['vsphereVolume']!,
  photonPersistentDisk: shared['photonPersistentDisk']!,
  portworxVolume: shared['portworxVolume']!,
  azureDisk,
  scaleIO: shared['scaleIO']!,
  local(source, path, findings) {
    if (!source.path) findings.required(`${path}.path`);
    else validateNoBacksteps(source.path, `${path}.path`, findings);
  },
  storageos: storageOs('name', 'namespace'),
  csi(source, path, findings) {
    validateCsiDriverName(source.driver, `${path}.driver`, findings);
    if (!source.volumeHandle) findings.required(`${path}.volumeHandle`);
    for (const field of csiSecrets) {
      const secret = source[field];
      if (secret === undefined) continue;
      const at = `${path}.${field}`;
      if (!secret.name) findings.required(`${at}.name`);
      else findings.invalidEach(`${at}.name`, secret.name, isDns1123Subdomain(secret.name));
      if (!secret.namespace) findings.required(`${at}.namespace`);
      else findings.invalidEach(`${at}.namespace`, secret.namespace, isDns1123Label(secret.namespace));
    }
  },
};

const csiSecrets = [
  'controllerPublishSecretRef',
  'controllerExpandSecretRef',
  'nodePublishSecretRef',
  'nodeExpandSecretRef',
];

/** Where upstream's path is not the field's name. */
const paths: Record<string, string> = { gcePersistentDisk: 'persistentDisk' };
const pathsOfSecond: Record<string, string> = { cephfs: 'cephFS', downwardAPI: 'downwarAPI' };

/** The one kind of volume there is, by the validators' order; a second one is forbidden, none is too few. */
export function validateOneSource(
  volume: Record<string, any>,
  validators: Record<string, ValidateSource>,
  path: string,
  findings: Findings,
): void {
  let found = 0;
  for (const kind of Object.keys(validators)) {
    const source = volume[kind];
    if (source === undefined) continue;
    // Of persistent volumes, upstream looks at this one whatever came before it.
    const isFirst = found++ === 0 || (kind === 'flexVolume' && 'local' in validators);
    if (isFirst) validators[kind]!(source, `${path}.${paths[kind] ?? kind}`, findings);
    else findings.forbidden(`${path}.${pathsOfSecond[kind] ?? kind}`, 'may not specify more than 1 volume type');
  }
  if (found === 0) findings.required(path, 'must specify a volume type');
}
