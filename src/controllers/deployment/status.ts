import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../api/generated/apps-v1.ts';
import { formatTime } from '../../api/object.ts';
import { omitEmpty } from '../common/canonical.ts';
import { desiredOf, hasProgressDeadline, maxUnavailableOf, totalSize } from './replica-math.ts';

type Conditions = DeploymentCondition[];

const sum = (sets: ReplicaSet[], read: (set: ReplicaSet) => number | undefined): number =>
  sets.reduce((total, set) => total + (read(set) ?? 0), 0);

export const conditionOf = (conditions: Conditions | undefined, type: string): DeploymentCondition | undefined =>
  conditions?.find((condition) => condition.type === type);

const without = (conditions: Conditions, type: string): Conditions =>
  conditions.filter((condition) => condition.type !== type);

export function newCondition(
  type: string,
  status: string,
  reason: string,
  message: string,
  nowMs: number,
): DeploymentCondition {
  const now = formatTime(nowMs);
  return { type, status, lastUpdateTime: now, lastTransitionTime: now, reason, message };
}

/** Unchanged when status and reason are the same; the transition time moves with the status only. */
export function withCondition(conditions: Conditions | undefined, condition: DeploymentCondition): Conditions {
  const all = conditions ?? [];
  const current = conditionOf(all, condition.type);
  if (current?.status === condition.status && current.reason === condition.reason) return all;
  const kept = current?.status === condition.status ? { lastTransitionTime: current.lastTransitionTime } : {};
  return [...without(all, condition.type), { ...condition, ...kept } as DeploymentCondition];
}

/** What the sets amount to, with the Available condition. */
export function countedStatus(
  deployment: Deployment,
  newSet: ReplicaSet | undefined,
  oldSets: ReplicaSet[],
  nowMs: number,
): DeploymentStatus {
  const sets = newSet === undefined ? oldSets : [...oldSets, newSet];
  const available = sum(sets, (set) => set.status?.availableReplicas);
  const hasMinimum = available >= desiredOf(deployment) - maxUnavailableOf(deployment);
  const condition = hasMinimum
    ? newCondition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.', nowMs)
    : newCondition(
        'Available',
        'False',
        'MinimumReplicasUnavailable',
        'Deployment does not have minimum availability.',
        nowMs,
      );
  const isUnknown = sets.some(
    (set) => (set.status?.observedGeneration ?? 0) > 0 && set.status?.terminatingReplicas === undefined,
  );
  return {
    ...omitEmpty({
      observedGeneration: deployment.metadata.generation,
      replicas: sum(sets, (set) => set.status?.replicas),
      updatedReplicas: newSet?.status?.replicas ?? 0,
      readyReplicas: sum(sets, (set) => set.status?.readyReplicas),
      availableReplicas: available,
      unavailableReplicas: Math.max(0, totalSize(sets) - available),
      collisionCount: deployment.status?.collisionCount,
      conditions: withCondition(deployment.status?.conditions, condition),
    }),
    ...(!isUnknown && { terminatingReplicas: sum(sets, (set) => set.status?.terminatingReplicas) }),
  };
}

