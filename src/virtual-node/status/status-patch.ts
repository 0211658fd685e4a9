import { semanticEqual } from '../../api/equality.ts';
import type { Pod, PodCondition } from '../../api/generated/core-v1.ts';
import { type OwnedStatus, passing } from './pod-status.ts';

/**
 * The strategic merge patch that brings the pod's status to what is wanted: changed fields only, conditions by type, so
 * that what a tenant sets at the same time stays. Undefined when nothing differs.
 */
export function statusPatch(pod: Pod, wanted: OwnedStatus): { metadata: object; status: object } | undefined {
  const current = (pod.status ?? {}) as Record<string, unknown>;
  const status: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(wanted)) {
    if (field === 'conditions') continue;
    const before = current[field];
    if (value === undefined) {
      if (before !== undefined) status[field] = null;
    } else if (!semanticEqual(before, value)) {
      status[field] = value;
    }
  }
  // A pod keeps its addresses once it had them, as upstream's do after they end.
  for (const field of ['hostIP', 'hostIPs', 'podIP', 'podIPs', 'initContainerStatuses', 'containerStatuses']) {
    if (status[field] === null) delete status[field];
  }
  replaceList(status, current, 'podIPs');
  replaceList(status, current, 'hostIPs');
  const conditions =
    wanted.conditions === undefined ? [] : changedConditions(pod.status?.conditions ?? [], wanted.conditions);
  if (conditions.length > 0) status['conditions'] = conditions;
  if (Object.keys(status).length === 0) return undefined;
  return { metadata: { uid: pod.metadata.uid }, status };
}

/** Lists that a strategic merge would add to (by ip) are replaced when they held something else. */
function replaceList(status: Record<string, unknown>, current: Record<string, unknown>, field: string): void {
  const next = status[field];
  if (!Array.isArray(next) || !Array.isArray(current[field])) return;
  status[field] = [{ $patch: 'replace' }, ...next];
}

function changedConditions(current: readonly PodCondition[], wanted: readonly PodCondition[]): object[] {
  const gone = current
    .filter(({ type }) => passing.has(type) && !wanted.some((condition) => condition.type === type))
    .map(({ type }) => ({ $patch: 'delete', type }));
  const changed = wanted.flatMap((condition): object[] => {
    const before = current.find(({ type }) => type === condition.type);
    if (before !== undefined && semanticEqual(before, condition)) return [];
    // What the new state does not say must not stay from the old one.
    const cleared: Record<string, null> = {};
    for (const field of ['reason', 'message'] as const) {
      if (before?.[field] !== undefined && condition[field] === undefined) cleared[field] = null;
    }
    return [{ ...condition, ...cleared }];
  });
  return [...gone, ...changed];
}
