import type { Pod } from '../../api/generated/core-v1.ts';
import { finishedAtMs } from './pods.ts';

// A failed pod's replacement waits 10 s, 20 s, 40 s, … at most 10 minutes.
const firstMs = 10_000;
const longestMs = 600_000;

export interface BackoffRecord {
  failures: number;
  lastFailureMs: number | undefined;
}

export const noBackoff: BackoffRecord = { failures: 0, lastFailureMs: undefined };

/** Failures since the last success, after the pods that ended since `record` was made. */
export function nextBackoff(record: BackoffRecord, succeeded: Pod[], failed: Pod[]): BackoffRecord {
  if (succeeded.length === 0) {
    if (failed.length === 0) return record;
    return { failures: record.failures + failed.length, lastFailureMs: Math.max(...failed.map(finishedAtMs)) };
  }
  const lastSuccessMs = Math.max(...succeeded.map(finishedAtMs));
  const later = failed.map(finishedAtMs).filter((atMs) => atMs > lastSuccessMs);
  return { failures: later.length, lastFailureMs: later.length === 0 ? undefined : Math.max(...later) };
}

export function remainingBackoffMs(record: BackoffRecord, nowMs: number): number {
  if (record.failures === 0 || record.lastFailureMs === undefined) return 0;
  const waitMs = Math.min(firstMs * 2 ** Math.min(record.failures - 1, 20), longestMs);
  return Math.max(0, waitMs - (nowMs - record.lastFailureMs));
}
