import type { Clock } from '../../base/clock.ts';

/** They work so long at a stretch beyond their share. */
const burstMs = 0.3;
const keptForMs = 1000;

/**
 * Who asks for little finds the loop free part of the time: while such a tenant is there, or was within a second, the
 * others together get no more than `share` of it. Nobody keeps it from them otherwise.
 */
export class Reserve {
  readonly #share: number;
  readonly #clock: Clock;
  readonly #released: () => void;
  #keptUntilMs = 0;
  /** What the others took beyond their share, as of `#spentAtMs`. */
  #spentMs = 0;
  #spentAtMs = 0;
  #isSpent = false;
  #cancel: (() => void) | undefined;

  /** `released`: the others may go on. */
  constructor(share: number, clock: Clock, released: () => void) {
    this.#share = share;
    this.#clock = clock;
    this.#released = released;
  }

  /** One that asks for little is there. */
  keep(nowMs: number): void {
    if (this.#share >= 1) return;
    if (nowMs >= this.#keptUntilMs) {
      this.#spentMs = 0;
      this.#spentAtMs = nowMs;
      this.#isSpent = false;
    }
    this.#keptUntilMs = nowMs + keptForMs;
  }

  /** Others took so long. */
  took(ms: number): void {
    this.#spentMs += ms;
  }

  /** Whether the others wait now; if so, `released` will be called. */
  isSpent(nowMs: number): boolean {
    if (nowMs >= this.#keptUntilMs) return false;
    // What a timer was late is not lost.
    this.#spentMs = Math.max(-burstMs, this.#spentMs - (nowMs - this.#spentAtMs) * this.#share);
    this.#spentAtMs = nowMs;
    this.#isSpent = this.#isSpent ? this.#spentMs > 0 : this.#spentMs > burstMs;
    if (this.#isSpent && this.#cancel === undefined) {
      this.#cancel = this.#clock.schedule(Math.ceil(this.#spentMs / this.#share), () => {
        this.#cancel = undefined;
        this.#released();
      });
    }
    return this.#isSpent;
  }

  close(): void {
    this.#cancel?.();
  }
}
