import { table } from '../../base/table.ts';
import { deepEqual, semanticEqual } from '../equality.ts';
import type { ConfigMap, Endpoints, Namespace, Node, Secret } from '../generated/core-v1.ts';
import {
  isConfigMapKey,
  isDns1123Label,
  isDns1123Subdomain,
  isLabelValue,
  isPortNumber,
  isQualifiedName,
} from '../names.ts';
import { TOKEN_SECRET_TYPE } from '../well-known.ts';
import type { Findings } from './findings.ts';
import { validateImmutable } from './metadata.ts';
import { addressFindings, cidrFindings, isCidr } from './networking/ip-address.ts';
import { validateEndpointIp } from './networking/service.ts';
import { validateQuantity } from './pods/resources.ts';
import { taintEffects } from './pods/scheduling.ts';

const MAX_BYTES = 1024 * 1024;
const IMMUTABLE_SET = 'field is immutable when `immutable` is set';

/** null: nothing, as Go reads it. */
const base64Bytes = (text: string | null): number => Math.floor(((text ?? '').replace(/=+$/, '').length * 3) / 4);

export function validateConfigMap({ data, binaryData }: ConfigMap, findings: Findings): void {
  let bytes = 0;
  for (const key in data) {
    findings.invalidEach(`data[${key}]`, key, isConfigMapKey(key));
    if (binaryData !== undefined && Object.hasOwn(binaryData, key)) {
      findings.invalid(`data[${key}]`, key, 'duplicate of key present in binaryData');
    }
    bytes += Buffer.byteLength(data[key]!);
  }
  for (const key in binaryData) {
    findings.invalidEach(`binaryData[${key}]`, key, isConfigMapKey(key));
    bytes += base64Bytes(binaryData[key]!);
  }
  if (bytes > MAX_BYTES) findings.tooLong('[]', MAX_BYTES);
}

export function validateConfigMapUpdate(configMap: ConfigMap, old: ConfigMap, findings: Findings): void {
  validateImmutableData(configMap, old, ['data', 'binaryData'], findings);
  validateConfigMap(configMap, findings);
}

function validateImmutableData(object: any, old: any, fields: string[], findings: Findings): void {
  if (old.immutable !== true) return;
  if (object.immutable !== true) findings.forbidden('immutable', IMMUTABLE_SET);
  for (const field of fields) {
    if (!deepEqual(object[field], old[field])) findings.forbidden(field, IMMUTABLE_SET);
  }
}

/** Keys that a type of secret must hold. */
const requiredSecretKeys = table<string[]>({
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
});

export function validateSecret({ type = '', data = {}, metadata }: Secret, findings: Findings): void {
  let bytes = 0;
  for (const key in data) {
    findings.invalidEach(`data[${key}]`, key, isConfigMapKey(key));
    bytes += base64Bytes(data[key]!);
  }
  if (bytes > MAX_BYTES) findings.tooLong('data', MAX_BYTES);
  for (const key of requiredSecretKeys[type] ?? []) {
    const value = data[key];
    if (value === undefined || (value === '' && type === 'kubernetes.io/ssh-auth')) findings.required(`data[${key}]`);
    else if (key.startsWith('.dockerc')) validateDockerConfig(value, `data[${key}]`, findings);
  }
  if (type === 'kubernetes.io/basic-auth' && data['username'] === undefined && data['password'] === undefined) {
    findings.required('data[username]');
    findings.required('data[password]');
  }
  if (type === TOKEN_SECRET_TYPE && !metadata.annotations?.['kubernetes.io/service-account.name']) {
    findings.required('metadata.annotations[kubernetes.io/service-account.name]');
  }
}

function validateDockerConfig(base64: string, path: string, findings: Findings): void {
  try {
    JSON.parse(Buffer.from(base64, 'base64').toString());
  } catch {
    const why = base64 === '' ? 'unexpected end of JSON input' : 'invalid character in JSON document';
    findings.invalid(path, '<secret contents redacted>', why);
  }
}

export function validateSecretUpdate(secret: Secret, old: Secret, findings: Findings): void {
  validateImmutable(secret.type, old.type, 'type', findings);
  validateImmutableData(secret, old, ['data'], findings);
  validateSecret(secret, findings);
}

export function validateNamespace({ spec }: Namespace, findings: Findings): void {
  validateNamespaceFinalizers(spec, () => 'spec.finalizers', findings);
}

/** Writes to `finalize`, of which each finding says which it is. */
export function validateNamespaceFinalize({ spec }: Namespace, findings: Findings): void {
  validateNamespaceFinalizers(spec, (index) => `spec.finalizers[${index}]`, findings);
}

function validateNamespaceFinalizers(
  spec: Namespace['spec'],
  pathOf: (index: number) => string,
  findings: Findings,
): void {
  spec?.finalizers?.forEach((finalizer, index) => {
    const path = pathOf(index);
    findings.invalidEach(path, finalizer, isQualifiedName(finalizer));
    if (!finalizer.includes('/') && !['kubernetes', 'orphan', 'foregroundDeletion'].includes(finalizer)) {
      findings.invalid(path, finalizer, 'name is neither a standard finalizer name nor is it fully qualified');
    }
  });
}

