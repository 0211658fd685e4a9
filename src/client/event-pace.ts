import { type Clock, spanClock } from '../base/clock.ts';
import { Fifo } from './fair-queue.ts';

// As upstream's kubelet (event-qps, event-burst) and the scheduler's client, here for each tenant.
const perSecond = 50;
const burst = 100;
const tickMs = 100;
const bucketsKept = 1000;

interface Bucket<Item> {
  tokens: number;
  /** As of when. */
  atMs: number;
  waiting: Fifo<Item>;
}

/**
 * Lets each tenant's events pass at the pace that a component keeps upstream: some at once, then so many a second; the
 * others wait. Nothing is kept of a tenant that was silent for two seconds, and there is no timer while none waits.
 */
export class EventPace<Item> {
  readonly #clock: Clock;
  readonly #spanMs: () => number;
  readonly #pass: (tenant: string, item: Item) => void;
  readonly #buckets = new Map<string, Bucket<Item>>();
  #waiting = 0;
  #sweepAbove = bucketsKept;
  #cancelTick: (() => void) | undefined;

  constructor(clock: Clock, pass: (tenant: string, item: Item) => void) {
    this.#clock = clock;
    this.#spanMs = spanClock(clock);
    this.#pass = pass;
  }

  /** Those of the tenant that wait. */
  sizeOf(tenant: string): number {
    return this.#buckets.get(tenant)?.waiting.size ?? 0;
  }

  push(tenant: string, item: Item): void {
    const nowMs = this.#spanMs();
    let bucket = this.#buckets.get(tenant);
    if (bucket === undefined) {
      this.#sweep(nowMs);
      bucket = { tokens: burst, atMs: nowMs, waiting: new Fifo() };
      this.#buckets.set(tenant, bucket);
    } else fill(bucket, nowMs);
    if (bucket.waiting.size === 0 && bucket.tokens >= 1) {
      bucket.tokens--;
      this.#pass(tenant, item);
      return;
    }
    bucket.waiting.push(item);
    this.#waiting++;
    this.#cancelTick ??= this.#clock.schedule(tickMs, () => this.#tick());
  }

  /** Lets all go that wait, at once. */
  release(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    for (const [tenant, { waiting }] of this.#buckets) {
      for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) this.#pass(tenant, item);
    }
    this.#waiting = 0;
  }

  #tick(): void {
    this.#cancelTick = undefined;
    const nowMs = this.#spanMs();
    for (const [tenant, bucket] of this.#buckets) {
      fill(bucket, nowMs);
      while (bucket.tokens >= 1 && bucket.waiting.size > 0) {
        bucket.tokens--;
        this.#waiting--;
        this.#pass(tenant, bucket.waiting.pop()!);
      }
    }
    if (this.#waiting > 0) this.#cancelTick = this.#clock.schedule(tickMs, () => this.#tick());
  }

  #sweep(nowMs: number): void {
    if (this.#buckets.size <= this.#sweepAbove) return;
    for (const [tenant, bucket] of this.#buckets) {
      fill(bucket, nowMs);
      if (bucket.tokens >= burst && bucket.waiting.size === 0) this.#buckets.delete(tenant);
    }
    this.#sweepAbove = Math.max(bucketsKept, this.#buckets.size * 2);
  }
}

function fill(bucket: Bucket<unknown>, nowMs: number): void {
  bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(nowMs - bucket.atMs, 0) * perSecond) / 1000);
  bucket.atMs = nowMs;
}
