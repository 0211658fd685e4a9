import type { Clock } from '../../base/clock.ts';

/**
 * Keys that fall due at some time, with one timer for all of them. Setting a key again moves it. Buckets of some seconds
 * keep it cheap with many thousands of keys: a key is told that much late, and never early.
 */
export class DueList {
  readonly #clock: Clock;
  readonly #bucketMs: number;
  readonly #onDue: (key: string) => void;
  readonly #dueOf = new Map<string, number>();
  readonly #buckets = new Map<number, Set<string>>();
  #timer: { bucket: number; cancel: () => void } | undefined;

  constructor(clock: Clock, onDue: (key: string) => void, bucketMs = 10_000) {
    this.#clock = clock;
    this.#onDue = onDue;
    this.#bucketMs = bucketMs;
  }

  get size(): number {
    return this.#dueOf.size;
  }

  set(key: string, dueMs: number): void {
    const bucket = Math.ceil(dueMs / this.#bucketMs);
    if (this.#dueOf.get(key) === bucket) return;
    this.delete(key);
    this.#dueOf.set(key, bucket);
    let keys = this.#buckets.get(bucket);
    if (keys === undefined) this.#buckets.set(bucket, (keys = new Set()));
    keys.add(key);
    if (this.#timer === undefined || bucket < this.#timer.bucket) this.#arm(bucket);
  }

  delete(key: string): void {
    const bucket = this.#dueOf.get(key);
    if (bucket === undefined) return;
    this.#dueOf.delete(key);
    const keys = this.#buckets.get(bucket);
    keys?.delete(key);
    if (keys?.size === 0) this.#buckets.delete(bucket);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(bucket: number): void {
    this.#timer?.cancel();
    const cancel = this.#clock.schedule(Math.max(0, bucket * this.#bucketMs - this.#clock.now()), () => {
      this.#timer = undefined;
      this.#release();
    });
    this.#timer = { bucket, cancel };
  }

  #release(): void {
    const current = Math.floor(this.#clock.now() / this.#bucketMs);
    const due = [...this.#buckets.keys()].filter((bucket) => bucket <= current).sort((a, b) => a - b);
    for (const bucket of due) {
      for (const key of [...(this.#buckets.get(bucket) ?? [])]) {
        this.delete(key);
        this.#onDue(key);
      }
    }
    if (this.#buckets.size > 0 && this.#timer === undefined) this.#arm(Math.min(...this.#buckets.keys()));
  }
}
