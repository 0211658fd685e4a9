import type { Job } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { PODS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import type { Client } from '../../client/client.ts';
import { type Expectations, slowStart } from '../../client/expectations.ts';
import { controllerOf } from '../common/owner.ts';
import { isPodReady } from '../common/pod-state.ts';
import { isNamespaceTerminating, messageOf } from '../common/pod-template.ts';
import type { JobView, PodWork } from './job-view.ts';
import { isTracked, podOf, TRACKING_FINALIZER } from './pods.ts';

export interface PodWorkOptions {
  client: Client;
  expectations: Expectations;
  event(job: Job, type: 'Normal' | 'Warning', reason: string, message: string): void;
  noteUntracked(jobUid: string, podUid: string): void;
}

const mostAtOnce = 500;

export function createPodWork(options: PodWorkOptions) {
  const { client, expectations, event, noteUntracked } = options;

  async function removeFinalizer(pod: Pod): Promise<void> {
    const rest = (pod.metadata.finalizers ?? []).filter((finalizer) => finalizer !== TRACKING_FINALIZER);
    const { uid, name } = pod.metadata;
    const jobUid = controllerOf(pod)?.uid;
    if (jobUid !== undefined) noteUntracked(jobUid, uid);
    const write = (finalizers: string[], resourceVersion: string) =>
      client.for(PODS, pod).patch(name, 'merge', {
        metadata: { uid, resourceVersion, finalizers: finalizers.length === 0 ? null : finalizers },
      });
    try {
      await write(rest, pod.metadata.resourceVersion);
    } catch (error) {
      if (isNotFound(error)) return;
      // The cached list may be old; the list as it is now is safe to shorten.
      const fresh = await client.for(PODS, pod).get(name);
      if (fresh.metadata.uid !== uid) return;
      await write(
        (fresh.metadata.finalizers ?? []).filter((finalizer) => finalizer !== TRACKING_FINALIZER),
        fresh.metadata.resourceVersion,
      );
    }
  }

  async function removeFinalizers(
    _job: Job | undefined,
    pods: Pod[],
  ): Promise<{ freed: Set<string>; error?: unknown }> {
    const freed = new Set<string>();
    let failure: unknown;
    await Promise.all(
      pods.map(async (pod) => {
        try {
          await removeFinalizer(pod);
          freed.add(pod.metadata.uid);
        } catch (error) {
          if (isNotFound(error)) freed.add(pod.metadata.uid);
          else failure ??= error;
        }
      }),
    );
    return { freed, ...(failure !== undefined && { error: failure }) };
  }

  async function remove(view: JobView, pods: Pod[], isCounted: boolean): Promise<{ deleted: number; error?: unknown }> {
    const { job } = view;
    const podClient = client.resource<Pod>(job.metadata.clusterName!, PODS, job.metadata.namespace);
    const jobUid = job.metadata.uid;
    expectations.expectDeletions(
      jobUid,
      pods.map((pod) => pod.metadata.uid),
    );
    let deleted = 0;
    let failure: unknown;
    await Promise.all(
      pods.map(async (pod) => {
        const { name, uid } = pod.metadata;
        try {
          if (!isCounted && isTracked(pod)) await removeFinalizer(pod);
          await podClient.delete(name, { preconditions: { uid } });
          event(job, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
        } catch (error) {
          expectations.deletionObserved(jobUid, uid);
          if (!isNotFound(error)) {
            event(job, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
            failure ??= error;
            return;
          }
        }
        deleted++;
        if (isPodReady(pod)) view.readyCount--;
      }),
    );
    view.activeCount -= deleted;
    view.terminatingCount += deleted;
    return { deleted, ...(failure !== undefined && { error: failure }) };
  }

  const work: PodWork = {
    deleteActive: (view, pods) => remove(view, pods, true),
    deleteUncounted: (view, pods) => remove(view, pods, false),
    async create(view, indexes) {
      const { job } = view;
      const podClient = client.resource<Pod>(job.metadata.clusterName!, PODS, job.metadata.namespace);
      expectations.expectCreations(job.metadata.uid, indexes.length);
      let refused = 0;
      const { succeeded, error } = await slowStart(indexes.length, mostAtOnce, async (at) => {
        const index = indexes[at];
        const replaced = index === undefined ? undefined : view.waitingForSuccessor.get(index);
        try {
          const pod = await podClient.create(podOf(job, index, replaced));
          event(job, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
        } catch (failure) {
          if (isNamespaceTerminating(failure)) {
            refused++;
            return;
          }
          event(job, 'Warning', 'FailedCreate', `Error creating: ${messageOf(failure)}`);
          throw failure;
        }
      });
      const created = succeeded - refused;
      expectations.creationsObserved(job.metadata.uid, indexes.length - created);
      view.activeCount += created;
      return { created, ...(error !== undefined && { error }) };
    },
  };
  return { ...work, removeFinalizers };
}
