import type { CronJob, Job } from '../../api/generated/batch-v1.ts';
import type { Draft, KubeObject } from '../../api/object.ts';
import { formatTime } from '../../api/object.ts';
import { JOBS } from '../../api/resources.ts';
import { isAlreadyExists, isNotFound } from '../../api/status.ts';
import type { Client, ResourceClient } from '../../client/client.ts';
import { controllerReference } from '../common/owner.ts';
import { isNamespaceTerminating, messageOf } from '../common/pod-template.ts';
import { dueTime, nextInMs } from './due.ts';
import { isTimeZone, parseSchedule, type Schedule } from './schedule.ts';

type Status = NonNullable<CronJob['status']>;
type Active = NonNullable<Status['active']>[number];

export interface CronJobTools {
  client: Client;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
}

export interface CronJobOutcome {
  status: Status;
  /** When to look again; undefined: when something changes. */
  againInMs: number | undefined;
}

/** `jobs` are the CronJob's own. The status is the caller's to write. */
export async function reconcileCronJob(
  with_: CronJobTools,
  cronJob: CronJob,
  jobs: Job[],
  nowMs: number,
): Promise<CronJobOutcome> {
  const { client, event } = with_;
  const { clusterName, namespace } = cronJob.metadata;
  const jobClient = client.resource<Job>(clusterName!, JOBS, namespace);
  const status: Status = { ...cronJob.status };
  const remove = (uid: string) => {
    status.active = (status.active ?? []).filter((reference) => reference.uid !== uid);
  };
  const deleteJob = async (job: { name: string; uid: string }) => {
    try {
      await jobClient.delete(job.name, { propagationPolicy: 'Background', preconditions: { uid: job.uid } });
    } catch (error) {
      if (!isNotFound(error)) {
        event('Warning', 'FailedDelete', `Deleted job: ${messageOf(error)}`);
        throw error;
      }
    }
    remove(job.uid);
    event('Normal', 'SuccessfulDelete', `Deleted job ${job.name}`);
  };

  await trimHistory(cronJob, jobs, deleteJob);
  noteEnded(status, jobs, remove, event);
  await noteMissing(status, jobs, jobClient, remove, event);
  const done = { status, againInMs: undefined };
  if (cronJob.metadata.deletionTimestamp !== undefined) return done;
  const { timeZone, suspend } = cronJob.spec!;
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    const message = `invalid timeZone: ${JSON.stringify(timeZone)}: unknown time zone ${timeZone}`;
    event('Warning', 'UnknownTimeZone', message);
    return done;
  }
  if (suspend === true) return done;
  const schedule = scheduleOf(cronJob, event);
  if (schedule === undefined) return done;

  const now: CronJob = { ...cronJob, status };
  let scheduledMs: number | undefined;
  try {
    const due = dueTime(now, nowMs, schedule, true);
    scheduledMs = due.scheduledMs;
    if (scheduledMs !== undefined && due.missed === 'many') {
      const advice = 'Set or decrease .spec.startingDeadlineSeconds or check clock skew';
      event('Warning', 'TooManyMissedTimes', `too many missed start times. ${advice}`);
    }
  } catch (error) {
    event('Warning', 'InvalidSchedule', `invalid schedule: ${cronJob.spec!.schedule} : ${messageOf(error)}`);
    return done;
  }
  const later = (): CronJobOutcome => ({ status, againInMs: nextInMs({ ...cronJob, status }, nowMs, schedule) });
  if (scheduledMs === undefined) return later();
  const deadlineSeconds = cronJob.spec?.startingDeadlineSeconds;
  if (deadlineSeconds !== undefined && scheduledMs + deadlineSeconds * 1000 < nowMs) {
    const when = new Date(scheduledMs).toUTCString().replace('GMT', '+0000');
    event('Warning', 'MissSchedule', `Missed scheduled time to start a job: ${when}`);
    return later();
  }
  const draft = jobOf(cronJob, scheduledMs);
  const isProcessed =
    status.lastScheduleTime === formatTime(scheduledMs) ||
    (status.active ?? []).some(({ name }) => name === draft.metadata.name);
  if (isProcessed) return later();
  const policy = cronJob.spec?.concurrencyPolicy ?? 'Allow';
  if (policy === 'Forbid' && (status.active ?? []).length > 0) {
    const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
    event('Normal', 'JobAlreadyActive', message);
    return later();
  }
  if (policy === 'Replace') {
    for (const { name } of [...(status.active ?? [])]) {
      const running = await jobClient.get(name!).catch((error: unknown) => {
        event('Warning', 'FailedGet', `Get job: ${messageOf(error)}`);
        throw error;
      });
      await deleteJob(running.metadata);
    }
  }
  const created = await start(jobClient, cronJob, draft, event);
  if (created === undefined) return done;
  status.active = [...(status.active ?? []), referenceTo(created)];
  status.lastScheduleTime = formatTime(scheduledMs);
  return later();
}

type EventFunction = CronJobTools['event'];

function scheduleOf(cronJob: CronJob, event: EventFunction): Schedule | undefined {
  const { schedule } = cronJob.spec!;
  const quoted = JSON.stringify(schedule);
  if (schedule.includes('TZ')) {
    const more = 'see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details';
    const message = `CRON_TZ or TZ used in schedule ${quoted} is not officially supported, ${more}`;
    event('Warning', 'UnsupportedSchedule', message);
  }
  try {
    return scheduleIn(cronJob);
  } catch (error) {
    event('Warning', 'UnparseableSchedule', `unparseable schedule: ${quoted} : ${messageOf(error)}`);
    return undefined;
  }
}

