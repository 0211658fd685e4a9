import type { StatefulSet, StatefulSetStatus } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { scaledValue } from '../../api/int-or-string.ts';
import { omitEmpty } from '../common/canonical.ts';
import { isPodAvailable, isPodReady, isPodTerminal } from '../common/pod-state.ts';
import { hasIdentity, ordinalOf, podRevision, replicasOf, startOrdinal } from './pods.ts';

export type Action =
  | { type: 'create'; ordinal: number; isUpdated: boolean }
  | { type: 'identify'; pod: Pod; ordinal: number }
  | { type: 'delete'; pod: Pod };

export interface Revisions {
  current: string;
  update: string;
}

const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;
const isRunningReady = (pod: Pod): boolean => pod.status?.phase === 'Running' && isPodReady(pod);

/**
 * What to do next. In order (OrderedReady), one step at a time and only when all pods before are available: missing pods
 * are created from the first ordinal on, surplus ones deleted from the last, and then old ones replaced from the last
 * down to the partition. In Parallel, all missing and surplus pods at once, and nothing waits for them but the update.
 */
export function plan(set: StatefulSet, pods: Pod[], revisions: Revisions, nowMs: number): Action[] {
  if (set.metadata.deletionTimestamp !== undefined) return [];
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  const isOrdered = (set.spec.podManagementPolicy ?? 'OrderedReady') === 'OrderedReady';
  const isAvailable = (pod: Pod) => isPodAvailable(pod, minReadySeconds, nowMs);
  const start = startOrdinal(set);
  const count = replicasOf(set);
  const replicas = new Map<number, Pod>();
  const surplus: { ordinal: number; pod: Pod }[] = [];
  for (const pod of pods) {
    const ordinal = ordinalOf(set, pod);
    if (ordinal === undefined) continue;
    if (ordinal >= start && ordinal < start + count) replicas.set(ordinal, pod);
    else surplus.push({ ordinal, pod });
  }
  surplus.sort((a, b) => b.ordinal - a.ordinal);

  const actions: Action[] = [];
  let isBlocked = false;
  for (let ordinal = start; ordinal < start + count; ordinal++) {
    const pod = replicas.get(ordinal);
    if (pod === undefined) {
      actions.push({ type: 'create', ordinal, isUpdated: isCreatedUpdated(set, ordinal) });
      isBlocked = true;
    } else if (isPodTerminal(pod)) {
      // A new one follows when this one is gone.
      if (!isTerminating(pod)) actions.push({ type: 'delete', pod });
      isBlocked = true;
    } else {
      if (!hasIdentity(pod)) actions.push({ type: 'identify', pod, ordinal });
      const isFine = !isTerminating(pod) && isRunningReady(pod) && isAvailable(pod);
      if (isOrdered && !isFine) isBlocked = true;
    }
    if (isOrdered && isBlocked) return actions;
  }

  const unavailable = (pod: Pod) => !isAvailable(pod) || isTerminating(pod);
  const inOrder = [...replicas].sort(([a], [b]) => a - b).map(([, pod]) => pod);
  const firstUnavailable = inOrder.find(unavailable) ?? surplus.findLast(({ pod }) => unavailable(pod))?.pod;
  for (const { pod } of surplus) {
    if (isTerminating(pod)) {
      if (isOrdered) return actions;
      continue;
    }
    const isFine = isRunningReady(pod) && isAvailable(pod);
    if (isOrdered && !isFine && pod !== firstUnavailable) return actions;
    actions.push({ type: 'delete', pod });
    if (isOrdered) return actions;
  }
  return [...actions, ...replaceOld(set, replicas, revisions, unavailable)];
}

/** From the last ordinal down to the partition: at most maxUnavailable (1) pods are missing at a time. */
function replaceOld(
  set: StatefulSet,
  replicas: Map<number, Pod>,
  revisions: Revisions,
  isUnavailable: (pod: Pod) => boolean,
): Action[] {
  const strategy = set.spec.updateStrategy;
  if (strategy?.type === 'OnDelete') return [];
  const start = startOrdinal(set);
  const lowest = start + (strategy?.rollingUpdate?.partition ?? 0);
  const { maxUnavailable } = strategy?.rollingUpdate ?? {};
  let budget = maxUnavailable === undefined ? 1 : Math.max(1, scaledValue(maxUnavailable, replicasOf(set), false));
  const actions: Action[] = [];
  for (let ordinal = start + replicasOf(set) - 1; ordinal >= lowest && budget > 0; ordinal--) {
    const pod = replicas.get(ordinal);
    if (pod === undefined) budget--;
    else if (isPodTerminal(pod)) budget--;
    else if (podRevision(pod) !== revisions.update && !isTerminating(pod)) {
      actions.push({ type: 'delete', pod });
      budget--;
    } else if (isUnavailable(pod)) {
      budget--;
    }
  }
  return actions;
}

/** Below the partition (or, without one, among those not replaced yet) a pod that is missing comes back as it was. */
function isCreatedUpdated(set: StatefulSet, ordinal: number): boolean {
  const strategy = set.spec.updateStrategy;
  if ((strategy?.type ?? 'RollingUpdate') !== 'RollingUpdate') return true;
  const kept =
    strategy?.rollingUpdate === undefined
      ? (set.status?.currentReplicas ?? 0)
      : (strategy.rollingUpdate.partition ?? 0);
  return ordinal >= startOrdinal(set) + kept;
}

export function statefulSetStatus(
  set: StatefulSet,
  pods: Pod[],
  revisions: Revisions,
  collisionCount: number | undefined,
  nowMs: number,
): StatefulSetStatus {
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  const count = (matches: (pod: Pod) => boolean) => pods.filter(matches).length;
  const isLive = (pod: Pod) => !isTerminating(pod) && !isPodTerminal(pod);
  const replicas = pods.length;
  const ready = count(isRunningReady);
  const updated = count((pod) => isLive(pod) && podRevision(pod) === revisions.update);
  let current = count((pod) => isLive(pod) && podRevision(pod) === revisions.current);
  let currentRevision = revisions.current;
  const wanted = replicasOf(set);
  const isRolling = (set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
  if (isRolling && updated === wanted && ready === wanted && replicas === wanted) {
    current = updated;
    currentRevision = revisions.update;
  }
  return {
    replicas,
    ...omitEmpty({
      observedGeneration: set.metadata.generation,
      readyReplicas: ready,
      currentReplicas: current,
      updatedReplicas: updated,
      currentRevision,
      updateRevision: revisions.update,
    }),
    collisionCount: collisionCount ?? 0,
    // Always written, 0 too.
    availableReplicas: count((pod) => isRunningReady(pod) && isPodAvailable(pod, minReadySeconds, nowMs)),
    ...(set.status?.conditions !== undefined && { conditions: set.status.conditions }),
  };
}
