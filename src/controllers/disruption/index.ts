import type { Deployment, ReplicaSet, StatefulSet } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { Condition } from '../../api/generated/meta-v1.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../api/generated/policy-v1.ts';
import { scaledValue } from '../../api/int-or-string.ts';
import { formatTime, type GroupVersionResource } from '../../api/object.ts';
import { DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS } from '../../api/resources.ts';
import { isConflict } from '../../api/status.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Controller, ControllerQueue } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import { isSame } from '../common/canonical.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { compileSelector } from '../common/label-selector.ts';
import { byNamespace, controllerOf, namespaceOf, siblingKey } from '../common/owner.ts';
import { isPodReady } from '../common/pod-state.ts';
import { messageOf } from '../common/pod-template.ts';

const component = 'controllermanager';
const BUDGETS: GroupVersionResource = { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' };
const REPLICATION_CONTROLLERS: GroupVersionResource = { group: '', version: 'v1', resource: 'replicationcontrollers' };
/** An eviction that was allowed and not followed by a deletion within this time is forgotten. */
const deletionTimeoutMs = 120_000;
/** Changes of many pods are looked at together. */
const batchMs = 20;

/** Keeps the status of PodDisruptionBudgets, which says how many pods may be evicted now. */
export function createDisruptionController(dependencies: ControllerDependencies): Controller {
  const { informers, client } = dependencies;
  const budgets = informers.informer<PodDisruptionBudget>(BUDGETS, { tenant: ALL_TENANTS, indexes: byNamespace });
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS, indexes: byNamespace });
  const replicaSets = informers.informer<ReplicaSet>(REPLICA_SETS, { tenant: ALL_TENANTS });
  const deployments = informers.informer<Deployment>(DEPLOYMENTS, { tenant: ALL_TENANTS });
  const statefulSets = informers.informer<StatefulSet>(STATEFUL_SETS, { tenant: ALL_TENANTS });
  const replicationControllers = informers.informer(REPLICATION_CONTROLLERS, { tenant: ALL_TENANTS });
  const recorder = dependencies.recorder(component);

  const wake = (pod: Pod, queue: ControllerQueue) => {
    for (const budget of budgets.byIndex('namespace', namespaceOf(pod))) {
      if (compileSelector(budget.spec?.selector)(pod.metadata.labels)) queue.addAfter(keyOf(budget), batchMs);
    }
  };

  /** The owner that is scaled, and to how many. */
  function scaleOf(pod: Pod): { uid: string; replicas: number } | undefined {
    const reference = controllerOf(pod);
    if (reference === undefined) return undefined;
    const key = siblingKey(pod, reference.name);
    if (reference.kind === 'ReplicaSet') {
      const set = replicaSets.get(key);
      if (set?.metadata.uid !== reference.uid) return undefined;
      const owner = controllerOf(set);
      const deployment = owner?.kind === 'Deployment' ? deployments.get(siblingKey(pod, owner.name)) : undefined;
      if (deployment !== undefined && deployment.metadata.uid === owner!.uid) {
        return { uid: deployment.metadata.uid, replicas: deployment.spec.replicas ?? 1 };
      }
      return { uid: set.metadata.uid, replicas: set.spec.replicas ?? 1 };
    }
    const found =
      reference.kind === 'StatefulSet'
        ? statefulSets.get(key)
        : reference.kind === 'ReplicationController'
          ? replicationControllers.get(key)
          : undefined;
    return found?.metadata.uid === reference.uid
      ? { uid: found.metadata.uid, replicas: found['spec'].replicas ?? 1 }
      : undefined;
  }

  function expectedScale(budget: PodDisruptionBudget, selected: Pod[]): number {
    const scales = new Map<string, number>();
    const unmanaged: string[] = [];
    for (const pod of selected) {
      if (controllerOf(pod) === undefined) {
        unmanaged.push(pod.metadata.name);
        continue;
      }
      const scale = scaleOf(pod);
      if (scale === undefined) throw new Error(`found no controllers for pod ${JSON.stringify(pod.metadata.name)}`);
      scales.set(scale.uid, scale.replicas);
    }
    if (unmanaged.length > 0) {
      const message = `Pods without a controller are selected (${unmanaged.join(', ')}): the budget needs ".spec.minAvailable" as an integer to count them`;
      recorder.event(
        { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: budget.metadata },
        'Warning',
        'UnmanagedPods',
        message,
      );
    }
    return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0);
  }

  function demand(budget: PodDisruptionBudget, selected: Pod[]): { expected: number; desired: number } {
    const { minAvailable, maxUnavailable } = budget.spec ?? {};
    if (maxUnavailable !== undefined) {
      const expected = expectedScale(budget, selected);
      return { expected, desired: Math.max(0, expected - scaledValue(maxUnavailable, expected, true)) };
    }
    if (typeof minAvailable === 'number') return { expected: selected.length, desired: minAvailable };
    if (minAvailable === undefined) return { expected: 0, desired: 0 };
    const expected = expectedScale(budget, selected);
    return { expected, desired: scaledValue(minAvailable, expected, true) };
  }

  async function write(budget: PodDisruptionBudget, status: PodDisruptionBudgetStatus): Promise<void> {
    if (isSame(status, budget.status)) return;
    const body = { ...budget, apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', status };
    await client.for(BUDGETS, budget).updateStatus(body);
  }

  return {
    name: 'disruption-controller',
    workers: 4,
    watches: [
      {
        informer: budgets,
        handlers: (queue) => ({
          added: (budget: PodDisruptionBudget) => queue.add(keyOf(budget)),
          updated: (_: PodDisruptionBudget, budget: PodDisruptionBudget) => queue.add(keyOf(budget)),
        }),
      },
      {
        informer: pods,
        handlers: (queue) => ({
          added: (pod: Pod) => wake(pod, queue),
          updated: (before: Pod, after: Pod) => {
            if (!isSame(before.metadata.labels, after.metadata.labels)) wake(before, queue);
            wake(after, queue);
          },
          deleted: (pod: Pod) => wake(pod, queue),
        }),
      },
    ],
    reads: [replicaSets, deployments, statefulSets, replicationControllers],
    async reconcile(key, tools) {
      const budget = budgets.get(key);
      if (budget === undefined) return;
      const matches = compileSelector(budget.spec?.selector);
      const selected = pods.byIndex('namespace', namespaceOf(budget)).filter((pod) => matches(pod.metadata.labels));
      const nowMs = tools.now();
      try {
        const { expected, desired } = demand(budget, selected);
        const { disrupted, recheckInMs } = stillDisrupted(budget, selected, nowMs);
        const healthy = selected.filter(
          (pod) =>
            pod.metadata.deletionTimestamp === undefined &&
            disrupted[pod.metadata.name] === undefined &&
            isPodReady(pod),
        ).length;
        const allowed = expected <= 0 ? 0 : Math.max(0, healthy - desired);
        await write(budget, {
          // Each is written, 0 too.
          currentHealthy: healthy,
          desiredHealthy: desired,
          expectedPods: expected,
          disruptionsAllowed: allowed,
          ...(Object.keys(disrupted).length > 0 && { disruptedPods: disrupted }),
          ...(budget.metadata.generation !== undefined && { observedGeneration: budget.metadata.generation }),
          conditions: conditions(budget, allowed > 0 ? 'SufficientPods' : 'InsufficientPods', '', nowMs),
        });
        if (recheckInMs !== undefined) tools.queue.addAfter(key, recheckInMs);
      } catch (error) {
        if (isConflict(error)) throw error;
        // When in doubt, nothing may be evicted.
        await write(budget, {
          ...budget.status,
          disruptionsAllowed: 0,
          conditions: conditions(budget, 'SyncFailed', messageOf(error), nowMs),
        });
        throw error;
      }
    },
  };
}

