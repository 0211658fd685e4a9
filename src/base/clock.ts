/** Time as a dependency, so that decisions are functions of (state, now) and tests need not wait. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds since some moment, which no correction of the clock moves; `now` serves where it is absent. */
  monotonic?(): number;
  /** Runs `callback` once after `delayMs`; the returned function cancels it. */
  schedule(delayMs: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(delayMs, callback) {
    // "Soon" is after what is going on now, not a timer's millisecond later.
    if (delayMs <= 0) {
      const immediate = setImmediate(callback);
      return () => clearImmediate(immediate);
    }
    // Node clamps delays over 2^31-1 ms to 1 ms; a wait that long is cut and asked again by its owner.
    const timer = setTimeout(callback, Math.min(delayMs, 2_147_483_647));
    return () => clearTimeout(timer);
  },
};

/** For spans of time: a machine's clock that is set must not end or prolong them. */
export const spanClock =
  (clock: Clock): (() => number) =>
  () =>
    clock.monotonic?.() ?? clock.now();

/** A clock that moves only when told to; due callbacks run in time order. */
export class ManualClock implements Clock {
  #now: number;
  #sequence = 0;
  #timers: { at: number; sequence: number; callback: () => void }[] = [];

  constructor(startMs = 0) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  schedule(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(delayMs, 0), sequence: this.#sequence++, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  advance(byMs: number): void {
    const end = this.#now + byMs;
    for (;;) {
      const due = this.#timers
        .filter((timer) => timer.at <= end)
        .sort((a, b) => a.at - b.at || a.sequence - b.sequence)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#now = due.at;
      due.callback();
    }
    this.#now = end;
  }
}
