import type { Job } from '../../api/generated/batch-v1.ts';
import { JOBS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Controller, ControllerQueue } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';

/** When the job has ended and its ttlSecondsAfterFinished is over: epoch milliseconds; undefined: not to be deleted. */
export function expiresAtMs(job: Job): number | undefined {
  const ttlSeconds = job.spec?.ttlSecondsAfterFinished;
  if (ttlSeconds === undefined || job.metadata.deletionTimestamp !== undefined) return undefined;
  const finished = job.status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  if (finished?.lastTransitionTime === undefined) return undefined;
  return Date.parse(finished.lastTransitionTime) + ttlSeconds * 1000;
}

/** Deletes finished Jobs, with their pods, once their time to live is over. */
export function createTtlAfterFinishedController(dependencies: ControllerDependencies): Controller {
  const { informers, client } = dependencies;
  const jobs = informers.informer<Job>(JOBS, { tenant: ALL_TENANTS });
  const add = (job: Job, queue: ControllerQueue) => {
    if (expiresAtMs(job) !== undefined) queue.add(keyOf(job));
  };
  return {
    name: 'ttl-after-finished-controller',
    workers: 8,
    watches: [
      {
        informer: jobs,
        handlers: (queue) => ({
          added: (job: Job) => add(job, queue),
          updated: (_: Job, job: Job) => add(job, queue),
        }),
      },
    ],
    async reconcile(key, tools) {
      const cached = jobs.get(key);
      if (cached === undefined || expiresAtMs(cached) === undefined) return;
      try {
        // Its time to live may have been raised a moment ago.
        const job = await client.for(JOBS, cached).get(cached.metadata.name);
        const atMs = expiresAtMs(job as Job);
        if (atMs === undefined || job.metadata.uid !== cached.metadata.uid) return;
        if (atMs > tools.now()) {
          tools.queue.addAfter(key, atMs - tools.now());
          return;
        }
        await client.for(JOBS, cached).delete(job.metadata.name, {
          propagationPolicy: 'Foreground',
          preconditions: { uid: job.metadata.uid, resourceVersion: job.metadata.resourceVersion },
        });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
}
