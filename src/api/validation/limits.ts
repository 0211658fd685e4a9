import { runAtOnce, type Steps } from '../../base/steps.ts';
import { own } from '../../base/table.ts';
import { semanticEqual } from '../equality.ts';
import type { LimitRange, LimitRangeItem, ResourceQuota, ResourceQuotaSpec } from '../generated/core-v1.ts';
import { isQualifiedName } from '../names.ts';
import { compareQuantities, quantityNumber } from '../quantity.ts';
import { computeQuotaResources, standardQuotaResources } from '../resource-names.ts';
import type { Findings } from './findings.ts';
import { isStandardResource, validateContainerResourceName, validateQuantity } from './pods/resources.ts';

const scopes = new Set([
  'BestEffort',
  'CrossNamespacePodAffinity',
  'NotBestEffort',
  'NotTerminating',
  'PriorityClass',
  'Terminating',
  'VolumeAttributesClass',
]);
const podCompute = new Set(computeQuotaResources.filter((name) => !name.endsWith('ephemeral-storage')));
const alwaysExists = new Set([
  'BestEffort',
  'NotBestEffort',
  'Terminating',
  'NotTerminating',
  'CrossNamespacePodAffinity',
]);

function canScope(scope: string, name: string): boolean {
  if (scope === 'BestEffort') return name === 'pods';
  if (scope === 'VolumeAttributesClass') return name === 'persistentvolumeclaims' || name === 'requests.storage';
  return !scopes.has(scope) || name === 'pods' || podCompute.has(name);
}

/** So many are looked at between two looks at the clock. */
const resourcesAtOnce = 128;

function* validateQuotaResources(resources: Record<string, string> = {}, at: string, findings: Findings): Steps<void> {
  let count = 0;
  for (const name in resources) {
    if (++count % resourcesAtOnce === 0) yield;
    const path = `${at}[${name}]`;
    const wrong = isQualifiedName(name);
    findings.invalidEach(path, name, wrong);
    if (!name.includes('/') && !/^(requests\.)?hugepages-/.test(name)) {
      if (wrong.length === 0 && !isStandardResource(name)) {
        findings.invalid(path, name, 'must be a standard resource type or fully qualified');
      }
      if (!standardQuotaResources.has(name)) findings.invalid(path, name, 'must be a standard resource for quota');
    }
    validateQuantity(name, resources[name]!, path, findings);
  }
}

export function validateResourceQuotaStatus({ status }: ResourceQuota, _old: unknown, findings: Findings): void {
  runAtOnce(validateQuotaResources(status?.hard, 'status.hard', findings));
  runAtOnce(validateQuotaResources(status?.used, 'status.used', findings));
}

/** Source: ValidateResourceQuotaSpec. */
export function* validateResourceQuota({ spec }: ResourceQuota, findings: Findings): Steps<void> {
  if (spec === undefined) return;
  yield* validateQuotaResources(spec.hard, 'spec.hard', findings);
  const limited = Object.keys(spec.hard ?? {}).filter((name) => standardQuotaResources.has(name));
  for (const scope of spec.scopes ?? []) {
    if (!scopes.has(scope)) findings.invalid('spec.scopes', spec.scopes, 'unsupported scope');
    for (const name of limited) {
      if (!canScope(scope, name)) {
        findings.invalid('spec.scopes', spec.scopes, 'unsupported scope applied to resource');
      }
    }
  }
  refuseOpposites(spec.scopes ?? [], spec, findings);
  if (spec.scopeSelector !== undefined) validateScopeSelector(spec, limited, findings);
}

function validateScopeSelector(spec: ResourceQuotaSpec, limited: string[], findings: Findings): void {
  // Upstream leaves the index out.
  const path = 'spec.scopeSelector.matchExpressions';
  const expressions = spec.scopeSelector!.matchExpressions ?? [];
  for (const { scopeName = '', operator = '', values = [] } of expressions) {
    if (!scopes.has(scopeName)) findings.invalid(`${path}.scopeName`, scopeName, 'unsupported scope');
    for (const name of limited) {
      if (!canScope(scopeName, name)) {
        findings.invalid(path, spec.scopeSelector, 'unsupported scope applied to resource');
      }
    }
    if (alwaysExists.has(scopeName) && operator !== 'Exists') {
      findings.invalid(
        `${path}.operator`,
        operator,
        "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
      );
    }
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) {
        findings.required(
          `${path}.values`,
          "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        );
      }
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0) {
        findings.invalid(
          `${path}.values`,
          values,
          "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        );
      }
    } else findings.invalid(`${path}.operator`, operator, 'not a valid selector operator');
  }
  refuseOpposites(
    expressions.map(({ scopeName }) => scopeName),
    spec,
    findings,
  );
}

function refuseOpposites(given: string[], spec: ResourceQuotaSpec, findings: Findings): void {
  for (const [one, other] of [
    ['BestEffort', 'NotBestEffort'],
    ['Terminating', 'NotTerminating'],
  ] as const) {
    if (given.includes(one) && given.includes(other)) {
      findings.invalid('spec.scopes', spec.scopes, 'conflicting scopes');
    }
  }
}

