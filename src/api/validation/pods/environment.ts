import type { Steps } from '../../../base/steps.ts';
import type { EnvFromSource, EnvVar, ObjectFieldSelector, ResourceFieldSelector } from '../../generated/core-v1.ts';
import {
  isConfigMapKey,
  isDns1123Label,
  isEnvironmentVariableName,
  isQualifiedName,
  nameIsDnsSubdomain,
} from '../../names.ts';
import type { Findings } from '../findings.ts';

const variablesAtOnce = 256;

const environmentFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
export const volumeFields = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];
const resourceFields = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const downwardLabels = new Set([
  ...environmentFields,
  ...volumeFields,
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
]);

export function* validateEnvironment(variables: EnvVar[], path: string, findings: Findings): Steps<void> {
  for (let i = 0; i < variables.length; i++) {
    if (i % variablesAtOnce === variablesAtOnce - 1) yield;
    const variable = variables[i]!;
    if (!variable.name) findings.required(`${path}[${i}].name`);
    else {
      const details = isEnvironmentVariableName(variable.name);
      if (details.length > 0) findings.invalidEach(`${path}[${i}].name`, variable.name, details);
    }
    if (variable.valueFrom !== undefined) validateValueFrom(variable, `${path}[${i}].valueFrom`, findings);
  }
}

function validateValueFrom({ value, valueFrom }: EnvVar, path: string, findings: Findings): void {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom!;
  let sources = 0;
  if (fieldRef !== undefined) {
    sources++;
    validateFieldReference(fieldRef, environmentFields, `${path}.fieldRef`, findings);
  }
  if (resourceFieldRef !== undefined) {
    sources++;
    validateResourceFieldReference(resourceFieldRef, `${path}.resourceFieldRef`, false, findings);
  }
  for (const [field, reference] of [
    ['configMapKeyRef', configMapKeyRef],
    ['secretKeyRef', secretKeyRef],
  ] as const) {
    if (reference === undefined) continue;
    sources++;
    const name = reference.name ?? '';
    findings.invalidEach(`${path}.${field}.name`, name, nameIsDnsSubdomain(name, false));
    if (!reference.key) findings.required(`${path}.${field}.key`);
    else findings.invalidEach(`${path}.${field}.key`, reference.key, isConfigMapKey(reference.key));
  }
  if (fileKeyRef !== undefined) {
    sources++;
    const { key, volumeName, path: file } = fileKeyRef;
    const at = `${path}.fileKeyRef`;
    if (!key) findings.required(`${at}.key`);
    else findings.invalidEach(`${at}.key`, key, isEnvironmentVariableName(key));
    if (!volumeName) findings.required(`${at}.volumeName`);
    else findings.invalidEach(`${at}.volumeName`, volumeName, isDns1123Label(volumeName));
    if (!file) findings.required(`${at}.path`);
    else if (file.split('/').includes('..')) findings.invalid(`${at}.path`, file, "must not contain '..'");
  }
  if (sources === 0) {
    findings.invalid(
      path,
      '',
      'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
    );
  } else if (value) findings.invalid(path, '', 'may not be specified when `value` is not empty');
  else if (sources > 1) findings.invalid(path, '', 'may not have more than one field specified at a time');
}

export function validateFieldReference(
  { apiVersion, fieldPath }: ObjectFieldSelector,
  fields: string[],
  path: string,
  findings: Findings,
): void {
  if (!apiVersion) {
    findings.required(`${path}.apiVersion`);
    return;
  }
  if (!fieldPath) {
    findings.required(`${path}.fieldPath`);
    return;
  }
  const subscript = /^(.*)\['(.*)'\]$/s.exec(fieldPath);
  const field = subscript?.[1] ?? fieldPath;
  if (apiVersion !== 'v1') {
    findings.invalid(
      `${path}.fieldPath`,
      fieldPath,
      `error converting fieldPath: unsupported pod version: ${apiVersion}`,
    );
    return;
  }
  if (subscript !== null) {
    if (field === 'metadata.annotations')
      findings.invalidEach(path, subscript[2], isQualifiedName(subscript[2]!.toLowerCase()));
    else if (field === 'metadata.labels') findings.invalidEach(path, subscript[2], isQualifiedName(subscript[2]!));
    else if (downwardLabels.has(field)) findings.invalid(path, field, 'does not support subscript');
    else
      findings.invalid(
        `${path}.fieldPath`,
        fieldPath,
        `error converting fieldPath: field label not supported: ${fieldPath}`,
      );
  } else if (!downwardLabels.has(field) && field !== 'spec.host') {
    findings.invalid(
      `${path}.fieldPath`,
      fieldPath,
      `error converting fieldPath: field label not supported: ${fieldPath}`,
    );
  } else if (!fields.includes(field)) {
    findings.notSupported(`${path}.fieldPath`, field, fields);
  }
}

const isWholeUnit = (divisor: string): boolean => /^1([kMGTPE]i?|Ki)?$/.test(divisor);

export function validateResourceFieldReference(
  { containerName, resource, divisor }: ResourceFieldSelector,
  path: string,
  inVolume: boolean,
  findings: Findings,
): void {
  if (inVolume && !containerName) findings.required(`${path}.containerName`);
  else if (!resource) findings.required(`${path}.resource`);
  else if (!resourceFields.includes(resource) && !/^(requests|limits)\.hugepages-/.test(resource)) {
    findings.notSupported(`${path}.resource`, resource, resourceFields);
  }
  if (divisor === undefined || divisor === '0') return;
  if (/\.cpu$/.test(resource) && divisor !== '1' && divisor !== '1m') {
    findings.invalid(`${path}.divisor`, resource, "only divisor's values 1m and 1 are supported with the cpu resource");
  } else if (/\.(memory|ephemeral-storage)$/.test(resource) && !isWholeUnit(divisor)) {
    const what = resource.endsWith('memory') ? 'memory' : 'local ephemeral storage';
    findings.invalid(
      `${path}.divisor`,
      resource,
      `only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the ${what} resource`,
    );
  }
}

export function validateEnvironmentSources(
  sources: EnvFromSource[] | undefined,
  path: string,
  findings: Findings,
): void {
  sources?.forEach(({ prefix, configMapRef, secretRef }, index) => {
    if (prefix) findings.invalidEach(`${path}[${index}].prefix`, prefix, isEnvironmentVariableName(prefix));
    for (const [field, reference] of [
      ['configMapRef', configMapRef],
      ['secretRef', secretRef],
    ] as const) {
      if (reference === undefined) continue;
      const at = `${path}[${index}].${field}.name`;
      if (!reference.name) findings.required(at);
      else findings.invalidEach(at, reference.name, nameIsDnsSubdomain(reference.name, true));
    }
    if (configMapRef === undefined && secretRef === undefined) {
      findings.invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`');
    } else if (configMapRef !== undefined && secretRef !== undefined) {
      findings.invalid(path, '', 'may not have more than one field specified at a time');
    }
  });
}
