import { PerformanceObserver } from 'node:perf_hooks';
import type { Charged } from './account.ts';

/** In shorter work there was no collection that matters. */
export const collectionMs = 0.5;
const keptMs = 1000;

/**
 * Garbage is everybody's, and in whose slice it is collected is chance: what a collection took is no debt of that
 * tenant. V8 tells of a collection only a moment later, so it is given back.
 */
export class Collections {
  readonly #recent: { account: Charged['account']; startMs: number; endMs: number; leftMs: number }[] = [];
  readonly #observer: PerformanceObserver;

  constructor() {
    this.#observer = new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) this.collected(startTime, startTime + duration);
    });
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  /** All between the two moments of `performance.now` was charged to it. */
  charged({ account }: Pick<Charged, 'account'>, startMs: number, endMs: number): void {
    while (this.#recent.length > 0 && this.#recent[0]!.endMs < endMs - keptMs) this.#recent.shift();
    this.#recent.push({ account, startMs, endMs, leftMs: endMs - startMs });
  }

  collected(startMs: number, endMs: number): void {
    for (const work of this.#recent) {
      const commonMs = Math.min(work.endMs, endMs) - Math.max(work.startMs, startMs);
      if (commonMs <= 0) continue;
      const backMs = Math.min(work.leftMs, commonMs);
      work.leftMs -= backMs;
      work.account.charge(-backMs);
    }
  }

  close(): void {
    this.#observer.disconnect();
  }
}
