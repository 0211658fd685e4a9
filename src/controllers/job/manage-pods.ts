import type { Pod } from '../../api/generated/core-v1.ts';
import type { ReconcileTools } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import { podsToDelete } from '../common/deletion-order.ts';
import { isPodTerminating } from '../common/pod-state.ts';
import { remainingBackoffMs } from './backoff.ts';
import type { JobView, PodWork } from './job-view.ts';
import { allIndexFailures, finishedAtMs, hasLimitPerIndex, indexOf, isIndexed, replacesFailedOnly } from './pods.ts';

const mostAtOnce = 500;

/** Creates or deletes pods so that as many run as parallelism and the remaining completions allow. */
export async function managePods(work: PodWork, view: JobView, tools: ReconcileTools): Promise<unknown> {
  const { job } = view;
  if (job.spec?.suspend === true) return (await work.deleteUncounted(view, view.active)).error;
  const wanted = wantedActive(view);
  const excess = excessPods(view, Math.max(0, view.activeCount - wanted), tools.now());
  if (excess.length > 0) return (await work.deleteUncounted(view, excess.slice(0, mostAtOnce))).error;

  const terminating = replacesFailedOnly(job) ? view.terminatingCount : 0;
  const missing = Math.min(wanted - terminating - view.activeCount, mostAtOnce);
  if (missing <= 0) return undefined;
  if (!hasLimitPerIndex(job)) {
    const waitMs = remainingBackoffMs(view.backoff, tools.now());
    if (waitMs > 0) {
      tools.queue.addAfter(keyOf(job), waitMs);
      return undefined;
    }
  }
  const indexes = isIndexed(job)
    ? indexesToStart(view, missing, tools)
    : Array.from({ length: missing }, () => undefined);
  if (indexes.length === 0) return undefined;
  return (await work.create(view, indexes)).error;
}

function wantedActive(view: JobView): number {
  const { completions, parallelism = 1 } = view.job.spec!;
  if (completions === undefined) return view.succeeded > 0 ? view.activeCount : parallelism;
  return Math.max(0, Math.min(completions - view.succeeded, parallelism));
}

/** Pods beyond what is wanted; of an index that has several, all but the first to go. */
function excessPods(view: JobView, atLeast: number, nowMs: number): Pod[] {
  if (!isIndexed(view.job)) return atLeast === 0 ? [] : podsToDelete(view.active, [], atLeast, nowMs);
  const byIndex = new Map<number, Pod[]>();
  const remove: Pod[] = [];
  for (const pod of view.active) {
    const index = indexOf(pod, view.job);
    if (index === undefined) remove.push(pod);
    else byIndex.set(index, [...(byIndex.get(index) ?? []), pod]);
  }
  const left: Pod[] = [];
  for (const pods of byIndex.values()) {
    const extra = pods.length > 1 ? podsToDelete(pods, [], pods.length - 1, nowMs) : [];
    remove.push(...extra);
    left.push(...pods.filter((pod) => !extra.includes(pod)));
  }
  if (remove.length < atLeast) remove.push(...podsToDelete(left, [], atLeast - remove.length, nowMs));
  return remove;
}

function indexesToStart(view: JobView, count: number, tools: ReconcileTools): number[] {
  const { job } = view;
  const indexesOf = (pods: Pod[]) => pods.map((pod) => indexOf(pod, job)).filter((index) => index !== undefined);
  let taken = view.succeededIndexes!.with(indexesOf(view.active));
  if (replacesFailedOnly(job)) taken = taken.with(indexesOf(view.pods.filter(isPodTerminating)));
  if (view.failedIndexes !== undefined) taken = taken.union(view.failedIndexes);
  const missing = taken.firstMissing(count, job.spec!.completions!);
  if (!hasLimitPerIndex(job)) return missing;
  // Each index backs off for itself.
  let soonestMs = Number.POSITIVE_INFINITY;
  const ready = missing.filter((index) => {
    const waitMs = indexBackoffMs(view.waitingForSuccessor.get(index), tools.now());
    if (waitMs > 0) soonestMs = Math.min(soonestMs, waitMs);
    return waitMs === 0;
  });
  if (ready.length === 0 && Number.isFinite(soonestMs)) tools.queue.addAfter(keyOf(job), soonestMs);
  return ready;
}

function indexBackoffMs(last: Pod | undefined, nowMs: number): number {
  if (last === undefined) return 0;
  return remainingBackoffMs({ failures: allIndexFailures(last) + 1, lastFailureMs: finishedAtMs(last) }, nowMs);
}
