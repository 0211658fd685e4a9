import type { JobStatus } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { ReconcileTools } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import { canonical, isSame, omitEmpty } from '../common/canonical.ts';
import { newCondition, withCondition } from './conditions.ts';
import { countsAsFailure } from './failure-policy.ts';
import type { JobTools, JobView } from './job-view.ts';
import { hasLimitPerIndex, indexOf, isFailed, isIndexed, isTracked } from './pods.ts';

const mostUncounted = 500;

/**
 * Counts each ended pod exactly once, whatever fails in between: its uid is written into the status as uncounted, then its
 * finalizer is removed, then the uid becomes a count. A pod with the finalizer is not counted yet; one without it and
 * still uncounted is counted now.
 */
export async function settle(with_: JobTools, view: JobView, before: JobStatus, tools: ReconcileTools): Promise<void> {
  const { job } = view;
  const tracked = new Set(
    view.pods.filter((pod) => isTracked(pod) && !view.untracked.has(pod.metadata.uid)).map((pod) => pod.metadata.uid),
  );
  countFreed(view, tracked);
  const { free, isFull } = collectEnded(view);
  noteInterim(view, tools.now());
  const isChanged = !isSame(written(view.status), written(job.status ?? {}));
  let current = job;
  if (isChanged) {
    current = await with_.writer.updateStatus(current, written(view.status));
    with_.setBackoff(keyOf(job), view.backoff);
  }
  let failure: unknown;
  if (free.length > 0) {
    const { freed, error } = await with_.writer.removeFinalizers(job, free);
    for (const uid of freed) tracked.delete(uid);
    failure = error;
    countFreed(view, tracked);
  }
  const isOver = !isFull && failure === undefined && finish(view, tools.now());
  if (canonical(written(view.status)) !== canonical(written(current.status ?? before))) {
    await with_.writer.updateStatus(current, written(view.status));
  }
  if (isOver) announce(with_, view);
  if (failure !== undefined) throw failure;
}

/** Uncounted pods that have lost their finalizer become counts. */
function countFreed(view: JobView, tracked: ReadonlySet<string>): void {
  const { succeeded = [], failed = [] } = view.status.uncountedTerminatedPods ?? {};
  const stillSucceeded = succeeded.filter((uid) => tracked.has(uid));
  const stillFailed = failed.filter((uid) => tracked.has(uid));
  view.status = {
    ...view.status,
    succeeded: (view.status.succeeded ?? 0) + succeeded.length - stillSucceeded.length,
    failed: (view.status.failed ?? 0) + failed.length - stillFailed.length,
    uncountedTerminatedPods: { succeeded: stillSucceeded, failed: stillFailed },
  };
}

