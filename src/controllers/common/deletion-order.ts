import type { ContainerStatus, Pod } from '../../api/generated/core-v1.ts';
import { isPodReady, readySinceMs } from './pod-state.ts';

const phaseOrder: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * The `count` pods a shrinking owner gives up first: unassigned, then not running, then not ready, then of lower
 * deletion cost, then doubled up on a node, then ready for a shorter time (in powers of two), then with more restarts (its
 * sidecars' after its own), then younger. Follows upstream's ActivePodsWithRanks. `related` are all pods of the same application.
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
    deletionCost: deletionCostOf(pod),
    onSameNode: perNode.get(pod.spec?.nodeName ?? '') ?? 0,
    readyMs: readySinceMs(pod) ?? 0,
    restarts: mostRestarts(pod.status?.containerStatuses),
    sidecarRestarts: sidecarRestarts(pod),
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
      b.sidecarRestarts - a.sidecarRestarts ||
      (a.createdMs !== b.createdMs ? byAge(a.createdMs, b.createdMs, a.pod.metadata.uid, b.pod.metadata.uid) : 0),
  );
  return traits.slice(0, count).map(({ pod }) => pod);
}

/** A cost that is no 32-bit number counts as none. */
function deletionCostOf({ metadata }: Pod): number {
  const text = metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'];
  if (text === undefined || !/^(0|-?[1-9]\d{0,9})$/.test(text)) return 0;
  const cost = Number(text);
  return cost >= -(2 ** 31) && cost < 2 ** 31 ? cost : 0;
}

const mostRestarts = (statuses: readonly ContainerStatus[] = []): number =>
  statuses.reduce((most, { restartCount }) => Math.max(most, restartCount), 0);

function sidecarRestarts({ spec, status }: Pod): number {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  if (sidecars.length === 0) return 0;
  const names = new Set(sidecars.map(({ name }) => name));
  return mostRestarts(status?.initContainerStatuses?.filter(({ name }) => names.has(name)));
}
