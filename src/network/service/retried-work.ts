import type { Clock } from '../../base/clock.ts';

export interface RetriedWorkOptions {
  /** Whether there is anything to do now. */
  isDue(): boolean;
  /** One attempt at all that is due. */
  attempt(): Promise<void>;
  /** An attempt failed (not told once closed); the next one comes `retryMs` later. */
  onFailure(error: unknown): void;
  retryMs: number;
  clock: Clock;
}

/**
 * Makes the kernel follow what is wanted: one attempt at a time, what is asked for meanwhile goes into the next one
 * together, and after a failure nothing is tried before its time.
 */
export class RetriedWork {
  readonly #options: RetriedWorkOptions;
  #started = false;
  #closed = false;
  #working: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(options: RetriedWorkOptions) {
    this.#options = options;
  }

  /** Begun and not closed. */
  get isRunning(): boolean {
    return this.#started && !this.#closed;
  }

  start(): void {
    this.#started = true;
    this.advance();
  }

  /** What is wanted may have changed. */
  advance(): void {
    if (!this.isRunning || this.#working !== undefined || this.#cancelRetry !== undefined) return;
    if (!this.#options.isDue()) return;
    this.#working = this.#work().finally(() => {
      this.#working = undefined;
      this.advance();
    });
  }

  /** Resolves when all that was asked for before the call is done (or its attempt failed and waits for the next). */
  async settled(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /** Waits for the attempt that runs; none follows. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRetry?.();
    await this.settled();
  }

  async #work(): Promise<void> {
    const { attempt, onFailure, retryMs, clock } = this.#options;
    // Changes come in bursts: whatever arrives in this turn of the loop goes along.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      await attempt();
    } catch (error) {
      if (this.#closed) return;
      onFailure(error);
      this.#cancelRetry = clock.schedule(retryMs, () => {
        this.#cancelRetry = undefined;
        this.advance();
      });
    }
  }
}
