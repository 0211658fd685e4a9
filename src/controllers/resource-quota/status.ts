import type { ResourceQuota } from '../../api/generated/core-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import { quantityOf } from '../../api/quantity.ts';
import { type QuotaEvaluator, usageOf } from '../../api/quota/index.ts';
import { sameList } from '../../api/quota/resource-list.ts';

export interface UsageSources {
  /** Resources whose objects are looked at one by one. */
  measured: { evaluator: QuotaEvaluator; objects(): Iterable<KubeObject> }[];
  /** How many objects there are under a name of quota; undefined: it is no count. */
  count(name: string): number | undefined;
}

/**
 * The status a quota should have; undefined when it has it. What nobody can measure keeps its last value, if any.
 * Source: syncResourceQuota of upstream's controller.
 */
export function quotaStatus(
  quota: ResourceQuota,
  nowMs: number,
  { measured, count }: UsageSources,
): ResourceQuota['status'] | undefined {
  const hard = quota.spec?.hard ?? {};
  const names = Object.keys(hard);
  const scoped = (quota.spec?.scopes ?? []).length > 0 || quota.spec?.scopeSelector !== undefined;
  const used: Record<string, string> = {};
  for (const name of names) {
    const last = quota.status?.used?.[name];
    if (last !== undefined) used[name] = last;
  }
  const measurable = new Set<string>();
  for (const { evaluator, objects } of measured) {
    const mine = names.filter((name) => evaluator.isMine(name));
    if (mine.length === 0) continue;
    for (const name of mine) measurable.add(name);
    Object.assign(used, usageOf(evaluator, quota, mine, objects(), nowMs));
  }
  for (const name of names) {
    if (measurable.has(name)) continue;
    const found = count(name);
    // Scopes are about pods and claims: nothing else is ever in one.
    if (found !== undefined) used[name] = quantityOf(scoped ? 0 : found);
  }
  const { status } = quota;
  const isSame =
    status?.hard !== undefined &&
    status.used !== undefined &&
    sameList(status.hard, hard) &&
    sameList(status.used, used);
  return isSame ? undefined : { hard, used };
}
