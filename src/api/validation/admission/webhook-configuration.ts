import type { Steps } from '../../../base/steps.ts';
import { type AdmissionNames, compileAdmissionExpression } from '../../cel/admission.ts';
import { boolType } from '../../cel/types.ts';
import { deepEqual } from '../../equality.ts';
import type {
  MatchCondition,
  MutatingWebhook,
  RuleWithOperations,
  ValidatingWebhook,
} from '../../generated/admissionregistration-v1.ts';
import { isDns1035Label, isDns1123Subdomain, isQualifiedName } from '../../names.ts';
import type { Findings } from '../findings.ts';
import { validateLabelSelector } from '../metadata.ts';
import { validateClientConfig } from './client-config.ts';

/** What an update is not held to, because the old state was not either. */
interface Lenience {
  matchConditionsUnchanged: boolean;
  anySideEffects: boolean;
  anyReviewVersions: boolean;
  repeatedNames: boolean;
}

type Webhook = MutatingWebhook & ValidatingWebhook;
const strict: Lenience = {
  matchConditionsUnchanged: false,
  anySideEffects: false,
  anyReviewVersions: false,
  repeatedNames: false,
};
const reviewVersions = ['v1', 'v1beta1'];
const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const withoutSideEffects = ['None', 'NoneOnDryRun'];
const sideEffects = ['None', 'NoneOnDryRun', 'Some', 'Unknown'];

/** Mutating and validating ones alike. Source: apis/admissionregistration/validation upstream. */
export function* validateWebhookConfiguration(object: any, findings: Findings): Steps<void> {
  yield* validateWebhooks(object.webhooks ?? [], strict, findings);
}

export function* validateWebhookConfigurationUpdate(object: any, old: any, findings: Findings): Steps<void> {
  const before: Webhook[] = old.webhooks ?? [];
  const now: Webhook[] = object.webhooks ?? [];
  yield* validateWebhooks(
    now,
    {
      matchConditionsUnchanged:
        now.length === before.length &&
        now.every(({ matchConditions = [] }, index) =>
          deepEqual(matchConditions, before[index]!.matchConditions ?? []),
        ),
      anySideEffects: before.some((webhook) => !withoutSideEffects.includes(webhook.sideEffects)),
      anyReviewVersions: before.some(
        ({ admissionReviewVersions: versions = [] }) =>
          versions.length > 0 && !versions.some((version) => reviewVersions.includes(version)),
      ),
      repeatedNames: new Set(before.map(({ name }) => name)).size < before.length,
    },
    findings,
  );
}

function* validateWebhooks(webhooks: Webhook[], lenience: Lenience, findings: Findings): Steps<void> {
  const names = new Set<string>();
  for (const [index, webhook] of webhooks.entries()) {
    yield;
    const path = `webhooks[${index}]`;
    yield* validateWebhook(webhook, lenience, path, findings);
    validateReviewVersions(
      webhook.admissionReviewVersions ?? [],
      lenience,
      `${path}.admissionReviewVersions`,
      findings,
    );
    if (!lenience.repeatedNames && names.has(webhook.name)) findings.duplicate(`${path}.name`, webhook.name);
    if (webhook.name) names.add(webhook.name);
  }
}

function* validateWebhook(webhook: Webhook, lenience: Lenience, path: string, findings: Findings): Steps<void> {
  validateFullName(webhook.name, `${path}.name`, findings);
  for (const [index, rule] of (webhook.rules ?? []).entries()) {
    validateRuleWithOperations(rule, `${path}.rules[${index}]`, findings);
    if (index % 64 === 63) yield;
  }
  findings.optionalOneOf(webhook.failurePolicy, `${path}.failurePolicy`, ['Fail', 'Ignore']);
  findings.optionalOneOf(webhook.matchPolicy, `${path}.matchPolicy`, ['Equivalent', 'Exact']);
  const allowed = lenience.anySideEffects ? sideEffects : withoutSideEffects;
  if (webhook.sideEffects === undefined || webhook.sideEffects === null) {
    findings.required(`${path}.sideEffects`, `must specify one of ${allowed.join(', ')}`);
  } else findings.optionalOneOf(webhook.sideEffects, `${path}.sideEffects`, allowed);
  const { timeoutSeconds } = webhook;
  if (timeoutSeconds !== undefined && (timeoutSeconds > 30 || timeoutSeconds < 1)) {
    findings.invalid(`${path}.timeoutSeconds`, timeoutSeconds, 'the timeout value must be between 1 and 30 seconds');
  }
  validateLabelSelector(webhook.namespaceSelector, `${path}.namespaceSelector`, findings);
  validateLabelSelector(webhook.objectSelector, `${path}.objectSelector`, findings);
  findings.optionalOneOf(webhook.reinvocationPolicy, `${path}.reinvocationPolicy`, ['IfNeeded', 'Never']);
  validateClientConfig(webhook.clientConfig ?? {}, `${path}.clientConfig`, findings);
  if (!lenience.matchConditionsUnchanged) {
    yield* validateMatchConditions(webhook.matchConditions ?? [], `${path}.matchConditions`, findings);
  }
}

