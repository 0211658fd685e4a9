import { type Clock, spanClock } from '../base/clock.ts';
import { SYSTEM_TENANT } from './client.ts';
import { FairQueue, Fifo } from './fair-queue.ts';
import type { QueueObserver, QueueState } from './queue-metrics.ts';

export interface WorkQueueOptions {
  clock: Clock;
  /** How many keys may be worked on at once; shared fairly among tenants (see FairQueue). Default: as many as are asked for. */
  workers?: number;
  /**
   * Keys of one tenant wait in one line; lines are served in turn. Default: what stands before the first `/`, and for the
   * system tenant's objects also their namespace, which is named for the tenant they are about.
   */
  tenantOf?: (key: string) => string;
  /** Hears what becomes of keys. */
  observer?: QueueObserver;
}

/** Of a failing key, doubled with each failure: client-go's DefaultTypedControllerRateLimiter. */
const FIRST_DELAY_MS = 5;
const LONGEST_DELAY_MS = 1_000_000;

function tenantOfKey(key: string): string {
  const slash = key.indexOf('/');
  if (slash < 0) return '';
  const tenant = key.slice(0, slash);
  return tenant === SYSTEM_TENANT ? key.slice(0, key.indexOf('/', slash + 1)) : tenant;
}

/**
 * Keys to work on, as client-go's rate-limited queue: a key waits at most once, is worked on by one worker at a time
 * (added meanwhile, it waits again when that one is done), and backs off for itself alone. Beyond client-go, tenants take
 * turns and share the workers, so that neither one tenant's ten thousand keys nor its calls that hang delay another's one key.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #spanMs: () => number;
  readonly #tenantOf: (key: string) => string;
  readonly #line: FairQueue<string>;
  /** Since when, by `performance.now`; so the next two. */
  readonly #waiting = new Map<string, number>();
  readonly #working = new Map<string, number>();
  readonly #again = new Map<string, number>();
  readonly #failures = new Map<string, number>();
  readonly #delayed = new Map<string, { at: number; cancel: () => void }>();
  readonly #idleWorkers = new Fifo<(key: string | undefined) => void>();
  readonly #observer: QueueObserver | undefined;
  #isShutDown = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#spanMs = spanClock(options.clock);
    this.#observer = options.observer;
    this.#tenantOf = options.tenantOf ?? tenantOfKey;
    this.#line = new FairQueue<string>(options.workers ?? Infinity);
  }

  /** Keys that wait for a worker; delayed ones and those worked on are not counted. */
  get length(): number {
    return this.#waiting.size;
  }

  /** As many workers are to ask for keys; see FairQueue's spare slots. */
  get mostWorkers(): number {
    return this.#line.mostTaken;
  }

  add(key: string): void {
    if (this.#isShutDown || this.#waiting.has(key) || this.#again.has(key)) return;
    this.#observer?.added();
    if (this.#working.has(key)) this.#again.set(key, performance.now());
    else this.#enqueue(key, performance.now());
  }

  #enqueue(key: string, addedMs: number): void {
    this.#waiting.set(key, addedMs);
    this.#line.push(this.#tenantOf(key), key);
    this.#wakeWorkers();
  }

  /** Adds the key after `delayMs`; of several delays for one key the one that ends first counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#isShutDown) return;
    this.#observer?.retried();
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const at = this.#spanMs() + delayMs;
    const earlier = this.#delayed.get(key);
    if (earlier !== undefined) {
      if (earlier.at <= at) return;
      earlier.cancel();
    }
    const ripen = () => {
      // Timers have a longest delay (see Clock); an early call sleeps on.
      const remainingMs = at - this.#spanMs();
      if (remainingMs > 1) {
        this.#delayed.set(key, { at, cancel: this.#clock.schedule(remainingMs, ripen) });
        return;
      }
      this.#delayed.delete(key);
      this.add(key);
    };
    this.#delayed.set(key, { at, cancel: this.#clock.schedule(delayMs, ripen) });
  }

  /** Adds the key after its own back-off: 5 ms, 10 ms, … up to the longest. */
  addRateLimited(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, Math.min(FIRST_DELAY_MS * 2 ** failures, LONGEST_DELAY_MS));
  }

  /** Ends the key's back-off. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** How often the key was added with back-off since it was last forgotten. */
  failuresOf(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The next key, whose worker must call `done`; undefined after shutDown. */
  next(): Promise<string | undefined> {
    if (this.#isShutDown) return Promise.resolve(undefined);
    const key = this.#take();
    if (key !== undefined) return Promise.resolve(key);
    return new Promise((resolve) => this.#idleWorkers.push(resolve));
  }

  #take(): string | undefined {
    const key = this.#line.take()?.item;
    if (key === undefined) return undefined;
    const nowMs = performance.now();
    this.#observer?.taken(nowMs - this.#waiting.get(key)!);
    this.#waiting.delete(key);
    this.#working.set(key, nowMs);
    return key;
  }

  #wakeWorkers(): void {
    while (this.#idleWorkers.size > 0) {
      const key = this.#take();
      if (key === undefined) return;
      this.#idleWorkers.pop()!(key);
    }
  }

  done(key: string): void {
    const startedMs = this.#working.get(key);
    if (startedMs === undefined) return;
    this.#working.delete(key);
    this.#observer?.done(performance.now() - startedMs);
    this.#line.release(this.#tenantOf(key));
    const addedMs = this.#again.get(key);
    if (addedMs !== undefined) {
      this.#again.delete(key);
      this.#enqueue(key, addedMs);
    }
    this.#wakeWorkers();
  }

  /** For whoever looks now. */
  state(): QueueState {
    const nowMs = performance.now();
    let unfinishedMs = 0;
    let longestMs = 0;
    for (const startedMs of this.#working.values()) {
      unfinishedMs += nowMs - startedMs;
      longestMs = Math.max(longestMs, nowMs - startedMs);
    }
    const depth = this.#waiting.size + this.#again.size;
    return { depth, unfinishedSeconds: unfinishedMs / 1000, longestRunningSeconds: longestMs / 1000 };
  }

  /** Nothing is handed out any more; waiting workers get undefined, timers are cancelled. */
  shutDown(): void {
    this.#isShutDown = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#waiting.clear();
    this.#line.clear();
    this.#again.clear();
    for (let worker = this.#idleWorkers.pop(); worker !== undefined; worker = this.#idleWorkers.pop())
      worker(undefined);
  }
}
