import { type Clock, spanClock } from '../base/clock.ts';
import type { ObjectKey } from './informer.ts';

interface Expected {
  creations: number;
  /** Keys or uids whose deletion was asked for and not seen yet. */
  deletions: Set<string>;
  sinceMs: number;
}

// client-go's ExpectationsTimeout: after it, the watch is believed rather than the memory.
export const expectationsTimeoutMs = 5 * 60_000;

/**
 * What a controller has done and its cache has not shown yet. While an owner's expectations are open, it must not
 * create or delete more for it: the cache is older than its own writes. Follows client-go's ControllerExpectations.
 */
export class Expectations {
  readonly #spanMs: () => number;
  readonly #byOwner = new Map<ObjectKey, Expected>();

  constructor(clock: Clock) {
    this.#spanMs = spanClock(clock);
  }

  #of(owner: ObjectKey): Expected {
    let expected = this.#byOwner.get(owner);
    if (expected === undefined) {
      expected = { creations: 0, deletions: new Set(), sinceMs: this.#spanMs() };
      this.#byOwner.set(owner, expected);
    }
    expected.sinceMs = this.#spanMs();
    return expected;
  }

  /** Call before the requests are sent: the watch may be quicker than the answer. */
  expectCreations(owner: ObjectKey, count: number): void {
    if (count > 0) this.#of(owner).creations += count;
  }

  expectDeletions(owner: ObjectKey, uids: Iterable<string>): void {
    for (const uid of uids) this.#of(owner).deletions.add(uid);
  }

  /** Seen in the cache, or the request failed. */
  creationsObserved(owner: ObjectKey, count = 1): void {
    const expected = this.#byOwner.get(owner);
    if (expected === undefined) return;
    expected.creations -= count;
    this.#settle(owner, expected);
  }

  /** Seen in the cache (also: its deletionTimestamp), or the request failed. */
  deletionObserved(owner: ObjectKey, uid: string): void {
    const expected = this.#byOwner.get(owner);
    if (expected === undefined) return;
    expected.deletions.delete(uid);
    this.#settle(owner, expected);
  }

  #settle(owner: ObjectKey, expected: Expected): void {
    if (expected.creations <= 0 && expected.deletions.size === 0) this.#byOwner.delete(owner);
  }

  satisfied(owner: ObjectKey): boolean {
    const expected = this.#byOwner.get(owner);
    return expected === undefined || this.#spanMs() - expected.sinceMs > expectationsTimeoutMs;
  }

  forget(owner: ObjectKey): void {
    this.#byOwner.delete(owner);
  }
}

/**
 * Calls `task` 1, 2, 4, … times at once up to `widest`, and stops after the first batch with a failure: a quota or a
 * webhook that refuses costs one request instead of `count`. Follows upstream's slowStartBatch. Who has reason to expect
 * success starts with `first` at once.
 */
export async function slowStart(
  count: number,
  widest: number,
  task: (index: number) => Promise<void>,
  first = 1,
): Promise<{ succeeded: number; error?: unknown }> {
  let succeeded = 0;
  let started = 0;
  for (let size = Math.max(Math.min(first, widest), 1); started < count; size = Math.min(size * 2, widest)) {
    const batch = Math.min(size, count - started);
    let error: unknown;
    await Promise.all(
      Array.from({ length: batch }, (_, offset) =>
        task(started + offset).then(
          () => {
            succeeded++;
          },
          (failure: unknown) => {
            error ??= failure;
          },
        ),
      ),
    );
    started += batch;
    if (error !== undefined) return { succeeded, error };
  }
  return { succeeded };
}