function validateFullName(name: string | undefined, path: string, findings: Findings): void {
  if (!name) {
    findings.required(path);
    return;
  }
  const errors = isDns1123Subdomain(name);
  if (errors.length > 0) findings.invalid(path, name, errors.join(','));
  else if (name.split('.').length < 3) {
    findings.invalid(path, name, 'should be a domain with at least three segments separated by dots');
  }
}

function validateReviewVersions(versions: string[], lenience: Lenience, path: string, findings: Findings): void {
  if (versions.length === 0) {
    findings.required(path, `must specify one of ${reviewVersions.join(', ')}`);
    return;
  }
  const seen = new Set<string>();
  versions.forEach((version, index) => {
    if (seen.size === seen.add(version).size) findings.invalid(`${path}[${index}]`, version, 'duplicate version');
    else findings.invalidEach(`${path}[${index}]`, version, isDns1035Label(version));
  });
  if (!lenience.anyReviewVersions && !versions.some((version) => reviewVersions.includes(version))) {
    findings.invalid(path, versions, `must include at least one of ${reviewVersions.join(', ')}`);
  }
}

const matchConditionsLimit = 64;

/** Expressions of webhooks have the authorizer and no parameters. */
export function* validateMatchConditions(
  conditions: MatchCondition[],
  path: string,
  findings: Findings,
  expressionNames: AdmissionNames = { authorizer: true },
): Steps<void> {
  if (conditions.length > matchConditionsLimit) findings.tooMany(path, conditions.length, matchConditionsLimit);
  const names = new Set<string>();
  for (const [index, { name, expression }] of conditions.entries()) {
    yield;
    const at = `${path}[${index}]`;
    const trimmed = (expression ?? '').trim();
    if (trimmed === '') findings.required(`${at}.expression`);
    else {
      try {
        compileAdmissionExpression(trimmed, expressionNames, [boolType]);
      } catch (error) {
        findings.invalid(`${at}.expression`, trimmed, (error as Error).message);
      }
    }
    if (!name) findings.required(`${at}.name`);
    else {
      findings.invalidEach(`${at}.name`, name, isQualifiedName(name));
      if (names.has(name)) findings.duplicate(`${at}.name`, name);
      names.add(name);
    }
  }
}

export function validateRuleWithOperations(rule: RuleWithOperations, path: string, findings: Findings): void {
  const asked = rule.operations ?? [];
  if (asked.length === 0) findings.required(`${path}.operations`);
  if (asked.length > 1 && asked.includes('*')) {
    findings.invalid(`${path}.operations`, asked, "if '*' is present, must not specify other operations");
  }
  asked.forEach((operation, index) => {
    if (!operations.includes(operation)) findings.notSupported(`${path}.operations[${index}]`, operation, operations);
  });
  const { apiGroups = [], apiVersions = [], resources = [], scope } = rule;
  if (apiGroups.length === 0) findings.required(`${path}.apiGroups`);
  if (apiGroups.length > 1 && apiGroups.includes('*')) {
    findings.invalid(`${path}.apiGroups`, apiGroups, "if '*' is present, must not specify other API groups");
  }
  if (apiVersions.length === 0) findings.required(`${path}.apiVersions`);
  if (apiVersions.length > 1 && apiVersions.includes('*')) {
    findings.invalid(`${path}.apiVersions`, apiVersions, "if '*' is present, must not specify other API versions");
  }
  apiVersions.forEach((version, index) => {
    if (version === '') findings.required(`${path}.apiVersions[${index}]`);
  });
  validateResources(resources, `${path}.resources`, findings);
  findings.optionalOneOf(scope, `${path}.scope`, ['*', 'Cluster', 'Namespaced']);
}

function validateResources(resources: string[], path: string, findings: Findings): void {
  if (resources.length === 0) findings.required(path);
  const withAnySubresource = new Set<string>();
  const ofAnyResource = new Set<string>();
  let lastIsBare = false;
  resources.forEach((text, index) => {
    const at = `${path}[${index}]`;
    if (text === '') {
      findings.required(at);
      return;
    }
    const slash = text.indexOf('/');
    if (slash < 0) {
      lastIsBare = text !== '*';
      return;
    }
    const resource = text.slice(0, slash);
    const subresource = text.slice(slash + 1);
    if (withAnySubresource.has(resource)) {
      findings.invalid(at, text, `if '${resource}/*' is present, must not specify ${text}`);
    }
    if (ofAnyResource.has(subresource)) {
      findings.invalid(at, text, `if '*/${subresource}' is present, must not specify ${text}`);
    }
    if (subresource === '*') withAnySubresource.add(resource);
    if (resource === '*') ofAnyResource.add(subresource);
  });
  if (resources.length > 1 && resources.includes('*/*')) {
    findings.invalid(path, resources, "if '*/*' is present, must not specify other resources");
  }
  if (resources.includes('*') && lastIsBare) {
    findings.invalid(path, resources, "if '*' is present, must not specify other resources without subresources");
  }
}
