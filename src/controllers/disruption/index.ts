import type { Pod } from '../../api/generated/core-v1.ts';
import type { Condition, LabelSelector } from '../../api/generated/meta-v1.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../api/generated/policy-v1.ts';
import { scaledValue } from '../../api/int-or-string.ts';
import { formatTime, type GroupVersionResource } from '../../api/object.ts';
import { PODS } from '../../api/resources.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, type ControllerQueue, type ReconcileTools, watchOwn } from '../../client/controller.ts';
import { keyOf, type ObjectKey } from '../../client/informer.ts';
import { isSame } from '../common/canonical.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { compileSelector } from '../common/label-selector.ts';
import { byNamespace, controllerOf, namespaceOf } from '../common/owner.ts';
import { isPodReady } from '../common/pod-state.ts';
import { messageOf } from '../common/pod-template.ts';
import type { ResourceInfo } from '../common/resources.ts';
import { scaleFinder } from './scale.ts';

const component = 'controllermanager';
const BUDGETS: GroupVersionResource = { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' };
/** An eviction that was allowed and not followed by a deletion within this time is forgotten. */
const deletionTimeoutMs = 120_000;
/** Changes of many pods are looked at together. */
const batchMs = 20;

/** Keeps the status of PodDisruptionBudgets, which says how many pods may be evicted now. */
export function createDisruptionController(
  dependencies: ControllerDependencies,
  resources: ResourceInfo[] = [],
): Controller {
  const { informers, client } = dependencies;
  const budgets = informers.informer<PodDisruptionBudget>(BUDGETS, { tenant: ALL_TENANTS, indexes: byNamespace });
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS, indexes: byNamespace });
  const { scaleOf, reads } = scaleFinder(dependencies, resources);
  const recorder = dependencies.recorder(component);

  const tell = (budget: PodDisruptionBudget, type: 'Normal' | 'Warning', reason: string, message: string) =>
    recorder.event(
      { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: budget.metadata },
      type,
      reason,
      message,
    );
  const tellPod = (pod: Pod, reason: string, message: string) =>
    recorder.event({ apiVersion: 'v1', kind: 'Pod', metadata: pod.metadata }, 'Warning', reason, message);

  const wake = (pod: Pod, queue: ControllerQueue) => {
    const matching = budgets
      .byIndex('namespace', namespaceOf(pod))
      .filter(({ spec }) => compileSelector(spec?.selector)(pod.metadata.labels));
    for (const budget of matching) queue.addAfter(keyOf(budget), batchMs);
    if (matching.length > 1) {
      const { namespace, name } = pod.metadata;
      const message = `Pod ${JSON.stringify(namespace)}/${JSON.stringify(name)} matches multiple PodDisruptionBudgets.  Chose ${JSON.stringify(matching[0]!.metadata.name)} arbitrarily.`;
      tellPod(pod, 'MultiplePodDisruptionBudgets', message);
    }
    if (staleInMs(pod, dependencies.clock.now()) !== undefined) queue.add(staleKeyOf(pod));
  };

  async function expectedScale(budget: PodDisruptionBudget, selected: Pod[]): Promise<number> {
    const scales = new Map<string, number>();
    const seen = new Set<string>();
    let isUnmanaged = false;
    for (const pod of selected) {
      const reference = controllerOf(pod);
      if (reference === undefined) isUnmanaged = true;
      if (reference === undefined || seen.has(reference.uid)) continue;
      seen.add(reference.uid);
      const scale = await scaleOf(pod, reference);
      if (scale === undefined) throw new Error(`found no controllers for pod ${JSON.stringify(pod.metadata.name)}`);
      scales.set(scale.uid, scale.replicas);
    }
    if (isUnmanaged) {
      const message =
        `Pods selected by this PodDisruptionBudget (selector: ${selectorText(budget.spec?.selector)}) were found ` +
        'to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. ' +
        'To account for these pods please set ".spec.minAvailable" ' +
        'field of the PDB to an integer value.';
      tell(budget, 'Warning', 'UnmanagedPods', message);
    }
    return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0);
  }

  async function demand(budget: PodDisruptionBudget, selected: Pod[]): Promise<{ expected: number; desired: number }> {
    const { minAvailable, maxUnavailable } = budget.spec ?? {};
    if (maxUnavailable !== undefined) {
      const expected = await expectedScale(budget, selected);
      return { expected, desired: Math.max(0, expected - scaledValue(maxUnavailable, expected, true)) };
    }
    if (typeof minAvailable === 'number') return { expected: selected.length, desired: minAvailable };
    if (minAvailable === undefined) return { expected: 0, desired: 0 };
    const expected = await expectedScale(budget, selected);
    return { expected, desired: scaledValue(minAvailable, expected, true) };
  }

  async function write(budget: PodDisruptionBudget, status: PodDisruptionBudgetStatus): Promise<void> {
    if (isSame(status, budget.status)) return;
    const body = { ...budget, apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', status };
    await client.for(BUDGETS, budget).updateStatus(body);
  }

  /** A pod that was to go and did not, for whatever reason, is like any other again. */
  async function resetStale(key: ObjectKey, tools: ReconcileTools): Promise<void> {
    const pod = pods.get(key.slice(0, -STALE.length));
    const inMs = pod && staleInMs(pod, tools.now());
    if (pod === undefined || inMs === undefined) return;
    if (inMs > 0) return tools.queue.addAfter(key, inMs);
    const { name, uid, resourceVersion, generation } = pod.metadata;
    const condition = {
      type: 'DisruptionTarget',
      ...(generation !== undefined && { observedGeneration: generation }),
      status: 'False',
      lastTransitionTime: formatTime(tools.now()),
      reason: null,
      message: null,
    };
    const patch = { metadata: { uid, resourceVersion }, status: { conditions: [condition] } };
    try {
      await client.for(PODS, pod).patch(name, 'strategic', patch, 'status');
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  return {
    name: 'disruption-controller',
    workers: 8,
    watches: [
      watchOwn(budgets),
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
    reads,
    async reconcile(key, tools) {
      if (isStaleKey(key)) return resetStale(key, tools);
      const budget = budgets.get(key);
      if (budget === undefined) return;
      const matches = compileSelector(budget.spec?.selector);
      const selected = pods.byIndex('namespace', namespaceOf(budget)).filter((pod) => matches(pod.metadata.labels));
      const nowMs = tools.now();
      if (selected.length === 0) tell(budget, 'Normal', 'NoPods', 'No matching pods found');
      try {
        const { expected, desired } = await demand(budget, selected).catch((error: unknown) => {
          const message = `Failed to calculate the number of expected pods: ${messageOf(error)}`;
          tell(budget, 'Warning', 'CalculateExpectedPodCountFailed', message);
          throw error;
        });
        const { disrupted, late, recheckInMs } = stillDisrupted(budget, selected, nowMs);
        const { namespace } = budget.metadata;
        // The namespace twice, as upstream says it.
        const notDeleted = `Pod was expected by PDB ${namespace}/${namespace} to be deleted but it wasn't`;
        for (const pod of late) tellPod(pod, 'NotDeleted', notDeleted);
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

/** Pods whose eviction was allowed and that are not gone yet; `late` are those of which it is no longer believed. */
function stillDisrupted(
  budget: PodDisruptionBudget,
  selected: Pod[],
  nowMs: number,
): { disrupted: Record<string, string>; late: Pod[]; recheckInMs: number | undefined } {
  const disrupted: Record<string, string> = {};
  const late: Pod[] = [];
  let recheckInMs: number | undefined;
  for (const pod of selected) {
    const since = budget.status?.disruptedPods?.[pod.metadata.name];
    if (since === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    const remainingMs = Date.parse(since) + deletionTimeoutMs - nowMs;
    if (remainingMs <= 0) {
      late.push(pod);
      continue;
    }
    disrupted[pod.metadata.name] = since;
    recheckInMs = Math.min(recheckInMs ?? remainingMs, remainingMs);
  }
  return { disrupted, late, recheckInMs };
}

const STALE = '/stale';
const staleKeyOf = (pod: Pod): ObjectKey => `${keyOf(pod)}${STALE}`;
const isStaleKey = (key: ObjectKey) => key.split('/').length === 4;

/** When the pod's DisruptionTarget becomes stale; undefined when it never does. */
function staleInMs({ metadata, status }: Pod, nowMs: number): number | undefined {
  if (metadata.deletionTimestamp !== undefined || isFinished(status?.phase)) return undefined;
  const condition = status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
  // The kubelet may take as long as it likes.
  if (condition?.status !== 'True' || condition.reason === 'TerminationByKubelet') return undefined;
  const sinceMs = condition.lastTransitionTime === undefined ? 0 : Date.parse(condition.lastTransitionTime);
  return Math.max(0, sinceMs + deletionTimeoutMs - nowMs);
}

const isFinished = (phase: string | undefined) => phase === 'Succeeded' || phase === 'Failed';

/** As Go prints a *LabelSelector. */
function selectorText(selector: LabelSelector | undefined): string {
  if (selector === undefined) return 'nil';
  const labels = Object.entries(selector.matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values = [] }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(' ')}],}`,
  );
  const pairs = labels.map(([key, value]) => `${key}: ${value},`).join('');
  const all = expressions.map((each) => `${each},`).join('');
  return `&LabelSelector{MatchLabels:map[string]string{${pairs}},MatchExpressions:[]LabelSelectorRequirement{${all}},}`;
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
