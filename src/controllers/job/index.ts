import type { Job } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { JOBS, PODS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import { type Controller, type ControllerQueue, watchOwn } from '../../client/controller.ts';
import { Expectations } from '../../client/expectations.ts';
import { keyOf, type ObjectKey } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { compileSelector } from '../common/label-selector.ts';
import { byNamespace, controllerOf, namespaceOf, orphansOf, siblingKey, splitKey } from '../common/owner.ts';
import { WrittenVersions } from '../common/written-versions.ts';
import { type BackoffRecord, noBackoff } from './backoff.ts';
import { claimPods } from './claim.ts';
import { isFinished } from './conditions.ts';
import type { JobTools } from './job-view.ts';
import { createPodWork } from './pod-work.ts';
import { isTracked } from './pods.ts';
import { reconcileJob } from './reconcile.ts';

const component = 'job-controller';
// Changes of a large Job's pods are looked at together.
const batchDelayMs = (podCount: number): number => Math.min(1000, podCount);

/** Runs Jobs to completion. */
export function createJobController(dependencies: ControllerDependencies): Controller {
  const { informers, client, clock } = dependencies;
  const jobs = informers.informer<Job>(JOBS, { tenant: ALL_TENANTS, indexes: byNamespace });
  const jobKeyOf = (pod: Pod): ObjectKey | undefined => {
    const reference = controllerOf(pod);
    return reference?.kind === 'Job' ? siblingKey(pod, reference.name) : undefined;
  };
  const pods = informers.informer<Pod>(PODS, {
    tenant: ALL_TENANTS,
    indexes: {
      job: (pod) => {
        const key = jobKeyOf(pod);
        if (key !== undefined) return [key];
        return controllerOf(pod) === undefined ? [orphansOf(pod)] : [];
      },
    },
  });
  const expectations = new Expectations(clock);
  const written = new WrittenVersions(jobs, dependencies.clock);
  const backoffs = new Map<ObjectKey, BackoffRecord>();
  /** By Job uid: pods whose finalizer was removed here and is still there in the cache. */
  const untracked = new Map<string, Set<string>>();
  const recorder = dependencies.recorder(component);
  const event: JobTools['event'] = ({ metadata }, type, reason, message) =>
    recorder.event({ apiVersion: 'batch/v1', kind: 'Job', metadata }, type, reason, message);
  const podWork = createPodWork({
    client,
    expectations,
    event,
    noteUntracked(jobUid, podUid) {
      let uids = untracked.get(jobUid);
      if (uids === undefined) untracked.set(jobUid, (uids = new Set()));
      uids.add(podUid);
    },
  });

  const tools: JobTools = {
    work: podWork,
    writer: {
      async updateStatus(job, status) {
        const body = { ...job, apiVersion: 'batch/v1', kind: 'Job', status };
        const updated = await client.for<Job>(JOBS, job).updateStatus(body);
        written.wrote(keyOf(job), {
          ...updated,
          metadata: { ...updated.metadata, clusterName: job.metadata.clusterName! },
        });
        return { ...updated, metadata: { ...updated.metadata, clusterName: job.metadata.clusterName! } };
      },
      removeFinalizers: podWork.removeFinalizers,
    },
    backoffOf: (key) => backoffs.get(key) ?? noBackoff,
    setBackoff: (key, record) => void backoffs.set(key, record),
    untracked: (jobUid) => untracked.get(jobUid) ?? none,
    isSettled: (jobUid) => expectations.satisfied(jobUid),
    event,
  };

  function wake(pod: Pod, queue: ControllerQueue): void {
    const key = jobKeyOf(pod);
    if (key === undefined) {
      if (controllerOf(pod) !== undefined) return;
      // Counted by no Job, whether one takes it in or not.
      if (isTracked(pod)) queue.add(orphansKeyOf(pod));
      wakeAdopters(pod, queue);
      return;
    }
    const job = jobs.get(key);
    // Pods that outlive their Job have a finalizer to lose.
    if (job === undefined && !isTracked(pod)) return;
    const active = job?.status?.active ?? 0;
    queue.addAfter(
      key,
      expectations.satisfied(controllerOf(pod)!.uid) ? batchDelayMs(active) : batchDelayMs(active) + 5,
    );
  }

  function wakeAdopters(orphan: Pod, queue: ControllerQueue): void {
    if (orphan.metadata.deletionTimestamp !== undefined) return;
    for (const job of jobs.byIndex('namespace', namespaceOf(orphan))) {
      if (compileSelector(job.spec?.selector)(orphan.metadata.labels)) queue.add(keyOf(job));
    }
  }

  function observe(pod: Pod): void {
    const jobUid = controllerOf(pod)?.uid;
    if (jobUid === undefined) return;
    if (pod.metadata.deletionTimestamp !== undefined) expectations.deletionObserved(jobUid, pod.metadata.uid);
    if (!isTracked(pod)) untracked.get(jobUid)?.delete(pod.metadata.uid);
  }

  async function releaseOrphans(key: ObjectKey): Promise<void> {
    const tracked = pods.byIndex('job', `orphans of ${key.slice(0, -1)}`).filter(isTracked);
    const { error } = await podWork.removeFinalizers(undefined, tracked);
    if (error !== undefined) throw error;
  }

  /** Of pods whose Job is gone, is another of the same name, or has finished. */
  async function releasePods(key: ObjectKey, job: Job | undefined): Promise<void> {
    const left = pods
      .byIndex('job', key)
      .filter(
        (pod) =>
          isTracked(pod) &&
          (job === undefined ||
            controllerOf(pod)?.uid !== job.metadata.uid ||
            (isFinished(job) && !isManagedElsewhere(job))),
      );
    if (left.length === 0) return;
    if (job === undefined) {
      const { tenant, namespace, name } = splitKey(key);
      try {
        const fresh = await client.resource<Job>(tenant, JOBS, namespace).get(name);
        if (left.some((pod) => controllerOf(pod)?.uid === fresh.metadata.uid)) return;
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    const { error } = await podWork.removeFinalizers(undefined, left);
    if (error !== undefined) throw error;
  }

  return {
    name: component,
    workers: 32,
    watches: [
      watchOwn(jobs, (job, queue) => {
        const key = keyOf(job);
        expectations.forget(job.metadata.uid);
        untracked.delete(job.metadata.uid);
        backoffs.delete(key);
        written.forget(key);
        queue.add(key);
      }),
      {
        informer: pods,
        handlers: (queue) => ({
          added: (pod: Pod) => {
            const uid = jobKeyOf(pod) === undefined ? undefined : controllerOf(pod)?.uid;
            if (uid !== undefined && pod.metadata.deletionTimestamp === undefined) expectations.creationsObserved(uid);
            observe(pod);
            wake(pod, queue);
          },
          updated: (before: Pod, pod: Pod) => {
            observe(pod);
            wake(pod, queue);
            // It was taken away, or let go.
            const key = jobKeyOf(before);
            if (key !== undefined && key !== jobKeyOf(pod)) queue.add(key);
          },
          deleted: (pod: Pod) => {
            const uid = controllerOf(pod)?.uid;
            if (uid !== undefined) {
              expectations.deletionObserved(uid, pod.metadata.uid);
              untracked.get(uid)?.delete(pod.metadata.uid);
            }
            const key = jobKeyOf(pod);
            if (key !== undefined && jobs.get(key) !== undefined) queue.add(key);
          },
        }),
      },
    ],
    async reconcile(key, reconcileTools) {
      if (key.endsWith('/')) {
        await releaseOrphans(key);
        return;
      }
      if (written.isStale(key, reconcileTools.queue)) return;
      const job = jobs.get(key);
      await releasePods(key, job);
      if (job === undefined || isManagedElsewhere(job)) return;
      if (isFinished(job)) {
        backoffs.delete(key);
        return;
      }
      const owned = pods.byIndex('job', key).filter((pod) => controllerOf(pod)?.uid === job.metadata.uid);
      const own = await claimPods(client, job, owned, pods.byIndex('job', orphansOf(job)));
      if (own === undefined) return;
      await reconcileJob(tools, job, own, reconcileTools);
    },
  };
}

const isManagedElsewhere = ({ spec }: Job): boolean =>
  spec?.managedBy !== undefined && spec.managedBy !== 'kubernetes.io/job-controller';

/** A key without a name: all pods of a namespace that have no controller. */
const orphansKeyOf = (pod: Pod): ObjectKey => siblingKey(pod, '');

const none: ReadonlySet<string> = new Set();
