import type { Clock } from '../../base/clock.ts';
import type { FlowSchema } from './classification.ts';
import type { FlowControlConfiguration } from './configuration.ts';
import { type LevelQueue, PriorityLevel, type RejectReason, seatLimits, type Waiting } from './priority-level.ts';

/**
 * The event loop is the one resource all tenants share, and it does one thing at a time. So requests do not start as
 * they arrive: each waits for a slice, and the slices go first to the tenant that had least of the processor
 * (start-time fair queuing over measured milliseconds), within a tenant to the priority level that had least for its
 * share, within a level to the queue that had least. Between two slices the loop looks at its sockets: who arrives
 * waits for the slice under way, never for all that others have queued.
 *
 *     A hammers, B asks now and then:   |A1|A2|A3|  B arrives  |B1|A4|A5| ...
 *
 * Nothing here runs while nothing is asked: no timer, and no state of a tenant that is idle and owes nothing.
 */
export interface SchedulerOptions {
  clock: Clock;
  /** Milliseconds, with fractions; `performance.now` unless a test says otherwise. */
  preciseNow?: () => number;
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
}

export const defaultLimits: SchedulerLimits = {
  running: 24,
  runningPerTenant: 4,
  processorWaitMs: 100,
  presentPerTenant: 1000,
  queueTimeoutMs: 15_000,
};

/** What the filter knows of a request. */
export interface Asked {
  /** Whose share of the processor it takes. */
  account: string;
  weight: number;
  configuration: FlowControlConfiguration;
  schema: FlowSchema;
  distinguisher: string;
  /** Seats it takes of its level. */
  width: number;
  signal: AbortSignal;
  /** For the metrics. */
  isMutating?: boolean;
}

/** One request's turn at the processor, from its arrival to the end of its answer. */
export class Turn implements Waiting {
  readonly width: number;
  readonly schemaName: string;
  readonly isMutating: boolean;
  readonly arrivedMs: number;
  startedMs = 0;
  readonly account: Account;
  readonly level: PriorityLevel<Turn>;
  queue: LevelQueue<Turn> | undefined;
  readonly #signal: AbortSignal;
  readonly #scheduler: Scheduler;
  readonly #settle: { start: () => void; reject: (reason: RejectReason) => void };
  #state: 'queued' | 'running' | 'answering' | 'ended' = 'queued';

  constructor(
    scheduler: Scheduler,
    account: Account,
    level: PriorityLevel<Turn>,
    asked: Asked,
    arrivedMs: number,
    settle: { start: () => void; reject: (reason: RejectReason) => void },
  ) {
    this.width = asked.width;
    this.schemaName = asked.schema.name;
    this.isMutating = asked.isMutating === true;
    this.arrivedMs = arrivedMs;
    this.account = account;
    this.level = level;
    this.#signal = asked.signal;
    this.#scheduler = scheduler;
    this.#settle = settle;
  }

  get running(): boolean {
    return this.#state === 'running';
  }

  gone(): boolean {
    return this.#signal.aborted;
  }

  start(queue: LevelQueue<Turn>, nowMs: number): void {
    this.queue = queue;
    this.startedMs = nowMs;
    this.#state = 'running';
    this.#settle.start();
  }

  reject(reason: RejectReason): void {
    this.#state = 'ended';
    this.#settle.reject(reason);
  }

  /** Another slice for the same request: more of a long list. Resolves when it has come; at once when nobody else waits. */
  slice(): Promise<void> {
    return this.#scheduler.slice(this);
  }

  /** Time spent on it outside of a slice; within one it is measured anyway. */
  charge(ms: number): void {
    this.#scheduler.chargeOutside(this, ms);
  }

