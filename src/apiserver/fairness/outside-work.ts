import type { Account } from './account.ts';

/**
 * What the loop does between two rounds of slices: it reads what clients send, decodes and authenticates requests, and
 * encrypts and writes answers. That is most of what a small request costs, and part of no slice. It is charged to those
 * whose requests came or who had slices meanwhile, to each by how many.
 */
export class OutsideWork {
  readonly #idleMs: () => number;
  readonly #counts = new Map<Account, number>();
  #total = 0;
  #sinceMs = 0;
  #idleBeforeMs = 0;

  constructor(idleMs = () => performance.eventLoopUtilization().idle) {
    this.#idleMs = idleMs;
  }

  /** What was done before was for one tenant alone. */
  begin(nowMs: number): void {
    this.#counts.clear();
    this.#total = 0;
    this.#sinceMs = nowMs;
    this.#idleBeforeMs = this.#idleMs();
  }

  /** A request of it came. */
  count(account: Account): void {
    this.#counts.set(account, (this.#counts.get(account) ?? 0) + 1);
    this.#total++;
  }

  /** What it did is still to be written. */
  sliceEnded(account: Account, nowMs: number): void {
    this.count(account);
    this.#sinceMs = nowMs;
  }

  /** The next round begins: `charge` gets what each is to pay. */
  settle(nowMs: number, charge: (account: Account, ms: number) => void): void {
    const idleMs = this.#idleMs();
    const workMs = nowMs - this.#sinceMs - (idleMs - this.#idleBeforeMs);
    this.#sinceMs = nowMs;
    this.#idleBeforeMs = idleMs;
    if (this.#total === 0) return;
    if (workMs > 0) for (const [account, count] of this.#counts) charge(account, (workMs * count) / this.#total);
    this.#counts.clear();
    this.#total = 0;
  }
}
