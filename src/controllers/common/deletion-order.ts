import type { Pod } from '../../api/generated/core-v1.ts';
import { isPodReady, readySinceMs } from './pod-state.ts';

const phaseOrder: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * The `count` pods a shrinking owner gives up first: unassigned, then not running, then not ready, then of lower
 * deletion cost, then doubled up on a node, then ready for a shorter time (in powers of two), then with more restarts,
 * then younger. Follows upstream's ActivePodsWithRanks. `related` are all pods of the same application.
 */
export function podsToDelete(pods: Pod[], related: Iterable<Pod>, count: number, nowMs: number): Pod[] {
  if (count >= pods.length) return pods;
  const perNode = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec?.nodeName ?? '';
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  const traits = pods.map((pod) => ({
    pod,
    isAssigned: (pod.spec?.nodeName ?? '') !== '' ? 1 : 0,
    phase: phaseOrder[pod.status?.phase ?? 'Pending'] ?? 0,
    isReady: isPodReady(pod) ? 1 : 0,
    deletionCost: Number.parseInt(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? '0', 10),
    onSameNode: perNode.get(pod.spec?.nodeName ?? '') ?? 0,
    readyMs: readySinceMs(pod) ?? 0,
    restarts: Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount)),
    createdMs: Date.parse(pod.metadata.creationTimestamp),
  }));
  const ageRank = (sinceMs: number) => (nowMs <= sinceMs ? -1 : Math.floor(Math.log2((nowMs - sinceMs) * 1e6)));
  const byAge = (a: number, b: number, uidA: string, uidB: string): number => {
    if (a === 0 || b === 0) return a === b ? 0 : a === 0 ? -1 : 1;
    return ageRank(a) - ageRank(b) || (uidA < uidB ? -1 : 1);
  };
  traits.sort(
    (a, b) =>
      a.isAssigned - b.isAssigned ||
      a.phase - b.phase ||
      a.isReady - b.isReady ||
      a.deletionCost - b.deletionCost ||
      b.onSameNode - a.onSameNode ||
      (a.isReady === 1 && a.readyMs !== b.readyMs
        ? byAge(a.readyMs, b.readyMs, a.pod.metadata.uid, b.pod.metadata.uid)
        : 0) ||
      b.restarts - a.restarts ||
      (a.createdMs !== b.createdMs ? byAge(a.createdMs, b.createdMs, a.pod.metadata.uid, b.pod.metadata.uid) : 0),
  );
  return traits.slice(0, count).map(({ pod }) => pod);
}
