import { isConflict } from '../api/status.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';

/** Failures, and what asks for it, are looked at again after so long. */
const retryMs = 1000;

export interface ReconcileQueueOptions {
  /** For the log: what is worked on. */
  what: string;
  clock: Clock;
  logger: Logger;
  reconcile(tenant: string, name: string): Promise<void>;
  /** Nothing is left to do: another change brings the name again, if ever. */
  isSettled(error: unknown): boolean;
}

/**
 * Tenants' objects that the API server itself looks at, by name: one at a time, in the order they were added, each again
 * after a failure. It stands still until `begin`.
 */
export class ReconcileQueue {
  readonly #options: ReconcileQueueOptions;
  /** `tenant/name` */
  readonly #waiting = new Set<string>();
  readonly #timers = new Map<string, () => void>();
  #hasBegun = false;
  #isRunning = false;
  #isClosed = false;

  constructor(options: ReconcileQueueOptions) {
    this.#options = options;
  }

  begin(): void {
    this.#hasBegun = true;
    void this.#run();
  }

  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#timers.values()) cancel();
  }

  add(tenant: string, name: string): void {
    this.#add(`${tenant}/${name}`);
  }

  later(tenant: string, name: string): void {
    this.#later(`${tenant}/${name}`);
  }

  #add(key: string): void {
    if (this.#isClosed) return;
    this.#waiting.add(key);
    if (this.#hasBegun && !this.#isRunning) void this.#run();
  }

  #later(key: string): void {
    if (this.#isClosed || this.#timers.has(key)) return;
    const cancel = this.#options.clock.schedule(retryMs, () => {
      this.#timers.delete(key);
      this.#add(key);
    });
    this.#timers.set(key, cancel);
  }

  async #run(): Promise<void> {
    const { what, logger, reconcile, isSettled } = this.#options;
    this.#isRunning = true;
    // The change that brought us here is still being told to others.
    await Promise.resolve();
    for (const key of this.#waiting) {
      if (this.#isClosed) break;
      this.#waiting.delete(key);
      const slash = key.indexOf('/');
      try {
        await reconcile(key.slice(0, slash), key.slice(slash + 1));
      } catch (error) {
        if (isSettled(error) || this.#isClosed) continue;
        if (!isConflict(error)) logger.warn({ error: (error as Error).message, key }, what);
        this.#later(key);
      }
    }
    this.#isRunning = false;
  }
}