/** Notes pods that ended since; returns those whose finalizer may go, at most 500 a round. */
function collectEnded(view: JobView): { free: Pod[]; isFull: boolean } {
  const { job } = view;
  const isByIndex = isIndexed(job);
  const uncounted = {
    succeeded: [...(view.status.uncountedTerminatedPods?.succeeded ?? [])],
    failed: [...(view.status.uncountedTerminatedPods?.failed ?? [])],
  };
  const known = { succeeded: new Set(uncounted.succeeded), failed: new Set(uncounted.failed) };
  const endsAll = job.metadata.deletionTimestamp !== undefined || view.finished !== undefined;
  const failsRest = view.finished !== undefined && view.finished.type !== 'SuccessCriteriaMet';
  const newIndexes: number[] = [];
  const free: Pod[] = [];
  let isFull = false;
  const pods = isByIndex ? [...view.pods].sort((a, b) => (indexOf(a, job) ?? 0) - (indexOf(b, job) ?? 0)) : view.pods;
  for (const pod of pods) {
    const { uid } = pod.metadata;
    if (!isTracked(pod) || view.untracked.has(uid)) continue;
    const failed = isFailed(pod, job);
    const hasSucceeded = pod.status?.phase === 'Succeeded';
    if (!endsAll && !hasSucceeded && !failed) continue;
    const index = indexOf(pod, job);
    if (!endsAll && !hasSucceeded && hasLimitPerIndex(job) && index !== undefined) {
      // Its successor takes over its failure count.
      if (view.waitingForSuccessor.get(index)?.metadata.uid === uid) continue;
    }
    free.push(pod);
    if (hasSucceeded && !known.failed.has(uid)) {
      if (isByIndex) {
        if (index !== undefined && !view.completedBefore.has(index)) newIndexes.push(index);
      } else if (!known.succeeded.has(uid)) uncounted.succeeded.push(uid);
    } else if (failed || failsRest) {
      const counts = !known.failed.has(uid) && (!isByIndex || index !== undefined);
      if (counts && countsAsFailure(job.spec?.podFailurePolicy, pod)) uncounted.failed.push(uid);
    }
    if (newIndexes.length + uncounted.succeeded.length + uncounted.failed.length >= mostUncounted) {
      isFull = true;
      break;
    }
  }
  view.status = { ...view.status, uncountedTerminatedPods: uncounted };
  if (isByIndex) {
    const completed = isFull ? view.completedBefore.with(newIndexes) : view.succeededIndexes!.with(newIndexes);
    view.status = {
      ...view.status,
      succeeded: completed.size,
      completedIndexes: completed.toString(),
      ...(view.failedIndexes !== undefined && { failedIndexes: view.failedIndexes.toString() }),
    };
  }
  return { free, isFull };
}

/** The end shows as SuccessCriteriaMet or FailureTarget first, and as Complete or Failed when no pod is left. */
function noteInterim(view: JobView, nowMs: number): void {
  const { finished } = view;
  if (finished === undefined) return;
  const { type, reason = '', message = '' } = finished;
  if (type !== 'FailureTarget' && type !== 'SuccessCriteriaMet') return;
  const conditions = view.status.conditions ?? [];
  if (!conditions.some((condition) => condition.type === type)) {
    view.status = { ...view.status, conditions: [...conditions, finished] };
  }
  view.finished = newCondition(type === 'FailureTarget' ? 'Failed' : 'Complete', 'True', reason, message, nowMs);
}

function finish(view: JobView, nowMs: number): boolean {
  const { finished } = view;
  if (finished === undefined) return false;
  const { succeeded = [], failed = [] } = view.status.uncountedTerminatedPods ?? {};
  if (succeeded.length + failed.length > 0 || view.terminatingCount > 0) return false;
  const { type, status, reason = '', message = '', lastTransitionTime } = finished;
  const conditions = withCondition(view.status.conditions, type, status, reason, message, nowMs);
  view.status = {
    ...view.status,
    ...(conditions !== undefined && { conditions }),
    ...(type === 'Complete' && lastTransitionTime !== undefined && { completionTime: lastTransitionTime }),
  };
  return true;
}

function announce(with_: JobTools, view: JobView): void {
  const { job, finished, status } = view;
  if (finished!.type === 'Complete') {
    const { completions } = job.spec!;
    if (completions !== undefined && (status.succeeded ?? 0) > completions) {
      const message = 'Too many succeeded pods running after completion count reached';
      with_.event(job, 'Warning', 'TooManySucceededPods', message);
    }
    with_.event(job, 'Normal', 'Completed', 'Job completed');
  } else {
    with_.event(job, 'Warning', finished!.reason ?? '', finished!.message ?? '');
  }
}

/** As it is stored: zero counts are left out, ready and terminating are not. */
function written(status: JobStatus): JobStatus {
  const { ready, terminating, uncountedTerminatedPods, ...rest } = status;
  return {
    ...omitEmpty(rest),
    ...(ready !== undefined && { ready }),
    ...(terminating !== undefined && { terminating }),
    uncountedTerminatedPods: omitEmpty(uncountedTerminatedPods ?? {}),
  };
}