export function* validateResourceQuotaUpdate(
  quota: ResourceQuota,
  old: ResourceQuota,
  findings: Findings,
): Steps<void> {
  yield* validateResourceQuota(quota, findings);
  const sorted = (list: string[] | undefined) => [...new Set(list)].sort();
  if (!semanticEqual(sorted(quota.spec?.scopes), sorted(old.spec?.scopes))) {
    findings.invalid('spec.scopes', quota.spec?.scopes ?? [], 'field is immutable');
  }
}

/** Source: ValidateLimitRange. */
export function validateLimitRange({ spec }: LimitRange, findings: Findings): void {
  const types = new Set<string>();
  spec?.limits?.forEach((limit, index) => {
    const path = `spec.limits[${index}]`;
    const type = limit.type ?? '';
    const wrong = isQualifiedName(type);
    findings.invalidEach(`${path}.type`, type, wrong);
    if (wrong.length === 0 && !type.includes('/') && !['Container', 'PersistentVolumeClaim', 'Pod'].includes(type)) {
      findings.invalid(`${path}.type`, type, 'must be a standard limit type or fully qualified');
    }
    if (types.has(type)) findings.duplicate(`${path}.type`, type);
    types.add(type);
    validateLimit({ ...limit, type }, path, findings);
  });
}

function validateLimit(limit: LimitRangeItem, path: string, findings: Findings): void {
  const isPod = limit.type === 'Pod';
  for (const field of ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const) {
    const list = limit[field];
    if (isPod && field.startsWith('default')) {
      if (Object.keys(list ?? {}).length > 0) {
        findings.forbidden(`${path}.${field}`, "may not be specified when `type` is 'Pod'");
      }
      continue;
    }
    for (const name in list) validateLimitName(limit.type, name, `${path}.${field}[${name}]`, findings);
  }
  if (
    limit.type === 'PersistentVolumeClaim' &&
    limit.min?.['storage'] === undefined &&
    limit.max?.['storage'] === undefined
  ) {
    findings.required(
      `${path}.limits`,
      'either minimum or maximum storage value is required, but neither was provided',
    );
  }
  const { min = {}, max = {}, maxLimitRequestRatio = {} } = limit;
  const defaults = isPod ? {} : (limit.default ?? {});
  const requests = isPod ? {} : (limit.defaultRequest ?? {});
  const names = new Set([min, max, defaults, requests, maxLimitRequestRatio].flatMap((list) => Object.keys(list)));
  for (const name of names) {
    const above = (low: string | undefined, high: string | undefined): boolean =>
      low !== undefined && high !== undefined && compareQuantities(low, high) > 0;
    const [least, most, byDefault, request] = [min, max, defaults, requests].map((list) => own(list, name));
    const tell = (field: string, value: string | undefined, message: string) =>
      findings.invalid(`${path}.${field}[${name}]`, value, message);
    if (above(least, most)) tell('min', least, `min value ${least} is greater than max value ${most}`);
    if (above(least, request)) {
      tell('defaultRequest', request, `min value ${least} is greater than default request value ${request}`);
    }
    if (above(request, most)) {
      tell('defaultRequest', request, `default request value ${request} is greater than max value ${most}`);
    }
    if (above(request, byDefault)) {
      tell(
        'defaultRequest',
        request,
        `default request value ${request} is greater than default limit value ${byDefault}`,
      );
    }
    if (above(least, byDefault)) {
      tell('default', least, `min value ${least} is greater than default value ${byDefault}`);
    }
    if (above(byDefault, most)) tell('default', most, `default value ${byDefault} is greater than max value ${most}`);
    const ratio = own(maxLimitRequestRatio, name);
    if (ratio !== undefined) {
      if (compareQuantities(ratio, 1) < 0) tell('maxLimitRequestRatio', ratio, `ratio ${ratio} is less than 1`);
      if (least !== undefined && most !== undefined) {
        const largest = quantityNumber(most) / quantityNumber(least);
        if (quantityNumber(ratio) > largest) {
          tell('maxLimitRequestRatio', ratio, `ratio ${ratio} is greater than max/min = ${largest.toFixed(6)}`);
        }
      }
    }
    const isFixed = name.startsWith('hugepages-') || (name.includes('/') && !name.includes('kubernetes.io/'));
    if (isFixed && byDefault !== undefined && request !== undefined && compareQuantities(byDefault, request) !== 0) {
      tell(
        'defaultRequest',
        request,
        `default value ${byDefault} must equal to defaultRequest value ${request} in ${name}`,
      );
    }
  }
}

function validateLimitName(type: string, name: string, path: string, findings: Findings): void {
  if (type === 'Pod' || type === 'Container') {
    validateContainerResourceName(name, path, findings);
    return;
  }
  const wrong = isQualifiedName(name);
  findings.invalidEach(path, name, wrong);
  if (wrong.length === 0 && !name.includes('/') && !isStandardResource(name)) {
    findings.invalid(path, name, 'must be a standard resource type or fully qualified');
  }
}
