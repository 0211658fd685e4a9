import type { ResourceQuota } from '../generated/core-v1.ts';
import type { KubeObject } from '../object.ts';
import { compareQuantities } from '../quantity.ts';
import { matchesScopes, type QuotaEvaluator, type QuotaOperation } from './evaluator.ts';
import { addTo, growth, hasNames, only, printList, type ResourceList, withoutZeros } from './resource-list.ts';

/** A quota as it stands while several requests are charged in turn. */
export interface RunningQuota {
  readonly quota: ResourceQuota;
  used: ResourceList;
}

/**
 * Charges one operation against all quotas of its namespace, or says why it may not be. Returns undefined and raises
 * `used` of those concerned. Source: CheckRequest of apiserver's resourcequota plug-in.
 */
export function charge(
  quotas: RunningQuota[],
  evaluator: QuotaEvaluator,
  operation: QuotaOperation,
  nowMs: number,
): string | undefined {
  const object = operation.object!;
  const matches = ({ quota }: RunningQuota, item: KubeObject): boolean =>
    Object.keys(quota.status?.hard ?? {}).some((name) => evaluator.isMine(name)) &&
    matchesScopes(evaluator, quota, item);

  const concerned: RunningQuota[] = [];
  for (const running of quotas) {
    if (!matches(running, object)) continue;
    const { quota } = running;
    const mine = Object.keys(quota.status!.hard!).filter((name) => evaluator.isMine(name));
    const missing = evaluator.missing?.(mine, object);
    if (missing !== undefined) return `failed quota: ${quota.metadata.name}: ${missing}`;
    if (mine.some((name) => running.used[name] === undefined)) {
      return `status unknown for quota: ${quota.metadata.name}, resources: ${mine.sort().join(',')}`;
    }
    concerned.push(running);
  }
  if (concerned.length === 0) return undefined;

  const usage = evaluator.usage(object, nowMs);
  const negative = Object.keys(usage).filter((name) => compareQuantities(usage[name]!, 0) < 0);
  if (negative.length > 0) return `quota usage is negative for resource(s): ${negative.sort().join(',')}`;
  const { oldObject } = operation;
  const delta =
    operation.operation === 'UPDATE' && oldObject !== undefined
      ? growth(usage, evaluator.usage(oldObject, nowMs))
      : usage;

  const after: [RunningQuota, ResourceList][] = [];
  for (const running of concerned) {
    // A quota that the object comes under only now bears all of it.
    const counts = oldObject !== undefined && matches(running, oldObject) ? delta : usage;
    const { quota, used } = running;
    const hard = quota.status!.hard as ResourceList;
    const requested = only(withoutZeros(counts), (name) => hard[name] !== undefined);
    if (!hasNames(requested)) continue;
    const total = addTo({ ...used }, requested);
    if (operation.subresource !== 'status') {
      const exceeded = new Set(
        Object.keys(requested).filter((name) => compareQuantities(total[name]!, hard[name]!) > 0),
      );
      if (exceeded.size > 0) {
        const of = (list: ResourceList) => printList(only(list, (name) => exceeded.has(name)));
        return `exceeded quota: ${quota.metadata.name}, requested: ${of(requested)}, used: ${of(used)}, limited: ${of(hard)}`;
      }
    }
    after.push([running, total]);
  }
  for (const [running, total] of after) running.used = total;
  return undefined;
}
