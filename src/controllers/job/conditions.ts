import type { Job, JobCondition } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { formatTime } from '../../api/object.ts';
import { judgeFailure } from './failure-policy.ts';
import { IndexSet } from './indexes.ts';
import { isFailed } from './pods.ts';

export function newCondition(
  type: string,
  status: string,
  reason: string,
  message: string,
  nowMs: number,
): JobCondition {
  const now = formatTime(nowMs);
  return { type, status, lastProbeTime: now, lastTransitionTime: now, reason, message };
}

export const findCondition = (job: Job, type: string): JobCondition | undefined =>
  job.status?.conditions?.find((condition) => condition.type === type);

export const isFinished = (job: Job): boolean =>
  (job.status?.conditions ?? []).some(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );

/** Undefined when nothing changes: it is the same already, or False and never was there. */
export function withCondition(
  conditions: JobCondition[] | undefined,
  type: string,
  status: string,
  reason: string,
  message: string,
  nowMs: number,
): JobCondition[] | undefined {
  const all = conditions ?? [];
  const current = all.find((condition) => condition.type === type);
  const wanted = newCondition(type, status, reason, message, nowMs);
  if (current === undefined) return status === 'False' ? undefined : [...all, wanted];
  if (current.status === status && current.reason === reason && current.message === message) return undefined;
  return all.map((condition) => (condition === current ? wanted : condition));
}

/** Why the Job is to fail, by what its pods and its clock say: FailureTarget, which becomes Failed when all pods ended. */
export function failureOf(
  job: Job,
  pods: Pod[],
  counts: { failed: number; failedIndexes: IndexSet | undefined; succeededIndexes: IndexSet | undefined },
  nowMs: number,
): JobCondition | undefined {
  const spec = job.spec!;
  const fail = (reason: string, message: string) => newCondition('FailureTarget', 'True', reason, message, nowMs);
  if (spec.podFailurePolicy !== undefined) {
    for (const pod of pods) {
      if (!isFailed(pod, job)) continue;
      const { action, message } = judgeFailure(spec.podFailurePolicy, pod);
      if (action === 'FailJob') return fail('PodFailurePolicy', message!);
    }
  }
  if (counts.failed > (spec.backoffLimit ?? 6) || restartsExceedLimit(job, pods)) {
    return fail('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  }
  if (deadlineInMs(job, nowMs) === 0) return fail('DeadlineExceeded', 'Job was active longer than specified deadline');
  const { failedIndexes, succeededIndexes } = counts;
  if (failedIndexes !== undefined && succeededIndexes !== undefined) {
    if (spec.maxFailedIndexes !== undefined && failedIndexes.size > spec.maxFailedIndexes) {
      return fail('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
    }
    if (failedIndexes.size > 0 && failedIndexes.size + succeededIndexes.size >= spec.completions!) {
      return fail('FailedIndexes', 'Job has failed indexes');
    }
  }
  return undefined;
}

/** Milliseconds until activeDeadlineSeconds is over; undefined when the Job has no deadline that runs. */
export function deadlineInMs(job: Job, nowMs: number): number | undefined {
  const seconds = job.spec?.activeDeadlineSeconds;
  if (seconds === undefined || job.status?.startTime === undefined || job.spec?.suspend === true) return undefined;
  return Math.max(0, Date.parse(job.status.startTime) + seconds * 1000 - nowMs);
}

/** With restartPolicy OnFailure, containers restart in their pods: their restarts are what is limited. */
function restartsExceedLimit(job: Job, pods: Pod[]): boolean {
  if (job.spec!.template.spec?.restartPolicy !== 'OnFailure') return false;
  let restarts = 0;
  for (const pod of pods) {
    if (pod.status?.phase !== 'Running' && pod.status?.phase !== 'Pending') continue;
    const statuses = [...(pod.status.initContainerStatuses ?? []), ...(pod.status.containerStatuses ?? [])];
    for (const status of statuses) restarts += status.restartCount;
  }
  const limit = job.spec!.backoffLimit ?? 6;
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** The success policy's first rule that the succeeded indexes meet. */
export function successByPolicy(job: Job, succeeded: IndexSet | undefined, nowMs: number): JobCondition | undefined {
  if (succeeded === undefined || succeeded.size === 0) return undefined;
  for (const [index, rule] of (job.spec?.successPolicy?.rules ?? []).entries()) {
    let isMet: boolean;
    if (rule.succeededIndexes !== undefined) {
      const required = IndexSet.parse(rule.succeededIndexes, job.spec!.completions!);
      const done = required.overlap(succeeded);
      isMet =
        required.size > 0 &&
        (done === required.size || (rule.succeededCount !== undefined && done >= rule.succeededCount));
    } else {
      isMet = rule.succeededCount !== undefined && succeeded.size >= rule.succeededCount;
    }
    if (isMet)
      return newCondition('SuccessCriteriaMet', 'True', 'SuccessPolicy', `Matched rules at index ${index}`, nowMs);
  }
  return undefined;
}
