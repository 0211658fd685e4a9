import type { ReplicaSet } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { GroupVersionResource } from '../../api/object.ts';
import { PODS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import type { Client } from '../../client/client.ts';
import type { ReconcileTools } from '../../client/controller.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { type Expectations, expectationsTimeoutMs, slowStart } from '../../client/expectations.ts';
import { keyOf } from '../../client/informer.ts';
import { adopt, release } from '../common/adoption.ts';
import { isSame } from '../common/canonical.ts';
import { podsToDelete } from '../common/deletion-order.ts';
import type { Labels } from '../common/label-selector.ts';
import type { OwnedPods } from '../common/owned-pods.ts';
import { controllerReference, namespaceOf } from '../common/owner.ts';
import { readySinceMs } from '../common/pod-state.ts';
import { isNamespaceTerminating, messageOf, podFromTemplate } from '../common/pod-template.ts';
import { replicaSetStatus } from './status.ts';

export interface ReplicaSetKind {
  resource: GroupVersionResource;
  apiVersion: string;
  kind: string;
  /** The controller's name, as events show it. */
  component: string;
  selectorOf(owner: ReplicaSet): (labels: Labels | undefined) => boolean;
  reportsTerminating: boolean;
}

export interface ReplicaSetTools {
  kind: ReplicaSetKind;
  client: Client;
  recorder: EventRecorder;
  expectations: Expectations;
  podsOf(uid: string): OwnedPods;
  orphansIn(namespace: string): Pod[];
  relatedTo(owner: ReplicaSet): Iterable<Pod>;
}

// Upstream's BurstReplicas: more are done in the next round.
const mostAtOnce = 500;

export async function reconcileReplicaSet(
  with_: ReplicaSetTools,
  owner: ReplicaSet,
  tools: ReconcileTools,
): Promise<void> {
  const pods = with_.podsOf(owner.metadata.uid);
  const isSettled = with_.expectations.satisfied(owner.metadata.uid) && owner.metadata.deletionTimestamp === undefined;
  if (!with_.expectations.satisfied(owner.metadata.uid))
    tools.queue.addAfter(keyOf(owner), expectationsTimeoutMs + 1000);
  // Adopted pods are not counted before the watch brings them with their new owner, which wakes this key again.
  const hasAdopted = await claim(with_, owner, pods);
  const mayAct = isSettled && !hasAdopted;
  // The count that the decision and the status rest on; pods come and go while requests are under way.
  const activeCount = pods.active.size;
  const failure = mayAct ? await scale(with_, owner, pods, tools.now()) : undefined;

  const nowMs = tools.now();
  const status = replicaSetStatus(
    owner,
    {
      pods: with_.podsOf(owner.metadata.uid),
      activeCount,
      failure: failure === undefined ? undefined : messageOf(failure),
    },
    nowMs,
    with_.kind.reportsTerminating,
  );
  if (!isSame(status, owner.status)) {
    const { apiVersion, kind, resource } = with_.kind;
    await with_.client.for(resource, owner).updateStatus({ ...owner, apiVersion, kind, status });
  }
  if (failure !== undefined) throw failure;
  const minReadySeconds = owner.spec.minReadySeconds ?? 0;
  if (minReadySeconds > 0 && (status.readyReplicas ?? 0) !== (status.availableReplicas ?? 0)) {
    tools.queue.addAfter(keyOf(owner), nextAvailableInMs(pods, minReadySeconds, nowMs));
  }
}

/** Takes in orphans the selector matches (true: some were), and lets go of pods it no longer matches. */
async function claim(with_: ReplicaSetTools, owner: ReplicaSet, pods: OwnedPods): Promise<boolean> {
  if (owner.metadata.deletionTimestamp !== undefined) return false;
  const matches = with_.kind.selectorOf(owner);
  if (pods.countLabelled(matches) < pods.active.size) {
    for (const pod of [...pods.active.values()]) {
      if (!matches(pod.metadata.labels)) await release(with_.client, owner.metadata.uid, PODS, pod);
    }
  }
  const reference = controllerReference(owner, with_.kind.apiVersion, with_.kind.kind);
  let hasAdopted = false;
  for (const orphan of with_.orphansIn(namespaceOf(owner))) {
    const isOver = orphan.status?.phase === 'Succeeded' || orphan.status?.phase === 'Failed';
    if (isOver || orphan.metadata.deletionTimestamp !== undefined || !matches(orphan.metadata.labels)) continue;
    hasAdopted = (await adopt(with_.client, with_.kind.resource, owner, reference, PODS, orphan)) || hasAdopted;
  }
  return hasAdopted;
}

/** Creates or deletes what is missing or too many. Returns the first failure instead of throwing: status tells it. */
async function scale(with_: ReplicaSetTools, owner: ReplicaSet, pods: OwnedPods, nowMs: number): Promise<unknown> {
  const matches = with_.kind.selectorOf(owner);
  const matching = pods.countLabelled(matches);
  const difference = (owner.spec.replicas ?? 1) - matching;
  if (difference > 0) {
    // As many as there are already is no leap into the dark, unless the last ones were refused.
    const isRefused = owner.status?.conditions?.some(
      ({ type, status }) => type === 'ReplicaFailure' && status === 'True',
    );
    return create(with_, owner, Math.min(difference, mostAtOnce), isRefused ? 1 : matching);
  }
  if (difference === 0) return undefined;
  const candidates = [...pods.active.values()].filter((pod) => matches(pod.metadata.labels));
  const count = Math.min(-difference, mostAtOnce);
  return remove(with_, owner, podsToDelete(candidates, with_.relatedTo(owner), count, nowMs));
}

async function create(with_: ReplicaSetTools, owner: ReplicaSet, count: number, firstBatch: number): Promise<unknown> {
  const { kind, recorder, expectations } = with_;
  const target = { apiVersion: kind.apiVersion, kind: kind.kind, metadata: owner.metadata };
  const reference = controllerReference(owner, kind.apiVersion, kind.kind);
  const draft = podFromTemplate(owner.spec.template!, owner, reference);
  const pods = with_.client.resource<Pod>(owner.metadata.clusterName!, PODS, owner.metadata.namespace);
  expectations.expectCreations(owner.metadata.uid, count);
  let refused = 0;
  const { succeeded, error } = await slowStart(
    count,
    mostAtOnce,
    async () => {
      try {
        const pod = await pods.create(draft);
        recorder.event(target, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
      } catch (failure) {
        if (isNamespaceTerminating(failure)) {
          refused++;
          return;
        }
        recorder.event(target, 'Warning', 'FailedCreate', `Error creating: ${messageOf(failure)}`);
        throw failure;
      }
    },
    firstBatch,
  );
  // Pods that were never asked for will not be seen.
  expectations.creationsObserved(owner.metadata.uid, count - succeeded + refused);
  return error;
}

async function remove(with_: ReplicaSetTools, owner: ReplicaSet, doomed: Pod[]): Promise<unknown> {
  const { kind, recorder, expectations } = with_;
  const target = { apiVersion: kind.apiVersion, kind: kind.kind, metadata: owner.metadata };
  const pods = with_.client.resource<Pod>(owner.metadata.clusterName!, PODS, owner.metadata.namespace);
  expectations.expectDeletions(
    owner.metadata.uid,
    doomed.map((pod) => pod.metadata.uid),
  );
  let failure: unknown;
  await Promise.all(
    doomed.map(async (pod) => {
      try {
        await pods.delete(pod.metadata.name, { preconditions: { uid: pod.metadata.uid } });
        recorder.event(target, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
      } catch (error) {
        expectations.deletionObserved(owner.metadata.uid, pod.metadata.uid);
        if (isNotFound(error)) return;
        recorder.event(target, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
        failure ??= error;
      }
    }),
  );
  return failure;
}

function nextAvailableInMs(pods: OwnedPods, minReadySeconds: number, nowMs: number): number {
  let soonest = minReadySeconds * 1000;
  for (const pod of pods.active.values()) {
    const sinceMs = readySinceMs(pod);
    if (sinceMs === undefined) continue;
    const remainingMs = sinceMs + minReadySeconds * 1000 - nowMs;
    if (remainingMs > 0) soonest = Math.min(soonest, remainingMs);
  }
  return soonest;
}
