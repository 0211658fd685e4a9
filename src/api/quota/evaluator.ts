import type { ResourceQuota, ScopedResourceSelectorRequirement } from '../generated/core-v1.ts';
import type { GroupResource, KubeObject } from '../object.ts';
import { qualifiedResource } from '../status.ts';
import { addTo, type ResourceList } from './resource-list.ts';

/** What is asked of admission, as far as quota cares. */
export interface QuotaOperation {
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  subresource: string;
  object?: KubeObject;
  oldObject?: KubeObject;
}

/** How objects of one resource count. Source: apiserver's quota/v1 Evaluator. */
export interface QuotaEvaluator {
  /** Whether the operation may change what is used. */
  handles(operation: QuotaOperation): boolean;
  /** Which of the names are this resource's. */
  isMine(resourceName: string): boolean;
  matchesScope?(selector: ScopedResourceSelectorRequirement, object: KubeObject): boolean;
  /** What the object must say because these names are limited: the refusal, or undefined. */
  missing?(limited: string[], object: KubeObject): string | undefined;
  usage(object: KubeObject, nowMs: number): ResourceList;
}

/** Old names of counts, kept beside `count/…`. */
const aliases: Record<string, string> = {
  configmaps: 'configmaps',
  resourcequotas: 'resourcequotas',
  replicationcontrollers: 'replicationcontrollers',
  secrets: 'secrets',
};

export const countName = (resource: GroupResource): string => `count/${qualifiedResource(resource)}`;

/** For every resource without rules of its own: its objects are counted. */
export function objectCount(resource: GroupResource): QuotaEvaluator {
  const usage: Record<string, string> = { [countName(resource)]: '1' };
  const alias = resource.group === '' ? aliases[resource.resource] : undefined;
  if (alias !== undefined) usage[alias] = '1';
  return {
    handles: ({ operation, subresource }) => operation === 'CREATE' && subresource === '',
    isMine: (name) => name in usage,
    usage: () => usage,
  };
}

function scopeSelectors({ spec }: ResourceQuota): ScopedResourceSelectorRequirement[] {
  const selectors: ScopedResourceSelectorRequirement[] = (spec?.scopes ?? []).map((scopeName) => ({
    scopeName,
    operator: 'Exists',
  }));
  selectors.push(...(spec?.scopeSelector?.matchExpressions ?? []));
  return selectors;
}

export const matchesScopes = (evaluator: QuotaEvaluator, quota: ResourceQuota, object: KubeObject): boolean =>
  scopeSelectors(quota).every((selector) => evaluator.matchesScope?.(selector, object) ?? false);

/** A name's class, priority or volume attributes, against `In`, `NotIn`, `Exists`, `DoesNotExist`; '' is none. */
export function selectsName({ operator, values }: ScopedResourceSelectorRequirement, name: string): boolean {
  switch (operator) {
    case 'In':
      return name !== '' && (values ?? []).includes(name);
    case 'NotIn':
      return name === '' || !(values ?? []).includes(name);
    case 'Exists':
      return name !== '';
    case 'DoesNotExist':
      return name === '';
    default:
      return false;
  }
}

/** What a quota's hard limits of one resource come to, over the objects of its namespace. */
export function usageOf(
  evaluator: QuotaEvaluator,
  quota: ResourceQuota,
  names: string[],
  objects: Iterable<KubeObject>,
  nowMs: number,
): Record<string, string> {
  const used: Record<string, string> = {};
  for (const name of names) used[name] = '0';
  for (const object of objects) {
    if (!matchesScopes(evaluator, quota, object)) continue;
    const usage = evaluator.usage(object, nowMs);
    for (const name of names) if (usage[name] !== undefined) addTo(used, { [name]: usage[name] });
  }
  return used;
}
