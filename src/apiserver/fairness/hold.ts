import type { Clock } from '../../base/clock.ts';
import type { Account } from './account.ts';

/**
 * While the request of one who came a moment ago waits for its commit or for its answer to go out, the loop stays free
 * for what comes back: others wait, so long at most, and for no more than a quarter of all time. A quarter of what the
 * processor idled for it is charged to it (all of it would make it wait the next time), and nobody waits for who owes.
 */
const holdMs = 8;
const share = 0.25;
const creditLimitMs = 50;
/** What a request may have taken of the processor itself and still be waited for. */
const ownWorkMs = 3;

export class Hold {
  readonly #clock: Clock;
  readonly #preciseNow: () => number;
  readonly #released: () => void;
  #account: Account | undefined;
  #sinceMs = 0;
  /** How much of the time since then was used. */
  #usedMs = 0;
  #creditMs = creditLimitMs;
  #creditAtMs = 0;
  #cancel: (() => void) | undefined;

  /** `released`: others may go on. */
  constructor(clock: Clock, preciseNow: () => number, released: () => void) {
    this.#clock = clock;
    this.#preciseNow = preciseNow;
    this.#released = released;
  }

  /**
   * Whom others wait for, or would if they had something to do: one of those that came, unless it owes.
   * `virtualNowMs`: what the others had.
   */
  awaited(newcomers: Map<Account, number>, virtualNowMs: number, nowMs: number): Account | undefined {
    if (this.#account !== undefined) {
      if (nowMs - this.#sinceMs < holdMs) return this.#account;
      this.#end(nowMs);
    }
    if (newcomers.size === 0) return undefined;
    this.#creditMs = Math.min(creditLimitMs, this.#creditMs + (nowMs - this.#creditAtMs) * share);
    this.#creditAtMs = nowMs;
    if (this.#creditMs <= 0) return undefined;
    for (const [account, sinceMs] of newcomers) {
      if (nowMs - sinceMs < holdMs && account.virtualMs <= virtualNowMs + ownWorkMs) return account;
    }
    return undefined;
  }

  begin(account: Account, nowMs: number): void {
    if (this.#account !== undefined) return;
    this.#account = account;
    this.#sinceMs = nowMs;
    this.#usedMs = 0;
    this.#cancel = this.#clock.schedule(holdMs, () => this.#end(this.#preciseNow()));
  }

  /** Somebody had a slice all the same: the one that is waited for, or the platform. */
  used(ms: number): void {
    this.#usedMs += ms;
  }

  /** It is through. */
  ended(account: Account): void {
    if (account === this.#account) this.#end(this.#preciseNow());
  }

  close(): void {
    this.#cancel?.();
  }

  #end(nowMs: number): void {
    const idleMs = Math.max(0, nowMs - this.#sinceMs - this.#usedMs);
    this.#account?.charge(idleMs * share);
    this.#creditMs -= idleMs;
    this.#account = undefined;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#released();
  }
}