/** Pods whose eviction was allowed and that are not gone yet. */
function stillDisrupted(
  budget: PodDisruptionBudget,
  selected: Pod[],
  nowMs: number,
): { disrupted: Record<string, string>; recheckInMs: number | undefined } {
  const disrupted: Record<string, string> = {};
  let recheckInMs: number | undefined;
  for (const pod of selected) {
    const since = budget.status?.disruptedPods?.[pod.metadata.name];
    if (since === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    const remainingMs = Date.parse(since) + deletionTimeoutMs - nowMs;
    if (remainingMs <= 0) continue;
    disrupted[pod.metadata.name] = since;
    recheckInMs = Math.min(recheckInMs ?? remainingMs, remainingMs);
  }
  return { disrupted, recheckInMs };
}

function conditions(budget: PodDisruptionBudget, reason: string, message: string, nowMs: number): Condition[] {
  const type = 'DisruptionAllowed';
  const status = reason === 'SufficientPods' ? 'True' : 'False';
  const before = budget.status?.conditions?.find((condition) => condition.type === type);
  const others = (budget.status?.conditions ?? []).filter((condition) => condition.type !== type);
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : formatTime(nowMs);
  const observedGeneration = budget.metadata.generation;
  const condition = { type, status, lastTransitionTime, reason, message };
  return [...others, observedGeneration === undefined ? condition : { ...condition, observedGeneration }];
}
