import type { Job } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { formatTime } from '../../api/object.ts';
import type { ReconcileTools } from '../../client/controller.ts';
import { expectationsTimeoutMs } from '../../client/expectations.ts';
import { keyOf } from '../../client/informer.ts';
import { isPodActive, isPodReady, isPodTerminating } from '../common/pod-state.ts';
import { nextBackoff } from './backoff.ts';
import { deadlineInMs, failureOf, findCondition, newCondition, successByPolicy, withCondition } from './conditions.ts';
import { countsAsFailure, judgeFailure } from './failure-policy.ts';
import { IndexSet } from './indexes.ts';
import type { JobTools, JobView } from './job-view.ts';
import { managePods } from './manage-pods.ts';
import {
  allIndexFailures,
  finishedAtMs,
  hasLimitPerIndex,
  indexFailures,
  indexOf,
  isFailed,
  isIndexed,
  isTracked,
} from './pods.ts';
import { settle } from './tracking.ts';

/** Counts what ended, decides whether the Job is over, keeps as many pods running as it asks for, and writes it down. */
export async function reconcileJob(with_: JobTools, job: Job, pods: Pod[], tools: ReconcileTools): Promise<void> {
  const isSettled = with_.isSettled(job.metadata.uid);
  // Should the watch never show what is awaited, the Job is looked at again all the same.
  if (!isSettled) tools.queue.addAfter(keyOf(job), expectationsTimeoutMs + 1000);
  const view = look(with_, job, pods, tools.now());
  const before = view.status;
  decideEnd(view, tools);

  let failure: unknown;
  if (view.finished !== undefined) {
    const wanted = view.activeCount;
    const { deleted, error } = await with_.work.deleteActive(view, view.active);
    // Not over before all its pods are known and gone.
    if (deleted !== wanted || !isSettled) view.finished = undefined;
    failure = error;
  } else {
    const mayManage = isSettled && job.metadata.deletionTimestamp === undefined;
    if (mayManage) failure = await managePods(with_.work, view, tools);
    const isDone =
      view.activeCount === 0 &&
      (job.spec?.completions === undefined ? view.succeeded > 0 : view.succeeded >= job.spec.completions);
    if (isDone) {
      view.finished = newCondition(
        'SuccessCriteriaMet',
        'True',
        'CompletionsReached',
        'Reached expected number of succeeded pods',
        tools.now(),
      );
    } else if (mayManage) noteSuspension(with_, view, tools.now());
  }
  view.status = {
    ...view.status,
    active: view.activeCount,
    ready: view.readyCount,
    terminating: view.terminatingCount,
  };
  await settle(with_, view, before, tools);
  if (failure !== undefined) throw failure;
}

function look(with_: JobTools, job: Job, pods: Pod[], nowMs: number): JobView {
  const untracked = with_.untracked(job.metadata.uid);
  const uncounted = job.status?.uncountedTerminatedPods ?? {};
  const uncountedSucceeded = new Set(uncounted.succeeded ?? []);
  const uncountedFailed = new Set(uncounted.failed ?? []);
  const isNew = (pod: Pod, known: Set<string>) =>
    isTracked(pod) &&
    !untracked.has(pod.metadata.uid) &&
    !known.has(pod.metadata.uid) &&
    (!isIndexed(job) || indexOf(pod, job) !== undefined);
  const newSucceeded = pods.filter((pod) => pod.status?.phase === 'Succeeded' && isNew(pod, uncountedSucceeded));
  const newFailed = pods.filter((pod) => isFailed(pod, job) && isNew(pod, uncountedFailed));
  const counted = newFailed.filter((pod) => countsAsFailure(job.spec?.podFailurePolicy, pod));
  const active = pods.filter(isPodActive);
  const isSuspended = job.spec?.suspend === true;
  const view: JobView = {
    job,
    status: {
      ...job.status,
      uncountedTerminatedPods: uncounted,
      ...(job.status?.startTime === undefined && !isSuspended && { startTime: formatTime(nowMs) }),
    },
    pods,
    untracked,
    active,
    activeCount: active.length,
    readyCount: active.filter(isPodReady).length,
    terminatingCount: pods.filter(isPodTerminating).length,
    succeeded: (job.status?.succeeded ?? 0) + newSucceeded.length + uncountedSucceeded.size,
    failed: (job.status?.failed ?? 0) + counted.length + uncountedFailed.size,
    completedBefore: new IndexSet(),
    succeededIndexes: undefined,
    failedIndexes: undefined,
    waitingForSuccessor: new Map(),
    backoff: nextBackoff(with_.backoffOf(keyOf(job)), newSucceeded, newFailed),
    finished: undefined,
  };
  if (isIndexed(job)) lookAtIndexes(view);
  return view;
}