  /** The handler is done; the answer is still to be sent. */
  answered(): void {
    if (this.#state !== 'running') return;
    this.#state = 'answering';
    this.#scheduler.stopped(this);
  }

  /** All is sent, or nobody waits for it: the seats are free. */
  end(): void {
    if (this.#state === 'ended' || this.#state === 'queued') return;
    this.answered();
    this.#state = 'ended';
    this.#scheduler.ended(this);
  }
}

/** One tenant's part of the processor. */
export class Account {
  readonly name: string;
  weight: number;
  /** Processor time received, by weight. */
  virtualMs = 0;
  /** Requests that are there at all. */
  present = 0;
  /** Those in their handlers, the oldest first. */
  readonly running = new Set<Turn>();
  readonly levels = new Map<string, PriorityLevel<Turn>>();
  /** Slices that requests under way ask for. */
  readonly slices: { turn: Turn; resolve: () => void }[] = [];
  configuration: FlowControlConfiguration | undefined;
  #virtualNowMs = 0;

  constructor(name: string, weight: number) {
    this.name = name;
    this.weight = weight;
  }

  get hasReady(): boolean {
    for (const level of this.levels.values()) if (level.readyCount > 0) return true;
    return false;
  }

  /** The tenant's objects say how; levels that are no more stay until their requests are done. */
  configure(configuration: FlowControlConfiguration): void {
    if (this.configuration === configuration) return;
    this.configuration = configuration;
    for (const [name, level] of this.levels) {
      const settings = configuration.levels.get(name);
      if (settings === undefined) {
        if (level.idle) this.levels.delete(name);
        continue;
      }
      level.settings = settings;
      level.limits = seatLimits(settings, configuration.sumOfShares);
    }
  }

  level(name: string): PriorityLevel<Turn> {
    let level = this.levels.get(name);
    if (level === undefined) {
      const { levels, sumOfShares } = this.configuration!;
      const settings = levels.get(name)!;
      level = new PriorityLevel(settings, seatLimits(settings, sumOfShares), (asking, seats) =>
        this.#lends(asking, seats),
      );
      level.virtualMs = this.#virtualNowMs;
      this.levels.set(name, level);
    }
    return level;
  }

  /** The next request to run: of the level that had least of the processor for its share. */
  take(): { request: Turn; queue: LevelQueue<Turn> } | undefined {
    for (;;) {
      let least: PriorityLevel<Turn> | undefined;
      for (const level of this.levels.values()) {
        if (level.readyCount > 0 && (least === undefined || level.virtualMs < least.virtualMs)) least = level;
      }
      if (least === undefined) return undefined;
      this.#virtualNowMs = least.virtualMs;
      const taken = least.take();
      if (taken !== undefined) return taken;
    }
  }

  /** A level that was empty starts where the others are. */
  awaken(level: PriorityLevel<Turn>): void {
    if (level.readyCount === 0 && level.runningCount === 0) {
      level.virtualMs = Math.max(level.virtualMs, this.#virtualNowMs);
    }
  }

  /** Seats that came free may be lent. */
  grantWaiting(): void {
    for (const level of this.levels.values()) if (level.waitingCount > 0) level.grantWaiting();
  }

  #lends(asking: PriorityLevel<Turn>, seats: number): boolean {
    const { levels, sumOfShares } = this.configuration!;
    let spare = 0;
    for (const [name, settings] of levels) {
      if (name === asking.settings.name) continue;
      const level = this.levels.get(name);
      if (level !== undefined) {
        spare += level.spare - level.borrowed;
        continue;
      }
      const { nominal, minimum } = seatLimits(settings, sumOfShares);
      spare += nominal - minimum;
    }
    return spare - asking.borrowed >= seats;
  }
}

/** Weight of a level among its tenant's: of its seats, the exempt one as the largest of the suggested ones. */
function levelWeight(level: PriorityLevel<Turn>): number {
  return level.settings.exempt ? 245 : Math.max(1, level.limits.nominal);
}

/**
 * So many slices in one round of the loop, and no new one after so long. Long rounds cost less (what goes out together
 * is encrypted and sent together), short ones let others in sooner: they are short for a while after two tenants were
 * there at once.
 */
const slicesPerRound = 32;
const roundMs = 4;
const sharedRoundMs = 0.5;
const sharedForMs = 1000;
const sweepIntervalMs = 1000;
/** Accounts that owe are kept while there are no more than so many; then those that owe least go. */
const idleAccountsLimit = 1024;

export class Scheduler {
  readonly limits: SchedulerLimits;
  readonly #clock: Clock;
  readonly #preciseNow: () => number;
  readonly #accounts = new Map<string, Account>();
  /** Those with anything under way. */
  readonly #active = new Set<Account>();
  /** The service of the account that ran last: where one that comes back starts from. */
  #virtualNowMs = 0;
  /** Slices of this round or the next that have not begun. */
  #scheduled = 0;
  #roundStartMs = 0;
  #inRound = false;
  #sharedUntilMs = 0;
  /** There may be more to do than was scheduled. */
  #leftOver = false;
  #sliceStartMs = 0;
  #sliceOf: Turn | undefined;
  #cancelSweep: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;
  #running = 0;

  constructor({ clock, preciseNow = () => performance.now(), limits }: SchedulerOptions) {
    this.#clock = clock;
    this.#preciseNow = preciseNow;
    this.limits = { ...defaultLimits, ...limits };
  }

  /** Resolves with the turn when it has come, within its slice, or with why it will not come. */
  admit(asked: Asked): Promise<Turn | RejectReason> {
    const account = this.#account(asked.account, asked.weight);
    account.configure(asked.configuration);
    const level = account.level(asked.schema.level);
    return new Promise((resolve) => {
      if (account.present >= this.limits.presentPerTenant) return resolve('tenant-full');
      const settle = {
        start: () => resolve(turn),
        reject: (reason: RejectReason) => {
          account.present--;
          resolve(reason);
        },
      };
      const turn = new Turn(this, account, level, asked, this.#preciseNow(), settle);
      account.present++;
      account.awaken(level);
      if (level.enqueue(turn, `${asked.schema.name}\0${asked.distinguisher}`) === undefined) {
        return this.#retire(account);
      }
      this.#scheduleSlice();
      this.#scheduleSweep();
    });
  }

  slice(turn: Turn): Promise<void> {
    return new Promise((resolve) => {
      turn.account.slices.push({ turn, resolve });
      this.#scheduleSlice();
    });
  }

  chargeOutside(turn: Turn, ms: number): void {
    if (turn !== this.#sliceOf) this.#charge(turn, ms);
  }

  #charge(turn: Turn, ms: number): void {
    const { account, level, queue } = turn;
    account.virtualMs += ms / account.weight;
    level.virtualMs += (ms * 100) / levelWeight(level);
    if (queue !== undefined) queue.virtualMs += ms;
  }

  /** Work done on a tenant's behalf that no request of its own waits for. */
  chargeAccount(name: string, ms: number): void {
    const account = this.#accounts.get(name);
    if (account !== undefined) account.virtualMs += ms / account.weight;
  }

  stopped(turn: Turn): void {
    turn.level.stopped(turn.queue!);
    if (turn.account.running.delete(turn)) this.#running--;
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

  account(name: string): Account | undefined {
    return this.#accounts.get(name);
  }

  close(): void {
    this.#cancelSweep?.();
    this.#cancelRetry?.();
  }

  #account(name: string, weight: number): Account {
    let account = this.#accounts.get(name);
    if (account === undefined) {
      account = new Account(name, weight);
      this.#accounts.set(name, account);
    }
    if (!this.#active.has(account)) {
      // Who was away has no credit from it, and who owes still does.
      account.virtualMs = Math.max(account.virtualMs, this.#virtualNowMs);
      this.#active.add(account);
      if (this.#active.size > 1) this.#sharedUntilMs = this.#preciseNow() + sharedForMs;
    }
    return account;
  }

  /** Nothing of it is left: it is forgotten unless it owes. */
  #retire(account: Account): void {
    if (account.present > 0 || this.#sliceOf?.account === account) return;
    this.#active.delete(account);
    // Nobody is there to owe to.
    if (this.#active.size === 0) this.#accounts.clear();
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
      this.#roundStartMs = nowMs;
      // Immediates made during a round belong to the next: the first of them ends this one.
      setImmediate(this.#endRound);
    } else if (nowMs - this.#roundStartMs >= (nowMs < this.#sharedUntilMs ? sharedRoundMs : roundMs)) {
      this.#leftOver = true;
      return;
    }
    const account = this.#next();
    if (account === undefined) return;
    this.#virtualNowMs = account.virtualMs;
    this.#sliceStartMs = nowMs;
    const continued = account.slices.shift();
    if (continued !== undefined) {
      this.#sliceOf = continued.turn;
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
    this.#running++;
    request.start(queue, this.#sliceStartMs);
  };

  readonly #finish = (): void => {
    const turn = this.#sliceOf;
    if (turn === undefined) return;
    this.#sliceOf = undefined;
    this.#charge(turn, this.#preciseNow() - this.#sliceStartMs);
    this.#retire(turn.account);
    if (this.#scheduled === 0) this.#leftOver = true;
  };

  readonly #endRound = (): void => {
    this.#inRound = false;
    if (!this.#leftOver) return;
    this.#leftOver = false;
    if (this.#hasWork()) while (this.#scheduled < slicesPerRound) this.#scheduleSlice();
  };

  #hasWork(): boolean {
    for (const account of this.#active) if (account.slices.length > 0 || account.hasReady) return true;
    return false;
  }

  /** The account to serve: with work it may do now, and the least service so far. */
  #next(): Account | undefined {
    let least: Account | undefined;
    let blocked = false;
    for (const account of this.#active) {
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
      this.#running--;
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

  /** One timer for all, while anything is queued. */
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
      if (left) this.#scheduleSweep();
    });
  }
}
