import type { ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from '../../api/generated/apps-v1.ts';
import { formatTime } from '../../api/object.ts';
import { omitEmpty } from '../common/canonical.ts';
import { containsLabels } from '../common/label-selector.ts';
import type { OwnedPods } from '../common/owned-pods.ts';
import { isPodAvailable } from '../common/pod-state.ts';

export interface Observed {
  pods: OwnedPods;
  /** How many pods were active when the decision to create or delete was taken. */
  activeCount: number;
  /** Message of the failure to create or delete. */
  failure: string | undefined;
}

/** What the pods amount to; conditions other than ReplicaFailure are left as they are. */
export function replicaSetStatus(
  owner: ReplicaSet,
  observed: Observed,
  nowMs: number,
  reportsTerminating: boolean,
): ReplicaSetStatus {
  const { pods, activeCount, failure } = observed;
  const minReadySeconds = owner.spec.minReadySeconds ?? 0;
  const templateLabels = owner.spec.template?.metadata?.labels;
  let available = pods.readyCount;
  if (minReadySeconds > 0) {
    available = 0;
    for (const pod of pods.active.values()) if (isPodAvailable(pod, minReadySeconds, nowMs)) available++;
  }
  return {
    // Never left out, unlike the others.
    replicas: pods.active.size,
    ...omitEmpty({
      fullyLabeledReplicas: pods.countLabelled((labels) => containsLabels(labels, templateLabels)),
      readyReplicas: pods.readyCount,
      availableReplicas: available,
      observedGeneration: owner.metadata.generation,
      conditions: conditions(owner, activeCount, failure, nowMs),
    }),
    ...(reportsTerminating && { terminatingReplicas: pods.terminating.size }),
  };
}

function conditions(
  owner: ReplicaSet,
  activeCount: number,
  failure: string | undefined,
  nowMs: number,
): ReplicaSetCondition[] {
  const current = owner.status?.conditions ?? [];
  const hadFailed = current.some((condition) => condition.type === 'ReplicaFailure');
  if (failure === undefined) return current.filter((condition) => condition.type !== 'ReplicaFailure');
  if (hadFailed) return current;
  return [
    ...current,
    {
      type: 'ReplicaFailure',
      status: 'True',
      lastTransitionTime: formatTime(nowMs),
      reason: activeCount < (owner.spec.replicas ?? 1) ? 'FailedCreate' : 'FailedDelete',
      message: failure,
    },
  ];
}