function lookAtIndexes(view: JobView): void {
  const { job, pods } = view;
  const completions = job.spec!.completions!;
  view.completedBefore = IndexSet.parse(job.status?.completedIndexes, completions);
  const indexesOf = (some: Pod[]) => some.map((pod) => indexOf(pod, job)).filter((index) => index !== undefined);
  const uncounted = pods.filter((pod) => isTracked(pod));
  view.succeededIndexes = view.completedBefore.with(
    indexesOf(uncounted.filter((pod) => pod.status?.phase === 'Succeeded')),
  );
  view.succeeded = view.succeededIndexes.size;
  if (!hasLimitPerIndex(job)) return;
  view.failedIndexes = IndexSet.parse(job.status?.failedIndexes, completions).with(
    indexesOf(uncounted.filter((pod) => isIndexFailed(pod, job))),
  );
  const activeIndexes = new Set(indexesOf(view.active));
  for (const pod of uncounted) {
    const index = indexOf(pod, job);
    if (index === undefined || !isFailed(pod, job) || view.untracked.has(pod.metadata.uid)) continue;
    if (view.succeededIndexes.has(index) || view.failedIndexes.has(index) || activeIndexes.has(index)) continue;
    const other = view.waitingForSuccessor.get(index);
    const isLater =
      other === undefined ||
      (allIndexFailures(other) <= allIndexFailures(pod) && finishedAtMs(pod) >= finishedAtMs(other));
    if (isLater) view.waitingForSuccessor.set(index, pod);
  }
}

function isIndexFailed(pod: Pod, job: Job): boolean {
  if (!isFailed(pod, job)) return false;
  const { action } = judgeFailure(job.spec?.podFailurePolicy, pod);
  if (action === 'FailIndex') return true;
  return action !== 'Ignore' && indexFailures(pod) >= job.spec!.backoffLimitPerIndex!;
}

/** What was decided earlier stands; then failures, then successes. */
function decideEnd(view: JobView, tools: ReconcileTools): void {
  const job = { ...view.job, status: view.status };
  const nowMs = tools.now();
  const met = findCondition(job, 'SuccessCriteriaMet');
  const target = findCondition(job, 'FailureTarget');
  if (met?.status === 'True') view.finished = met;
  else if (target?.status === 'True') {
    view.finished = newCondition('Failed', 'True', target.reason ?? '', target.message ?? '', nowMs);
  } else {
    view.finished = failureOf(job, view.pods, view, nowMs) ?? successByPolicy(job, view.succeededIndexes, nowMs);
  }
  const inMs = deadlineInMs(job, nowMs);
  if (view.finished === undefined && inMs !== undefined) tools.queue.addAfter(keyOf(job), inMs);
}

function noteSuspension(with_: JobTools, view: JobView, nowMs: number): void {
  const isSuspended = view.job.spec?.suspend === true;
  const [status, reason, message] = isSuspended
    ? ['True', 'JobSuspended', 'Job suspended']
    : ['False', 'JobResumed', 'Job resumed'];
  const conditions = withCondition(view.status.conditions, 'Suspended', status!, reason!, message!, nowMs);
  if (conditions === undefined) return;
  // A resumed Job starts its deadline anew.
  const { startTime: _, ...rest } = view.status;
  view.status = { ...rest, conditions, ...(!isSuspended && { startTime: formatTime(nowMs) }) };
  with_.event(view.job, 'Normal', isSuspended ? 'Suspended' : 'Resumed', message!);
}
