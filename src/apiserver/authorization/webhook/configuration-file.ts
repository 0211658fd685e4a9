import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type { Program } from '../../../api/cel/program.ts';
import { isDns1123Subdomain } from '../../../api/names.ts';
import { Findings } from '../../../api/validation/findings.ts';
import { compileMatchCondition } from './match-conditions.ts';

/** One that is asked in its turn. Source: apiserver.config.k8s.io/v1 AuthorizationConfiguration. */
export type ConfiguredAuthorizer =
  | { type: 'Node' | 'RBAC' | 'AlwaysAllow' | 'AlwaysDeny'; name: string }
  | ConfiguredWebhook;

export interface ConfiguredWebhook {
  type: 'Webhook';
  name: string;
  kubeConfigFile: string;
  version: 'v1' | 'v1beta1';
  timeoutMs: number;
  authorizedTtlMs: number;
  unauthorizedTtlMs: number;
  failurePolicy: 'Deny' | 'NoOpinion';
  matchConditions: Program[];
}

const versions = ['apiserver.config.k8s.io/v1', 'apiserver.config.k8s.io/v1beta1', 'apiserver.config.k8s.io/v1alpha1'];
/** ABAC has no file here. */
const types = ['AlwaysAllow', 'AlwaysDeny', 'Node', 'RBAC', 'Webhook'];
const webhookFields = new Set([
  'authorizedTTL',
  'cacheAuthorizedRequests',
  'unauthorizedTTL',
  'cacheUnauthorizedRequests',
  'timeout',
  'subjectAccessReviewVersion',
  'matchConditionSubjectAccessReviewVersion',
  'failurePolicy',
  'connectionInfo',
  'matchConditions',
]);
const conditionsLimit = 64;

/** What `--authorization-config` names, checked. Throws an Error that says everything that is wrong with it. */
export function parseAuthorizationConfiguration(text: string): ConfiguredAuthorizer[] {
  const value = parseYaml(text) as Record<string, any> | null;
  if (typeof value !== 'object' || value === null) throw new Error('it is no AuthorizationConfiguration');
  const { kind, apiVersion, authorizers, ...unknown } = value;
  if (kind !== 'AuthorizationConfiguration' || !versions.includes(apiVersion)) {
    throw new Error(`it must be an AuthorizationConfiguration of ${versions[0]}`);
  }
  const findings = new Findings();
  for (const field of Object.keys(unknown)) findings.invalidWithoutValue(field, 'unknown field');
  const list: Record<string, any>[] = Array.isArray(authorizers) ? authorizers : [];
  if (list.length === 0) findings.required('authorizers', 'at least one authorization mode must be defined');
  const seenTypes = new Set<string>();
  const seenNames = new Set<string>();
  const configured: ConfiguredAuthorizer[] = [];
  for (const [index, authorizer] of list.entries()) {
    const at = `authorizers[${index}]`;
    const { type = '', name = '', webhook, ...more } = authorizer ?? {};
    for (const field of Object.keys(more)) findings.invalidWithoutValue(`${at}.${field}`, 'unknown field');
    if (type === '') {
      findings.required(`${at}.type`);
      continue;
    }
    if (!types.includes(type)) {
      findings.notSupported(`${at}.type`, type, types);
      continue;
    }
    if (seenTypes.has(type) && type !== 'Webhook') {
      findings.duplicate(`${at}.type`, type);
      continue;
    }
    seenTypes.add(type);
    const wrongName = isDns1123Subdomain(name);
    if (name === '') findings.required(`${at}.name`);
    else if (seenNames.has(name)) findings.duplicate(`${at}.name`, name);
    else if (wrongName.length > 0) {
      findings.invalid(`${at}.name`, name, `authorizer name is invalid: ${wrongName.join(', ')}`);
    }
    seenNames.add(name);
    if (type !== 'Webhook') {
      if (webhook != null) {
        findings.invalid(`${at}.webhook`, 'non-null', 'may only be specified when type=Webhook');
      }
      configured.push({ type, name });
    } else if (webhook == null) findings.required(`${at}.webhook`, 'required when type=Webhook');
    else configured.push(readWebhook(name, webhook, at, findings));
  }
  if (!findings.isEmpty) throw new Error(findings.list.map(({ field, message }) => `${field}: ${message}`).join(', '));
  return configured;
}