/** All replicas are updated and available, and nothing old runs. */
export function isComplete(deployment: Deployment, status: DeploymentStatus | undefined): boolean {
  const desired = desiredOf(deployment);
  return (
    (status?.updatedReplicas ?? 0) === desired &&
    (status?.replicas ?? 0) === desired &&
    (status?.availableReplicas ?? 0) === desired &&
    (status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function hasProgressed(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  const count = (status: DeploymentStatus | undefined, field: keyof DeploymentStatus) => Number(status?.[field] ?? 0);
  const old = (status: DeploymentStatus | undefined) => count(status, 'replicas') - count(status, 'updatedReplicas');
  return (
    count(after, 'updatedReplicas') > count(before, 'updatedReplicas') ||
    old(after) < old(before) ||
    count(after, 'readyReplicas') > count(before, 'readyReplicas') ||
    count(after, 'availableReplicas') > count(before, 'availableReplicas')
  );
}

function hasTimedOut(deployment: Deployment, status: DeploymentStatus, nowMs: number): boolean {
  const condition = conditionOf(status.conditions, 'Progressing');
  if (condition === undefined || condition.reason === 'NewReplicaSetAvailable') return false;
  if (condition.reason === 'ProgressDeadlineExceeded') return true;
  const deadlineMs = deployment.spec.progressDeadlineSeconds! * 1000;
  return Date.parse(condition.lastUpdateTime!) + deadlineMs < nowMs;
}

/** countedStatus with the Progressing and ReplicaFailure conditions of a rollout. */
export function rolloutStatus(
  deployment: Deployment,
  newSet: ReplicaSet | undefined,
  oldSets: ReplicaSet[],
  nowMs: number,
): DeploymentStatus {
  const status = countedStatus(deployment, newSet, oldSets, nowMs);
  let conditions = status.conditions ?? [];
  const current = conditionOf(deployment.status?.conditions, 'Progressing');
  const wasComplete =
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && current?.reason === 'NewReplicaSetAvailable';
  const subject =
    newSet === undefined
      ? `Deployment ${JSON.stringify(deployment.metadata.name)}`
      : `ReplicaSet ${JSON.stringify(newSet.metadata.name)}`;
  if (!hasProgressDeadline(deployment)) {
    conditions = without(conditions, 'Progressing');
  } else if (!wasComplete) {
    if (isComplete(deployment, status)) {
      const message = `${subject} has successfully progressed.`;
      conditions = withCondition(
        conditions,
        newCondition('Progressing', 'True', 'NewReplicaSetAvailable', message, nowMs),
      );
    } else if (hasProgressed(deployment.status, status)) {
      const message = `${subject} is progressing.`;
      const condition = newCondition('Progressing', 'True', 'ReplicaSetUpdated', message, nowMs);
      // Progress is told even when the reason stays the same: the deadline counts from its update time.
      if (current?.status === 'True') condition.lastTransitionTime = current.lastTransitionTime!;
      conditions = [...without(conditions, 'Progressing'), condition];
    } else if (hasTimedOut(deployment, status, nowMs)) {
      const message = `${subject} has timed out progressing.`;
      conditions = withCondition(
        conditions,
        newCondition('Progressing', 'False', 'ProgressDeadlineExceeded', message, nowMs),
      );
    }
  }
  const failure = replicaFailure(newSet, oldSets);
  conditions = failure === undefined ? without(conditions, 'ReplicaFailure') : withCondition(conditions, failure);
  return {
    ...status,
    ...omitEmpty({ conditions }),
    ...(conditions.length === 0 && { conditions: undefined as never }),
  };
}

function replicaFailure(newSet: ReplicaSet | undefined, oldSets: ReplicaSet[]): DeploymentCondition | undefined {
  for (const set of newSet === undefined ? oldSets : [newSet, ...oldSets]) {
    const failure = set.status?.conditions?.find((condition) => condition.type === 'ReplicaFailure');
    if (failure === undefined) continue;
    const { type, status, lastTransitionTime, reason, message } = failure;
    return {
      type,
      status,
      reason,
      message,
      ...(lastTransitionTime !== undefined && { lastTransitionTime, lastUpdateTime: lastTransitionTime }),
    } as DeploymentCondition;
  }
  return undefined;
}

/** When to look again for a rollout that stands still; undefined when nothing is to be expected. */
export function progressCheckInMs(deployment: Deployment, status: DeploymentStatus, nowMs: number): number | undefined {
  const condition = conditionOf(deployment.status?.conditions, 'Progressing');
  if (!hasProgressDeadline(deployment) || condition === undefined) return undefined;
  if (isComplete(deployment, status) || condition.reason === 'ProgressDeadlineExceeded') return undefined;
  // The extra second is for times being cut to seconds.
  const dueMs = Date.parse(condition.lastUpdateTime!) + (deployment.spec.progressDeadlineSeconds! + 1) * 1000;
  return Math.max(1000, dueMs - nowMs);
}