/** Throws what is wrong with it. A zone that is not known counts for nothing here. */
export function scheduleIn(cronJob: CronJob): Schedule {
  const { schedule, timeZone = '' } = cronJob.spec!;
  return parseSchedule(schedule, isTimeZone(timeZone) ? timeZone : 'UTC');
}

const finishedType = (job: Job): string | undefined =>
  job.status?.conditions?.find(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True')
    ?.type;

function noteEnded(status: Status, jobs: Job[], remove: (uid: string) => void, event: EventFunction): void {
  for (const job of jobs) {
    const isListed = (status.active ?? []).some(({ uid }) => uid === job.metadata.uid);
    const type = finishedType(job);
    if (type === undefined) {
      const message = `Saw a job that the controller did not create or forgot: ${job.metadata.name}`;
      if (!isListed) event('Warning', 'UnexpectedJob', message);
      continue;
    }
    if (isListed) {
      remove(job.metadata.uid);
      event('Normal', 'SawCompletedJob', `Saw completed job: ${job.metadata.name}, condition: ${type}`);
    }
    const completion = job.status?.completionTime;
    if (type !== 'Complete' || completion === undefined) continue;
    const last = status.lastSuccessfulTime;
    if (last === undefined || Date.parse(completion) > Date.parse(last)) status.lastSuccessfulTime = completion;
  }
}

async function noteMissing(
  status: Status,
  jobs: Job[],
  jobClient: ResourceClient<Job>,
  remove: (uid: string) => void,
  event: EventFunction,
): Promise<void> {
  const known = new Set(jobs.map((job) => job.metadata.uid));
  for (const { name, uid } of [...(status.active ?? [])]) {
    if (known.has(uid!)) continue;
    try {
      await jobClient.get(name!);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      event('Normal', 'MissingJob', `Active job went missing: ${name}`);
      remove(uid!);
    }
  }
}

async function trimHistory(
  cronJob: CronJob,
  jobs: Job[],
  deleteJob: (job: { name: string; uid: string }) => Promise<void>,
): Promise<void> {
  const limits: [string, number | undefined][] = [
    ['Complete', cronJob.spec?.successfulJobsHistoryLimit],
    ['Failed', cronJob.spec?.failedJobsHistoryLimit],
  ];
  for (const [type, limit] of limits) {
    if (limit === undefined) continue;
    const ended = jobs.filter((job) => finishedType(job) === type && job.metadata.deletionTimestamp === undefined);
    const startOf = (job: Job) => job.status?.startTime ?? '9999';
    ended.sort((a, b) =>
      startOf(a) < startOf(b) || (startOf(a) === startOf(b) && a.metadata.name < b.metadata.name) ? -1 : 1,
    );
    // One that cannot be deleted is told of, and keeps nothing else from going on.
    for (const job of ended.slice(0, Math.max(0, ended.length - limit))) await deleteJob(job.metadata).catch(() => {});
  }
}

/** The name says the minute, so that one minute starts one Job whatever fails after. */
function jobOf(cronJob: CronJob, scheduledMs: number): Draft<Job> {
  const { metadata, spec } = cronJob.spec!.jobTemplate;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${cronJob.metadata.name}-${Math.floor(scheduledMs / 60_000)}`,
      namespace: cronJob.metadata.namespace!,
      ...(metadata?.labels !== undefined && { labels: metadata.labels }),
      annotations: {
        ...metadata?.annotations,
        'batch.kubernetes.io/cronjob-scheduled-timestamp': timestampIn(cronJob.spec!.timeZone, scheduledMs),
      },
      ownerReferences: [controllerReference(cronJob, 'batch/v1', 'CronJob')],
    },
    spec: spec!,
  };
}

/** RFC 3339 with the zone's offset. */
function timestampIn(timeZone: string | undefined, atMs: number): string {
  if (timeZone === undefined || timeZone === 'UTC' || timeZone === 'Etc/UTC') return formatTime(atMs);
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  const name = format.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')!.value;
  const match = /GMT([+-])(\d\d):(\d\d)/.exec(name);
  if (match === null) return formatTime(atMs);
  const sign = match[1] === '-' ? -1 : 1;
  const offsetMs = sign * (Number(match[2]) * 60 + Number(match[3])) * 60_000;
  return `${formatTime(atMs + offsetMs).slice(0, 19)}${match[1]}${match[2]}:${match[3]}`;
}

async function start(
  jobClient: ResourceClient<Job>,
  cronJob: CronJob,
  draft: Draft<Job>,
  event: EventFunction,
): Promise<Job | undefined> {
  try {
    const job = await jobClient.create(draft);
    event('Normal', 'SuccessfulCreate', `Created job ${job.metadata.name}`);
    return job;
  } catch (error) {
    if (isAlreadyExists(error)) {
      // Created before a crash or under an old cache: it still has to get into the status.
      const job = await jobClient.get(draft.metadata.name!);
      const isOurs = job.metadata.ownerReferences?.some(({ uid }) => uid === cronJob.metadata.uid) === true;
      return isOurs ? job : undefined;
    }
    if (!isNamespaceTerminating(error)) event('Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`);
    throw error;
  }
}

function referenceTo(job: KubeObject): Active {
  const { namespace, name, uid, resourceVersion } = job.metadata;
  return { kind: 'Job', namespace: namespace!, name, uid, apiVersion: 'batch/v1', resourceVersion };
}
