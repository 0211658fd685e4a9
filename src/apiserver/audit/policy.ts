import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import type { Attributes } from '../authorization/attributes.ts';
import type { Identity } from '../identity/identity.ts';

export type AuditLevel = 'None' | 'Metadata' | 'Request' | 'RequestResponse';
export type AuditStage = 'RequestReceived' | 'ResponseStarted' | 'ResponseComplete' | 'Panic';

export const auditLevels: AuditLevel[] = ['None', 'Metadata', 'Request', 'RequestResponse'];
const auditStages: AuditStage[] = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'];

interface PolicyRule {
  level: AuditLevel;
  users?: string[];
  userGroups?: string[];
  verbs?: string[];
  resources?: { group?: string; resources?: string[]; resourceNames?: string[] }[];
  namespaces?: string[];
  nonResourceURLs?: string[];
  omitStages?: AuditStage[];
  omitManagedFields?: boolean;
}

/** audit.k8s.io/v1 Policy. */
export interface AuditPolicy {
  rules: PolicyRule[];
  omitStages?: AuditStage[];
  omitManagedFields?: boolean;
}

/** What is recorded of one request. */
export interface AuditConfiguration {
  level: AuditLevel;
  omitStages: ReadonlySet<AuditStage>;
  omitManagedFields: boolean;
}

/** The policy of a file; throws an Error that says everything that is wrong with it in one line. */
export function loadPolicy(file: string): AuditPolicy {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`the audit policy cannot be read: ${(error as Error).message}`);
  }
  let policy: any;
  try {
    policy = parseYaml(text);
  } catch (error) {
    throw new Error(`the audit policy ${file} is no YAML: ${(error as Error).message}`);
  }
  const problems = validatePolicy(policy);
  if (problems.length > 0) throw new Error(`the audit policy ${file} is invalid: ${problems.join('; ')}`);
  return policy;
}

/** Source: apiserver/pkg/apis/audit/validation. */
export function validatePolicy(policy: any): string[] {
  if (policy?.kind !== 'Policy' || policy?.apiVersion !== 'audit.k8s.io/v1') {
    return ['it must be a Policy of audit.k8s.io/v1'];
  }
  if (!Array.isArray(policy.rules) || policy.rules.length === 0) return ['loaded illegal policy with 0 rules'];
  const problems = stageProblems(policy.omitStages, 'omitStages');
  for (const [index, rule] of policy.rules.entries()) {
    const at = `rules[${index}]`;
    if (!auditLevels.includes(rule?.level)) {
      problems.push(
        `${at}.level: ${rule?.level ? `Unsupported value: ${JSON.stringify(rule.level)}` : 'Required value'}`,
      );
    }
    problems.push(...stageProblems(rule?.omitStages, `${at}.omitStages`));
    for (const field of ['users', 'userGroups', 'verbs', 'namespaces', 'resources', 'nonResourceURLs']) {
      if (rule?.[field] != null && !Array.isArray(rule[field])) problems.push(`${at}.${field}: must be a list`);
    }
    if (problems.length > 0) continue;
    if (rule.nonResourceURLs?.length > 0 && (rule.resources?.length > 0 || rule.namespaces?.length > 0)) {
      problems.push(`${at}.nonResourceURLs: rules cannot apply to both regular resources and non-resource URLs`);
    }
    for (const [place, url] of (rule.nonResourceURLs ?? []).entries()) {
      const field = `${at}.nonResourceURLs[${place}]: Invalid value: ${JSON.stringify(url)}`;
      if (url !== '*' && !String(url).startsWith('/')) {
        problems.push(`${field}: non-resource URL rules must begin with a '/' character`);
      }
      if (String(url).slice(0, -1).includes('*')) {
        problems.push(`${field}: non-resource URL wildcards '*' must be the final character of the rule`);
      }
    }
    for (const [place, resource] of (rule.resources ?? []).entries()) {
      if (resource?.resourceNames?.length > 0 && !(resource.resources?.length > 0)) {
        problems.push(`${at}.resources[${place}].resourceNames: using resourceNames requires at least one resource`);
      }
    }
  }
  return problems;
}

function stageProblems(stages: unknown, field: string): string[] {
  if (stages == null) return [];
  if (!Array.isArray(stages)) return [`${field}: must be a list`];
  return stages
    .filter((stage) => !auditStages.includes(stage))
    .map((stage) => `${field}: Invalid value: ${JSON.stringify(stage)}: allowed stages are ${auditStages.join(',')}`);
}

/** The first rule that matches says what is recorded. Source: apiserver/pkg/audit/policy/checker.go. */
export class PolicyEvaluator {
  readonly #rules: { rule: PolicyRule; configuration: AuditConfiguration }[];
  readonly #nothing: AuditConfiguration;

  constructor(policy: AuditPolicy) {
    const configure = (level: AuditLevel, stages: AuditStage[] = [], omitManagedFields = policy.omitManagedFields) => ({
      level,
      omitStages: new Set([...(policy.omitStages ?? []), ...stages]),
      omitManagedFields: omitManagedFields === true,
    });
    this.#rules = policy.rules.map((rule) => ({
      rule,
      configuration: configure(rule.level, rule.omitStages, rule.omitManagedFields ?? undefined),
    }));
    this.#nothing = configure('None');
  }

  evaluate(identity: Identity, attributes: Attributes): AuditConfiguration {
    const found = this.#rules.find(({ rule }) => matches(rule, identity, attributes));
    return found?.configuration ?? this.#nothing;
  }
}

const present = (list: unknown[] | undefined | null): boolean => list != null && list.length > 0;

function matches(rule: PolicyRule, identity: Identity, attributes: Attributes): boolean {
  if (present(rule.users) && !rule.users!.includes(identity.name)) return false;
  if (present(rule.userGroups) && !identity.groups.some((group) => rule.userGroups!.includes(group))) return false;
  if (present(rule.verbs) && !rule.verbs!.includes(attributes.verb)) return false;
  if (present(rule.namespaces) || present(rule.resources)) return matchesResource(rule, attributes);
  if (present(rule.nonResourceURLs)) return matchesPath(rule.nonResourceURLs!, attributes);
  return true;
}

function matchesPath(urls: string[], { isResourceRequest, path }: Attributes): boolean {
  if (isResourceRequest) return false;
  return urls.some(
    (url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.replace(/\*+$/, ''))),
  );
}

function matchesResource(rule: PolicyRule, attributes: Attributes): boolean {
  const { isResourceRequest, namespace, group, resource, subresource, name } = attributes;
  if (!isResourceRequest) return false;
  if (present(rule.namespaces) && !rule.namespaces!.includes(namespace)) return false;
  if (!present(rule.resources)) return true;
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  return rule.resources!.some((one) => {
    const ruleGroup = one.group ?? '';
    if (ruleGroup !== group && ruleGroup !== '*') return false;
    if (!present(one.resources)) return true;
    if (present(one.resourceNames) && !one.resourceNames!.includes(name)) return false;
    return one.resources!.some(
      (asked) =>
        asked === combined ||
        asked === '*' ||
        (subresource !== '' && asked === `*/${subresource}`) ||
        asked === `${resource}/*`,
    );
  });
}
