import type { CronJob } from '../../api/generated/batch-v1.ts';
import type { Schedule } from './schedule.ts';

// A wait ends a little late, so that a clock which is set back does not make it early.
const lateMs = 100;

export interface Due {
  /** The newest time that should have run and did not, epoch milliseconds. */
  scheduledMs: number | undefined;
  missed: 'none' | 'few' | 'many';
  earliestMs: number;
}

/** Follows upstream's mostRecentScheduleTime. Throws when the schedule never comes (31st of February). */
export function dueTime(cronJob: CronJob, nowMs: number, schedule: Schedule, withDeadline: boolean): Due {
  const { creationTimestamp } = cronJob.metadata;
  let earliestMs = Date.parse(cronJob.status?.lastScheduleTime ?? creationTimestamp);
  const deadlineSeconds = cronJob.spec?.startingDeadlineSeconds;
  if (withDeadline && deadlineSeconds !== undefined) earliestMs = Math.max(earliestMs, nowMs - deadlineSeconds * 1000);
  const firstMs = schedule.next(earliestMs);
  if (firstMs === undefined) throw new Error('time difference between two schedules is less than 1 second');
  if (nowMs < firstMs) return { scheduledMs: undefined, missed: 'none', earliestMs };
  const secondMs = schedule.next(firstMs);
  if (secondMs === undefined || nowMs < secondMs) return { scheduledMs: firstMs, missed: 'none', earliestMs };
  const intervalSeconds = Math.round((secondMs - firstMs) / 1000);
  if (intervalSeconds < 1) throw new Error('time difference between two schedules is less than 1 second');
  // Roughly: the times between may be uneven. Only the last stretch is walked.
  const missedCount = Math.floor((nowMs - firstMs) / 1000 / intervalSeconds) + 1;
  let scheduledMs: number | undefined;
  const fromMs = firstMs + (missedCount - 2) * intervalSeconds * 1000;
  for (let atMs = schedule.next(fromMs); atMs !== undefined && atMs <= nowMs; atMs = schedule.next(atMs)) {
    scheduledMs = atMs;
  }
  return { scheduledMs, missed: missedCount > 100 ? 'many' : 'few', earliestMs };
}

/** How long to wait for the next time; undefined when there is none. */
export function nextInMs(cronJob: CronJob, nowMs: number, schedule: Schedule): number | undefined {
  let fromMs: number;
  try {
    const due = dueTime(cronJob, nowMs, schedule, false);
    fromMs = due.scheduledMs ?? (due.missed === 'none' ? due.earliestMs : nowMs);
  } catch {
    fromMs = nowMs;
  }
  const nextMs = schedule.next(fromMs);
  return nextMs === undefined ? undefined : nextMs + lateMs - nowMs;
}
