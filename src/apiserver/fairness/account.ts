import type { FlowSchema } from './classification.ts';
import type { FlowControlConfiguration } from './configuration.ts';
import { type LevelQueue, PriorityLevel, type RejectReason, seatLimits, type Waiting } from './priority-level.ts';

/** Of hosts and the operator's components. */
export const PLATFORM_ACCOUNT = '/platform';

/** What a tenant did so long ago says little of what it does. */
const windowMs = 200;

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

/** Requests that change something, and that do not: for the metrics. */
export interface ByKind {
  mutating: number;
  readOnly: number;
}

/** Who gives the processor away. */
export interface Dispatcher {
  /** Somebody who asks for little is there: who has much to do does it in small parts. */
  readonly hurried: boolean;
  /** It came a moment ago; others wait until its answer is out. */
  isAwaited(account: Account): boolean;
  /** Whether `turn` goes on outside of a slice, where others might have one. */
  owesSlice(turn: Turn): boolean;
  slice(turn: Turn): Promise<void>;
  chargeOutside(turn: Turn, ms: number): void;
  stopped(turn: Turn): void;
  ended(turn: Turn): void;
}

/** What a slice of the loop is given to. */
export interface Charged {
  readonly account: Account;
  /** It took so long; called at its end. */
  took(ms: number): void;
}

/** Part of what a tenant's objects make the platform do, in its account and in no request of its own. */
export class BackgroundWork implements Charged {
  readonly account: Account;

  constructor(account: Account) {
    this.account = account;
    account.background++;
  }

  took(ms: number): void {
    this.account.background--;
    this.account.charge(ms);
  }
}

/** One request's turn at the processor, from its arrival to the end of its answer. */
export class Turn implements Waiting, Charged {
  readonly width: number;
  readonly schemaName: string;
  readonly kind: keyof ByKind;
  readonly arrivedMs: number;
  startedMs = 0;
  readonly account: Account;
  readonly level: PriorityLevel<Turn>;
  queue: LevelQueue<Turn> | undefined;
  readonly #signal: AbortSignal;
  readonly #dispatcher: Dispatcher;
  readonly #settle: { start: () => void; reject: (reason: RejectReason) => void };
  #state: 'queued' | 'running' | 'answering' | 'ended' = 'queued';

  constructor(
    dispatcher: Dispatcher,
    account: Account,
    level: PriorityLevel<Turn>,
    asked: Asked,
    arrivedMs: number,
    settle: { start: () => void; reject: (reason: RejectReason) => void },
  ) {
    this.width = asked.width;
    this.schemaName = asked.schema.name;
    this.kind = asked.isMutating === true ? 'mutating' : 'readOnly';
    this.arrivedMs = arrivedMs;
    this.account = account;
    this.level = level;
    this.#signal = asked.signal;
    this.#dispatcher = dispatcher;
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

  /** See RequestTurn. */
  get hurried(): boolean {
    return this.#dispatcher.hurried;
  }

  /** See RequestTurn. */
  get awaited(): boolean {
    return this.#dispatcher.isAwaited(this.account);
  }

  /** Another slice for the same request: more of a long list. Resolves when it has come. */
  slice(): Promise<void> {
    return this.#dispatcher.slice(this);
  }

  /** What came back from elsewhere (a commit, a webhook) goes on in a slice, where tenants share the loop. */
  resume(): Promise<void> | undefined {
    return this.#dispatcher.owesSlice(this) ? this.#dispatcher.slice(this) : undefined;
  }

  /** Time spent on it outside of a slice; within one it is measured anyway. */
  charge(ms: number): void {
    this.#dispatcher.chargeOutside(this, ms);
  }

  took(ms: number): void {
    this.account.charge(ms);
    this.level.virtualMs += (ms * 100) / levelWeight(this.level);
    if (this.queue !== undefined) this.queue.virtualMs += ms;
  }

  /** The handler is done; the answer is still to be sent. */
  answered(): void {
    if (this.#state !== 'running') return;
    this.#state = 'answering';
    this.#dispatcher.stopped(this);
  }

  /** All is sent, or nobody waits for it: the seats are free. */
  end(): void {
    if (this.#state === 'ended' || this.#state === 'queued') return;
    this.answered();
    this.#state = 'ended';
    this.#dispatcher.ended(this);
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
  /** Those that wait for their turn. */
  readonly queued: ByKind = { mutating: 0, readOnly: 0 };
  /** Those in their handlers, however long. */
  readonly inflight: ByKind = { mutating: 0, readOnly: 0 };
  readonly levels = new Map<string, PriorityLevel<Turn>>();
  /** Slices that requests under way, and work in the background, ask for. */
  readonly slices: { work: Charged; resolve: () => void }[] = [];
  /** How many of those are for work in the background. */
  background = 0;
  configuration: FlowControlConfiguration | undefined;
  #virtualNowMs = 0;
  #usedMs = 0;
  /** Where the window began that `shareLately` looks at, what was used until then, and the share in the one before. */
  #windowStartMs = 0;
  #windowStartUsedMs = 0;
  #lastShare = 0;

  constructor(name: string, weight: number) {
    this.name = name;
    this.weight = weight;
  }

  /** Time spent for it, on a request of its own or not. */
  charge(ms: number): void {
    this.virtualMs += ms / this.weight;
    this.#usedMs += ms;
  }

  /** What part of the processor's time it took lately: since it was last asked, or in the last window. */
  shareLately(nowMs: number): number {
    const elapsedMs = nowMs - this.#windowStartMs;
    const usedMs = this.#usedMs - this.#windowStartUsedMs;
    if (elapsedMs < windowMs) return (usedMs + this.#lastShare * (windowMs - elapsedMs)) / windowMs;
    this.#lastShare = usedMs / elapsedMs;
    this.#windowStartMs = nowMs;
    this.#windowStartUsedMs = this.#usedMs;
    return this.#lastShare;
  }

  get hasReady(): boolean {
    for (const level of this.levels.values()) if (level.readyCount > 0) return true;
    return false;
  }

  get hasWork(): boolean {
    return this.slices.length > 0 || this.hasReady;
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
      level.forgetUnused();
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
