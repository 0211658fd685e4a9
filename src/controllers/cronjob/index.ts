import type { CronJob, Job } from '../../api/generated/batch-v1.ts';
import { CRON_JOBS, JOBS } from '../../api/resources.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Controller, ControllerQueue } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import { isSame } from '../common/canonical.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { byController, controllerOf, siblingKey } from '../common/owner.ts';
import { WrittenVersions } from '../common/written-versions.ts';
import { nextInMs } from './due.ts';
import { reconcileCronJob, scheduleIn } from './reconcile.ts';

const component = 'cronjob-controller';

/** Starts Jobs at the times a CronJob says. */
export function createCronJobController(dependencies: ControllerDependencies): Controller {
  const { informers, client, clock } = dependencies;
  const cronJobs = informers.informer<CronJob>(CRON_JOBS, { tenant: ALL_TENANTS });
  const jobs = informers.informer<Job>(JOBS, { tenant: ALL_TENANTS, indexes: byController });
  const recorder = dependencies.recorder(component);
  const written = new WrittenVersions(cronJobs, dependencies.clock);
  const wakeOwner = (job: Job, queue: ControllerQueue) => {
    const reference = controllerOf(job);
    if (reference?.kind === 'CronJob') queue.add(siblingKey(job, reference.name));
  };

  /** A new schedule begins with its next time: what it would have missed is not made up for. */
  const wakeUpdated = (before: CronJob, after: CronJob, queue: ControllerQueue) => {
    const key = keyOf(after);
    if (before.spec?.schedule === after.spec?.schedule && before.spec?.timeZone === after.spec?.timeZone) {
      queue.add(key);
      return;
    }
    try {
      const againInMs = nextInMs(after, clock.now(), scheduleIn(after));
      if (againInMs !== undefined) queue.addAfter(key, againInMs);
    } catch {
      const message = `unparseable schedule for cronjob: ${after.spec?.schedule}`;
      recorder.event(targetOf(after), 'Warning', 'UnParseableCronJobSchedule', message);
    }
  };

  return {
    name: component,
    workers: 10,
    watches: [
      {
        informer: cronJobs,
        handlers: (queue) => ({
          added: (cronJob: CronJob) => queue.add(keyOf(cronJob)),
          updated: (before: CronJob, after: CronJob) => wakeUpdated(before, after, queue),
          deleted: (cronJob: CronJob) => written.forget(keyOf(cronJob)),
        }),
      },
      {
        informer: jobs,
        handlers: (queue) => ({
          added: (job: Job) => wakeOwner(job, queue),
          updated: (_: Job, job: Job) => wakeOwner(job, queue),
          deleted: (job: Job) => wakeOwner(job, queue),
        }),
      },
    ],
    async reconcile(key, tools) {
      const cronJob = cronJobs.get(key);
      if (cronJob === undefined || written.isStale(key, tools.queue)) return;
      const own = jobs.byIndex('controller', cronJob.metadata.uid);
      const target = targetOf(cronJob);
      const { status, againInMs } = await reconcileCronJob(
        { client, event: (type, reason, message) => recorder.event(target, type, reason, message) },
        cronJob,
        own,
        tools.now(),
      );
      if (!isSame(status, cronJob.status)) {
        const body = { ...cronJob, apiVersion: 'batch/v1', kind: 'CronJob', status };
        const updated = await client.for(CRON_JOBS, cronJob).updateStatus(body);
        written.wrote(key, {
          ...updated,
          metadata: { ...updated.metadata, clusterName: cronJob.metadata.clusterName! },
        });
      }
      if (againInMs !== undefined) tools.queue.addAfter(key, againInMs);
    },
  };
}

const targetOf = ({ metadata }: CronJob) => ({ apiVersion: 'batch/v1', kind: 'CronJob', metadata });