/** Paths are upstream's, which leave out `webhook`. */
function readWebhook(name: string, webhook: Record<string, any>, at: string, findings: Findings): ConfiguredWebhook {
  for (const field of Object.keys(webhook)) {
    if (!webhookFields.has(field)) findings.invalidWithoutValue(`${at}.webhook.${field}`, 'unknown field');
  }
  const timeoutMs = durationMs(webhook['timeout'] ?? '0s', `${at}.timeout`, findings);
  if (timeoutMs === 0) findings.required(`${at}.timeout`);
  else if (timeoutMs > 30_000 || timeoutMs < 0) {
    findings.invalid(`${at}.timeout`, webhook['timeout'], 'must be > 0s and <= 30s');
  }
  const ttlMs = (field: string, defaulted: string) => {
    const ms =
      durationMs(webhook[field] ?? defaulted, `${at}.${field}`, findings) || durationMs(defaulted, '', findings);
    if (ms < 0) findings.invalid(`${at}.${field}`, webhook[field], 'must be > 0s');
    return ms;
  };
  const authorizedTtlMs = ttlMs('authorizedTTL', '5m');
  const unauthorizedTtlMs = ttlMs('unauthorizedTTL', '30s');
  const { subjectAccessReviewVersion: version = '', failurePolicy = '', matchConditions = [] } = webhook;
  const { matchConditionSubjectAccessReviewVersion: conditionsVersion = '' } = webhook;
  if (version === '') findings.required(`${at}.subjectAccessReviewVersion`);
  else if (version !== 'v1' && version !== 'v1beta1') {
    findings.notSupported(`${at}.subjectAccessReviewVersion`, version, ['v1', 'v1beta1']);
  }
  const conditionsField = `${at}.matchConditionSubjectAccessReviewVersion`;
  if (conditionsVersion === '' && matchConditions.length > 0) {
    findings.required(conditionsField, 'required if match conditions are specified');
  } else if (conditionsVersion !== '' && conditionsVersion !== 'v1') {
    findings.notSupported(conditionsField, conditionsVersion, ['v1']);
  }
  if (failurePolicy === '') findings.required(`${at}.failurePolicy`);
  else if (failurePolicy !== 'NoOpinion' && failurePolicy !== 'Deny') {
    findings.notSupported(`${at}.failurePolicy`, failurePolicy, ['NoOpinion', 'Deny']);
  }
  const kubeConfigFile = connectionFile(webhook['connectionInfo'] ?? {}, `${at}.connectionInfo`, findings);
  return {
    type: 'Webhook',
    name,
    kubeConfigFile,
    version,
    timeoutMs,
    authorizedTtlMs: webhook['cacheAuthorizedRequests'] === false ? 0 : authorizedTtlMs,
    unauthorizedTtlMs: webhook['cacheUnauthorizedRequests'] === false ? 0 : unauthorizedTtlMs,
    failurePolicy,
    matchConditions: readConditions(matchConditions, at, findings),
  };
}

function connectionFile(
  { type = '', kubeConfigFile = '' }: Record<string, string>,
  at: string,
  findings: Findings,
): string {
  const field = `${at}.kubeConfigFile`;
  if (type === '') findings.required(`${at}.type`);
  else if (type === 'InClusterConfig') {
    findings.invalid(`${at}.type`, type, 'the control plane runs in no cluster: use KubeConfigFile');
  } else if (type !== 'KubeConfigFile')
    findings.notSupported(`${at}.type`, type, ['InClusterConfig', 'KubeConfigFile']);
  else if (kubeConfigFile === '') findings.required(field);
  else if (!isAbsolute(kubeConfigFile)) findings.invalid(field, kubeConfigFile, 'must be an absolute path');
  else {
    try {
      if (!statSync(kubeConfigFile).isFile()) findings.invalid(field, kubeConfigFile, 'must be a regular file');
    } catch {
      const why = `error loading file: stat ${kubeConfigFile}: no such file or directory`;
      findings.invalid(field, kubeConfigFile, why);
    }
  }
  return kubeConfigFile;
}

function readConditions(conditions: unknown, at: string, findings: Findings): Program[] {
  const list = Array.isArray(conditions) ? conditions : [];
  if (list.length > conditionsLimit) findings.tooMany(`${at}.matchConditions`, list.length, conditionsLimit);
  const seen = new Set<string>();
  const programs: Program[] = [];
  for (const [index, condition] of list.slice(0, conditionsLimit).entries()) {
    const field = `${at}.matchConditions[${index}].expression`;
    const expression = String(condition?.expression ?? '');
    if (expression.trim() === '') findings.required(field);
    else if (seen.has(expression)) findings.duplicate(field, expression);
    else {
      try {
        programs.push(compileMatchCondition(expression));
      } catch (error) {
        findings.invalid(field, expression, (error as Error).message);
      }
    }
    seen.add(expression);
  }
  return programs;
}

const units: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** As Go writes durations: `1m30s`, `-5s`. */
function durationMs(text: unknown, field: string, findings: Findings): number {
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(String(text));
  if (match === null && text !== '0') {
    findings.invalid(field, text, `time: invalid duration ${JSON.stringify(text)}`);
    return 1;
  }
  let total = 0;
  for (const [, count, unit] of String(text).matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(count) * units[unit!]!;
  }
  return match?.[1] === '-' ? -total : total;
}
