import { pause } from '../../base/abort.ts';
import { type Clock, spanClock } from '../../base/clock.ts';
import type { WatchAnswer } from '../answer.ts';

const stepMs = 50;
/** As upstream: few are ended sooner than they have to be. */
const leastPerSecond = 200;

/**
 * Watches that are to end one after the other when the process leaves: their clients connect anew at once, and all of
 * them together would be more than the other servers take. Source: apiserver's WatchTerminationDuringShutdown.
 */
export class OpenWatches {
  readonly #ends = new Set<() => void>();

  get size(): number {
    return this.#ends.size;
  }

  /** The same watch, known here while it goes on. */
  follow(answer: WatchAnswer): WatchAnswer {
    return {
      ...answer,
      start: (onEvents, onEnd) => {
        this.#ends.add(onEnd);
        const forget = () => void this.#ends.delete(onEnd);
        try {
          const stop = answer.start(onEvents, () => {
            forget();
            onEnd();
          });
          return () => {
            forget();
            stop();
          };
        } catch (error) {
          forget();
          throw error;
        }
      },
    };
  }

  /** Resolves when all have ended, or the time is up. */
  async end(graceMs: number, clock: Clock): Promise<void> {
    const spanMs = spanClock(clock);
    const startedMs = spanMs();
    const perMs = Math.max(leastPerSecond / 1000, this.#ends.size / graceMs);
    let ended = 0;
    while (this.#ends.size > 0 && spanMs() - startedMs < graceMs) {
      const due = Math.ceil((spanMs() - startedMs + stepMs) * perMs);
      for (const end of this.#ends) {
        if (ended >= due) break;
        ended++;
        this.#ends.delete(end);
        end();
      }
      if (this.#ends.size > 0) await pause(clock, stepMs);
    }
  }
}
