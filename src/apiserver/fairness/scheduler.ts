import type { Clock } from '../../base/clock.ts';
import {
  Account,
  type Asked,
  BackgroundWork,
  type Charged,
  type Dispatcher,
  PLATFORM_ACCOUNT,
  Turn,
} from './account.ts';
import { Collections, collectionMs } from './collections.ts';
import { Hold } from './hold.ts';
import { OutsideWork } from './outside-work.ts';
import type { RejectReason } from './priority-level.ts';
import { Reserve } from './reserve.ts';

/**
 * The event loop is the one resource all tenants share, and it does one thing at a time. So requests do not start as
 * they arrive: each waits for a slice, and the slices go first to the tenant that had least of the processor
 * (start-time fair queuing over measured milliseconds), within a tenant to the priority level that had least for its
 * share, within a level to the queue that had least. Between two slices the loop looks at its sockets: who arrives
 * waits for the slice under way, never for all that others have queued.
 *
 *     A hammers, B asks now and then:   |A1|A2|A3|  B arrives  |B1| B's commit |B1|A4|A5| ...
 *
 * Nothing here runs while nothing is asked: no timer, and no state of a tenant that is idle and owes nothing, but for a
 * second after two were there.
 */
export interface SchedulerOptions {
  clock: Clock;
  /** Milliseconds, with fractions; `performance.now` unless a test says otherwise. */
  preciseNow?: () => number;
  /** How long the loop has waited for events in all, in milliseconds: it is nobody's work. */
  idleMs?: () => number;
  limits?: Partial<SchedulerLimits>;
}

export interface SchedulerLimits {
  /** Requests in their handlers at once, of all tenants: what a commit wakes at once is no more than these. */
  running: number;
  /** A tenant may always have so many, however many tenants are busy. */
  runningPerTenant: number;
  /** A request that takes longer waits for something else than the processor (a webhook, say) and is not counted. */
  processorWaitMs: number;
  /** Requests of one tenant that are there at all: queued, running or being answered. */
  presentPerTenant: number;
  /** How long a request may wait for its slice. As upstream: a quarter of the request timeout of a minute. */
  queueTimeoutMs: number;
  /** Part of the loop's time that busy tenants may take, all together, while one is there that asks for little. */
  busyShare: number;
}

export const defaultLimits: SchedulerLimits = {
  running: 24,
  runningPerTenant: 4,
  processorWaitMs: 100,
  presentPerTenant: 1000,
  queueTimeoutMs: 15_000,
  busyShare: 0.4,
};

/**
 * So many slices in one round of the loop, and no new one after so long. Long rounds cost less (what goes out together
 * is encrypted and sent together), short ones let others in sooner: they are short for a while after two tenants were
 * there at once. A request takes several rounds (its body, its commit, its answer), so while one is under way of a
 * tenant that came a moment ago, a round is one slice.
 */
const slicesPerRound = 32;
const roundMs = 4;
const sharedRoundMs = 0.5;
const sharedForMs = 1000;
const newcomerMs = 30;
/** Who took more of the processor lately is no newcomer when it comes back: fifty clients come and go all the time. */
const newcomerShare = 0.3;
const sweepIntervalMs = 1000;
/** Accounts that owe are kept while there are no more than so many; then those that owe least go. */
const idleAccountsLimit = 1024;

export class Scheduler implements Dispatcher {
  readonly limits: SchedulerLimits;
  readonly #clock: Clock;
  readonly #preciseNow: () => number;
  readonly #accounts = new Map<string, Account>();
  /** Those with anything under way. */
  readonly #active = new Set<Account>();
  /** Tenants among them. The platform takes its turns, but it is nobody's neighbour: hosts report whenever pods start. */
  #neighbours = 0;
  /** The service of the account that ran last: where one that comes back starts from. */
  #virtualNowMs = 0;
  /** Slices of this round or the next that have not begun. */
  #scheduled = 0;
  #roundStartMs = 0;
  #inRound = false;
  /**
   * Somebody had a slice of this round. While all wait for one, rounds do not follow one another: the processor is free
   * for the thread that writes what is waited for.
   */
  #given = false;
  #sharedUntilMs = 0;
  /** Those that came while others were there, and since when; the oldest first. */
  readonly #newcomers = new Map<Account, number>();
  /** There may be more to do than was scheduled. */
  #leftOver = false;
  #sliceStartMs = 0;
  #sliceOf: Charged | undefined;
  #cancelSweep: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;
  readonly #hold: Hold;
  readonly #reserve: Reserve;
  readonly #outside: OutsideWork;
  readonly #collections = new Collections();