export function validateNamespaceStatus({ metadata, status }: Namespace, findings: Findings): void {
  if (metadata.deletionTimestamp === undefined && status?.phase !== 'Active') {
    findings.invalid('status.Phase', status?.phase ?? '', "may only be 'Active' if `deletionTimestamp` is empty");
  }
  if (metadata.deletionTimestamp !== undefined && status?.phase !== 'Terminating') {
    findings.invalid(
      'status.Phase',
      status?.phase ?? '',
      "may only be 'Terminating' if `deletionTimestamp` is not empty",
    );
  }
}

export function validateNode({ spec, status }: Node, findings: Findings): void {
  const seen = new Set<string>();
  spec?.taints?.forEach((taint, index) => {
    // Upstream looks for them in metadata.
    const path = `metadata.taints[${index}]`;
    const { key = '', value = '', effect } = taint;
    findings.invalidEach(`${path}.key`, key, isQualifiedName(key));
    const details = isLabelValue(value);
    if (details.length > 0) findings.invalid(`${path}.value`, value, details.join(';'));
    findings.oneOf(effect, `${path}.effect`, taintEffects);
    const pair = `${key}:${effect}`;
    if (seen.has(pair)) findings.duplicate(path, taint, 'taints must be unique by key and effect pair');
    seen.add(pair);
  });
  spec?.podCIDRs?.forEach((cidr, index) => {
    findings.invalidEach(`spec.podCIDRs[${index}]`, cidr, cidrFindings(cidr));
  });
  const families = (spec?.podCIDRs ?? []).filter(isCidr).map((cidr) => (cidr.includes(':') ? 6 : 4));
  if (new Set(families).size < families.length) {
    findings.invalid('spec.podCIDRs', spec!.podCIDRs, 'may specify no more than one CIDR for each IP family');
  }
  validateNodeResources(status, findings);
}

function validateNodeResources(status: Node['status'], findings: Findings): void {
  for (const list of ['capacity', 'allocatable'] as const) {
    const quantities = status?.[list] ?? {};
    for (const name in quantities) validateQuantity(name, quantities[name]!, `status.${list}.${name}`, findings);
  }
  validateDeclaredFeatures(status?.declaredFeatures ?? [], findings);
}

const longestFeature = 253;
const featureName = /^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$/;
const FEATURE_FORM =
  "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes";

/** What the kubelet knows: names, each once, in their order. */
function validateDeclaredFeatures(features: string[], findings: Findings): void {
  const path = 'status.declaredFeatures';
  for (const [index, feature] of features.entries()) {
    const isLong = Buffer.byteLength(feature) > longestFeature;
    if (isLong || !featureName.test(feature)) {
      const why = isLong ? `must be no more than ${longestFeature} characters` : FEATURE_FORM;
      findings.invalid(`${path}[${index}]`, feature, `invalid feature name ${JSON.stringify(feature)}: ${why}`);
    }
    const next = features[index + 1];
    if (next === undefined) continue;
    if (next === feature) findings.duplicate(`${path}[${index + 1}]`, next);
    else if (feature > next) findings.invalid(`${path}[${index + 1}]`, next, 'list must be sorted alphabetically');
  }
}

export function validateNodeStatusUpdate({ status }: Node, _old: Node, findings: Findings): void {
  validateNodeResources(status, findings);
  const seen = new Set<string>();
  status?.addresses?.forEach((address, index) => {
    const key = `${address.type}/${address.address}`;
    if (seen.has(key)) findings.duplicate(`status.addresses[${index}]`, address);
    seen.add(key);
  });
}

export function validateNodeUpdate(node: Node, old: Node, findings: Findings): void {
  validateNode(node, findings);
  if (old.spec?.podCIDRs?.length && !semanticEqual(node.spec?.podCIDRs, old.spec.podCIDRs)) {
    findings.forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid');
  }
  if (old.spec?.providerID && old.spec.providerID !== node.spec?.providerID) {
    findings.forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid');
  }
}

export function validateEndpoints({ subsets }: Endpoints, findings: Findings): void {
  subsets?.forEach((subset, index) => {
    const path = `subsets[${index}]`;
    if (!subset.addresses?.length && !subset.notReadyAddresses?.length) {
      findings.required(path, 'must specify `addresses` or `notReadyAddresses`');
    }
    for (const list of ['addresses', 'notReadyAddresses'] as const) {
      subset[list]?.forEach(({ ip = '', hostname, nodeName }, i) => {
        const at = `${path}.${list}[${i}]`;
        findings.invalidEach(`${at}.ip`, ip, addressFindings(ip));
        validateEndpointIp(ip, `${at}.ip`, findings);
        if (hostname) findings.invalidEach(`${at}.hostname`, hostname, isDns1123Label(hostname));
        if (nodeName !== undefined) findings.invalidEach(`${at}.nodeName`, nodeName, isDns1123Subdomain(nodeName));
      });
    }
    subset.ports?.forEach((port, i) => {
      const at = `${path}.ports[${i}]`;
      if (!port.name && subset.ports!.length > 1) findings.required(`${at}.name`);
      if (port.name) findings.invalidEach(`${at}.name`, port.name, isDns1123Label(port.name));
      if (port.appProtocol !== undefined) {
        findings.invalidEach(`${at}.appProtocol`, port.appProtocol, isQualifiedName(port.appProtocol));
      }
      findings.invalidEach(`${at}.port`, port.port, isPortNumber(port.port));
      findings.oneOf(port.protocol, `${at}.protocol`, ['SCTP', 'TCP', 'UDP']);
    });
  });
}