  constructor({ clock, preciseNow = () => performance.now(), idleMs, limits }: SchedulerOptions) {
    this.#clock = clock;
    this.#preciseNow = preciseNow;
    this.#outside = new OutsideWork(idleMs);
    this.limits = { ...defaultLimits, ...limits };
    this.#reserve = new Reserve(this.limits.busyShare, clock, () => this.#scheduleSlice());
    this.#hold = new Hold(clock, preciseNow, () => this.#scheduleSlice());
  }

  /** Resolves with the turn when it has come, within its slice, or with why it will not come. */
  admit(asked: Asked): Promise<Turn | RejectReason> {
    const account = this.#account(asked.account, asked.weight);
    this.#activate(account, true);
    if (this.#isShared()) this.#outside.count(account);
    account.configure(asked.configuration);
    const level = account.level(asked.schema.level);
    return new Promise((resolve) => {
      if (account.present >= this.limits.presentPerTenant) return resolve('tenant-full');
      const settle = {
        start: () => {
          account.queued[turn.kind]--;
          account.inflight[turn.kind]++;
          resolve(turn);
        },
        reject: (reason: RejectReason) => {
          account.queued[turn.kind]--;
          account.present--;
          resolve(reason);
        },
      };
      const turn = new Turn(this, account, level, asked, this.#preciseNow(), settle);
      account.present++;
      account.queued[turn.kind]++;
      account.awaken(level);
      if (level.enqueue(turn, `${asked.schema.name}\0${asked.distinguisher}`) === undefined) {
        return this.#retire(account);
      }
      this.#scheduleSlice();
      this.#scheduleSweep();
    });
  }

  slice(turn: Turn): Promise<void> {
    return this.#slice(turn);
  }

  /**
   * Resolves in a slice for what a tenant's objects make the platform do (a controller's write), charged to it;
   * undefined where no other tenant is there to mind.
   */
  background(name: string): Promise<void> | undefined {
    if (!this.#isShared()) {
      const known = this.#accounts.get(name);
      if (this.#neighbours === 0 || (known !== undefined && this.#active.has(known))) return undefined;
    }
    const account = this.#account(name, 1);
    this.#activate(account, false);
    return this.#slice(new BackgroundWork(account));
  }

  #slice(work: Charged): Promise<void> {
    return new Promise((resolve) => {
      work.account.slices.push({ work, resolve });
      this.#scheduleSlice();
    });
  }

  #isShared(): boolean {
    return this.#neighbours > 1 || this.#preciseNow() < this.#sharedUntilMs;
  }

  get hurried(): boolean {
    return this.#isHurried(this.#preciseNow());
  }

  isAwaited(account: Account): boolean {
    return this.#newcomers.has(account);
  }

  owesSlice(turn: Turn): boolean {
    if (turn === this.#sliceOf || this.#newcomers.has(turn.account)) return false;
    return this.#isShared();
  }

  chargeOutside(turn: Turn, ms: number): void {
    if (turn !== this.#sliceOf) turn.took(ms);
  }

  stopped(turn: Turn): void {
    turn.level.stopped(turn.queue!);
    turn.account.inflight[turn.kind]--;
    turn.account.running.delete(turn);
    if (turn.account.hasReady) this.#scheduleSlice();
  }

  ended(turn: Turn): void {
    const { account, level } = turn;
    account.present--;
    level.release(turn);
    account.grantWaiting();
    if (account.hasReady) this.#scheduleSlice();
    this.#retire(account);
  }

  accounts(): IterableIterator<Account> {
    return this.#accounts.values();
  }

  close(): void {
    this.#cancelSweep?.();
    this.#cancelRetry?.();
    this.#hold.close();
    this.#reserve.close();
    this.#collections.close();
  }

  #account(name: string, weight: number): Account {
    let account = this.#accounts.get(name);
    if (account === undefined) {
      account = new Account(name, weight);
      this.#accounts.set(name, account);
    }
    return account;
  }

  /** `asks`: with a request of its own. */
  #activate(account: Account, asks: boolean): void {
    if (this.#active.has(account)) return;
    // Who was away has no credit from it, and who owes still does.
    account.virtualMs = Math.max(account.virtualMs, this.#virtualNowMs);
    this.#active.add(account);
    if (account.name === PLATFORM_ACCOUNT) return;
    const nowMs = this.#preciseNow();
    if (++this.#neighbours > 1) {
      if (nowMs >= this.#sharedUntilMs) this.#outside.begin(nowMs);
      this.#sharedUntilMs = nowMs + sharedForMs;
    }
    if (nowMs >= this.#sharedUntilMs || !asks) return;
    // The others may be away for this very moment.
    if (account.shareLately(nowMs) >= newcomerShare) return;
    this.#newcomers.set(account, nowMs);
    this.#reserve.keep(nowMs);
  }

  /** Nothing of it is left: it is forgotten unless it owes. */
  #retire(account: Account): void {
    if (account.present > 0 || account.background > 0 || this.#sliceOf?.account === account) return;
    if (this.#active.delete(account) && account.name !== PLATFORM_ACCOUNT) this.#neighbours--;
    this.#newcomers.delete(account);
    this.#hold.ended(account);
    if (this.#isShared()) {
      // What it did is known for as long as it matters: until the sweep.
      this.#scheduleSweep();
      if (this.#accounts.size - this.#active.size > idleAccountsLimit) this.#forgetIdle();
    } else if (this.#active.size === 0) this.#accounts.clear();
    else if (account.virtualMs <= this.#virtualNowMs) this.#accounts.delete(account.name);
    else if (this.#accounts.size - this.#active.size > idleAccountsLimit) this.#forgetIdle();
  }

  #forgetIdle(): void {
    const idle = [...this.#accounts.values()].filter((account) => !this.#active.has(account));
    idle.sort((a, b) => a.virtualMs - b.virtualMs);
    for (const account of idle.slice(0, idle.length / 2)) this.#accounts.delete(account.name);
  }

  /**
   * A slice is two immediates of one round of the loop: in the first a request starts, and what it can do at once is
   * done before the second, which sees how long that took. The next round looks at the sockets first.
   */
  #scheduleSlice(): void {
    if (this.#scheduled >= slicesPerRound) return;
    this.#scheduled++;
    setImmediate(this.#begin);
    setImmediate(this.#finish);
  }

  readonly #begin = (): void => {
    this.#scheduled--;
    const nowMs = this.#preciseNow();
    if (!this.#inRound) {
      this.#inRound = true;
      this.#given = false;
      this.#roundStartMs = nowMs;
      if (this.#isShared()) this.#outside.settle(nowMs, this.#charge);
      // Immediates made during a round belong to the next: the first of them ends this one.
      setImmediate(this.#endRound);
    } else if (this.#given && nowMs - this.#roundStartMs >= this.#roundLimitMs(nowMs)) {
      this.#leftOver = true;
      return;
    }
    const awaited = this.#hold.awaited(this.#newcomers, this.#virtualNowMs, nowMs);
    const account = this.#next(awaited !== undefined, nowMs);
    if (account === undefined) {
      if (awaited !== undefined && this.#hasWork()) this.#hold.begin(awaited, nowMs);
      return;
    }
    this.#given = true;
    this.#virtualNowMs = account.virtualMs;
    this.#sliceStartMs = nowMs;
    const continued = account.slices.shift();
    if (continued !== undefined) {
      this.#sliceOf = continued.work;
      continued.resolve();
      return;
    }
    const taken = account.take();
    if (taken === undefined) {
      this.#retire(account);
      return;
    }
    const { request, queue } = taken;
    this.#sliceOf = request;
    account.running.add(request);
    request.start(queue, this.#sliceStartMs);
  };

  readonly #finish = (): void => {
    const work = this.#sliceOf;
    if (work === undefined) return;
    this.#sliceOf = undefined;
    const nowMs = this.#preciseNow();
    const tookMs = nowMs - this.#sliceStartMs;
    work.took(tookMs);
    this.#countTime(work.account, tookMs);
    if (this.#isShared()) {
      this.#outside.sliceEnded(work.account, nowMs);
      if (tookMs >= collectionMs) this.#collections.charged(work, this.#sliceStartMs, nowMs);
    }
    this.#hold.used(tookMs);
    this.#retire(work.account);
    if (this.#scheduled === 0) this.#leftOver = true;
  };

  readonly #endRound = (): void => {
    this.#inRound = false;
    if (!this.#leftOver) return;
    this.#leftOver = false;
    if (this.#hasWork()) while (this.#scheduled < slicesPerRound) this.#scheduleSlice();
  };

  #roundLimitMs(nowMs: number): number {
    if (nowMs >= this.#sharedUntilMs) return roundMs;
    return this.#isHurried(nowMs) ? 0 : sharedRoundMs;
  }

  #isHurried(nowMs: number): boolean {
    for (const [account, sinceMs] of this.#newcomers) {
      if (nowMs - sinceMs < newcomerMs) return true;
      this.#newcomers.delete(account);
    }
    return false;
  }

  #hasWork(): boolean {
    for (const account of this.#active) if (account.hasWork) return true;
    return false;
  }

  readonly #charge = (account: Account, ms: number): void => {
    account.charge(ms);
    this.#countTime(account, ms);
  };

  #countTime(account: Account, ms: number): void {
    if (!this.#isPreferred(account)) this.#reserve.took(ms);
  }

  #isPreferred(account: Account): boolean {
    return this.#newcomers.has(account) || account.name === PLATFORM_ACCOUNT;
  }

  /** The account to serve: with work it may do now, and the least service so far. */
  #next(onlyNewcomers: boolean, nowMs: number): Account | undefined {
    const isSpent = this.#reserve.isSpent(nowMs);
    // Of many hammering tenants none has a large part.
    const busyShare = isSpent ? this.limits.busyShare / (this.#neighbours + 1) : 0;
    let least: Account | undefined;
    let blocked = false;
    for (const account of this.#active) {
      if (!this.#isPreferred(account)) {
        if (onlyNewcomers) continue;
        if (isSpent && account.hasWork && account.shareLately(nowMs) >= busyShare) continue;
      }
      if (least !== undefined && account.virtualMs >= least.virtualMs) continue;
      if (account.slices.length === 0) {
        if (!account.hasReady) continue;
        if (!this.#mayRun(account)) {
          blocked = true;
          continue;
        }
      }
      least = account;
    }
    if (least === undefined && blocked) this.#retryLater();
    return least;
  }

  #mayRun(account: Account): boolean {
    const { running, runningPerTenant, processorWaitMs } = this.limits;
    const share = Math.max(runningPerTenant, Math.floor(running / this.#active.size));
    if (account.running.size < share) return true;
    const longAgoMs = this.#preciseNow() - processorWaitMs;
    for (const turn of account.running) {
      if (turn.startedMs > longAgoMs) break;
      account.running.delete(turn);
    }
    return account.running.size < share;
  }

  /** Everybody's requests wait for something else than the processor: one that waits long makes room. */
  #retryLater(): void {
    this.#cancelRetry ??= this.#clock.schedule(this.limits.processorWaitMs, () => {
      this.#cancelRetry = undefined;
      this.#scheduleSlice();
    });
  }

  /** One timer for all, while anything is queued, or two tenants were there within a moment. */
  #scheduleSweep(): void {
    this.#cancelSweep ??= this.#clock.schedule(sweepIntervalMs, () => {
      this.#cancelSweep = undefined;
      const oldestMs = this.#preciseNow() - this.limits.queueTimeoutMs;
      let left = false;
      for (const account of [...this.#active]) {
        for (const level of account.levels.values()) {
          if (level.waitingCount === 0 && level.readyCount === 0) continue;
          level.sweep((turn) => turn.arrivedMs < oldestMs);
          left ||= level.waitingCount > 0 || level.readyCount > 0;
        }
        this.#retire(account);
      }
      if (left || this.#isShared()) return this.#scheduleSweep();
      // Nobody is there to owe to, or nobody is owed.
      for (const [name, account] of this.#accounts) {
        if (this.#active.has(account)) continue;
        if (this.#active.size === 0 || account.virtualMs <= this.#virtualNowMs) this.#accounts.delete(name);
      }
    });
  }
}
