import { dealHand } from './classification.ts';

/** A PriorityLevelConfiguration as far as seats and queues go. */
export interface LevelSettings {
  name: string;
  uid: string;
  exempt: boolean;
  shares: number;
  lendablePercent: number;
  /** undefined: no bound. */
  borrowingLimitPercent: number | undefined;
  /** undefined: Reject. */
  queuing: { queues: number; handSize: number; queueLengthLimit: number } | undefined;
}

/** Upstream's --max-requests-inflight plus --max-mutating-requests-inflight: what the shares of one tenant divide. */
export const TENANT_SEATS = 600;

export interface SeatLimits {
  nominal: number;
  /** Kept back from lending. */
  minimum: number;
  /** With all that may be borrowed. */
  maximum: number;
}

export function seatLimits(level: LevelSettings, sumOfShares: number): SeatLimits {
  if (sumOfShares <= 0) return { nominal: 0, minimum: 0, maximum: TENANT_SEATS };
  const nominal = Math.ceil((TENANT_SEATS * level.shares) / sumOfShares);
  const lendable = Math.round((nominal * level.lendablePercent) / 100);
  const borrowing =
    level.borrowingLimitPercent === undefined
      ? TENANT_SEATS
      : Math.round((nominal * level.borrowingLimitPercent) / 100);
  return { nominal, minimum: nominal - lendable, maximum: nominal + borrowing };
}

/** The most seats one request of a level may be worth. Source: apf_controller.go, MaxSeatsTracker. */
export function widestRequest(level: LevelSettings, limits: SeatLimits): number {
  if (level.queuing === undefined) return 10;
  return Math.max(
    1,
    Math.min(10, Math.ceil(limits.nominal * 0.15), Math.floor(limits.nominal / Math.max(1, level.queuing.handSize))),
  );
}

/** A request between its arrival and the end of its answer. */
export interface Waiting {
  readonly width: number;
  readonly schemaName: string;
  readonly arrivedMs: number;
  /** True when nobody waits for the answer any more. */
  gone(): boolean;
  /** Called once, when it cannot be served: by the level's own rules or because nobody waits for it. */
  reject(reason: RejectReason): void;
}

/** What the requests of one flow schema have of a level, and what they wait for: for the metrics. */
export interface SchemaUse {
  executing: number;
  seats: number;
  waiting: number;
  waitingSeats: number;
}

export type RejectReason = 'tenant-full' | 'queue-full' | 'concurrency-limit' | 'time-out' | 'cancelled';

/** One queue of a level: requests with a seat, ready to run, and those that wait for one. */
export class LevelQueue<Request extends Waiting> {
  readonly ready: Request[] = [];
  readonly waiting: Request[] = [];
  /** Service received, in milliseconds: the queue that got least goes next. */
  virtualMs = 0;
  /** Requests that run. */
  running = 0;
}

/**
 * Seats and queues of one priority level of one tenant. A request takes its seats when there are enough (`ready`), or
 * waits for them in the shorter of its flow's queues, or is refused. Running is another matter: whoever has the
 * processor to give away takes what is ready with `take`.
 */
export class PriorityLevel<Request extends Waiting> {
  settings: LevelSettings;
  limits: SeatLimits;
  /** Seats taken, by ready and running requests. */
  seatsTaken = 0;
  waitingCount = 0;
  waitingSeats = 0;
  readyCount = 0;
  runningCount = 0;
  /** Service received, in milliseconds by share, among the levels of its tenant. */
  virtualMs = 0;
  /** By the names of schemas that had requests here since the configuration changed. */
  readonly bySchema = new Map<string, SchemaUse>();
  readonly #queues = new Map<number, LevelQueue<Request>>();
  /** The service of the queue that ran last: where a queue that was empty starts from. */
  #virtualNowMs = 0;
  readonly #lendTo: (level: PriorityLevel<Request>, seats: number) => boolean;

  /** `lendTo` says whether other levels have so many seats to spare beyond this level's nominal limit. */
  constructor(
    settings: LevelSettings,
    limits: SeatLimits,
    lendTo: (level: PriorityLevel<Request>, seats: number) => boolean,
  ) {
    this.settings = settings;
    this.limits = limits;
    this.#lendTo = lendTo;
  }

  get idle(): boolean {
    return this.waitingCount === 0 && this.readyCount === 0 && this.runningCount === 0 && this.seatsTaken === 0;
  }

  /** Seats over the nominal limit, lent by others. */
  get borrowed(): number {
    return Math.max(0, this.seatsTaken - this.limits.nominal);
  }

  /** What it could lend: its nominal seats without those in use, wanted or kept back. */
  get spare(): number {
    const { nominal, minimum } = this.limits;
    return Math.max(0, nominal - Math.max(minimum, this.seatsTaken + this.waitingSeats));
  }

  /** `flow`: the request's schema and distinguisher. Returns the queue it is in; undefined when it was refused. */
  enqueue(request: Request, flow: string): LevelQueue<Request> | undefined {
    const { queuing, exempt } = this.settings;
    const queue = exempt || queuing === undefined ? this.#queue(0) : this.#shortestQueue(flow, queuing);
    if (this.waitingCount === 0 && this.#seatsFor(request)) {
      this.#grant(queue, request);
      return queue;
    }
    if (queuing === undefined) {
      request.reject('concurrency-limit');
      return undefined;
    }
    if (queue.waiting.length >= queuing.queueLengthLimit) {
      request.reject('queue-full');
      return undefined;
    }
    queue.waiting.push(request);
    this.#countWaiting(request, 1);
    return queue;
  }

  /** The next request to run, from the queue that was served least; undefined when none is ready. */
  take(): { request: Request; queue: LevelQueue<Request> } | undefined {
    while (this.readyCount > 0) {
      const queue = this.#least((one) => one.ready.length > 0)!;
      const request = queue.ready.shift()!;
      this.readyCount--;
      if (request.gone()) {
        request.reject('cancelled');
        this.#giveBack(request);
        continue;
      }
      this.#virtualNowMs = queue.virtualMs;
      queue.running++;
      this.runningCount++;
      return { request, queue };
    }
    return undefined;
  }

  /** The request's handler is done; its seats stay taken until `release`. */
  stopped(queue: LevelQueue<Request>): void {
    queue.running--;
    this.runningCount--;
  }

  /** Its seats are free again. */
  release(request: Request): void {
    this.#giveBack(request);
    this.#dropIdleQueues();
  }

  /** Waiting ones take what seats there are. */
  grantWaiting(): void {
    while (this.waitingCount > 0) {
      const queue = this.#least((one) => one.waiting.length > 0)!;
      const request = queue.waiting[0]!;
      if (!request.gone() && !this.#seatsFor(request)) return;
      queue.waiting.shift();
      this.#countWaiting(request, -1);
      if (request.gone()) request.reject('cancelled');
      else this.#grant(queue, request);
    }
  }

  /** Refuses what has waited too long or for nobody, wherever it stands. Returns how many. */
  sweep(tooOld: (request: Request) => boolean): number {
    let swept = 0;
    for (const queue of this.#queues.values()) {
      for (const request of extract(queue.waiting, (one) => one.gone() || tooOld(one))) {
        this.#countWaiting(request, -1);
        request.reject(request.gone() ? 'cancelled' : 'time-out');
        swept++;
      }
      for (const request of extract(queue.ready, (one) => one.gone() || tooOld(one))) {
        this.readyCount--;
        request.reject(request.gone() ? 'cancelled' : 'time-out');
        this.#giveBack(request);
        swept++;
      }
    }
    return swept;
  }

  /** Schemas come and go: those that nobody uses are forgotten. */
  forgetUnused(): void {
    for (const [name, { executing, waiting }] of this.bySchema) {
      if (executing === 0 && waiting === 0) this.bySchema.delete(name);
    }
  }

  #seatsFor({ width }: Request): boolean {
    if (this.settings.exempt || this.seatsTaken === 0) return true;
    const wanted = this.seatsTaken + width;
    if (wanted <= this.limits.nominal) return true;
    return wanted <= this.limits.maximum && this.#lendTo(this, wanted - Math.max(this.limits.nominal, this.seatsTaken));
  }

  #grant(queue: LevelQueue<Request>, request: Request): void {
    if (queue.ready.length === 0 && queue.running === 0) {
      queue.virtualMs = Math.max(queue.virtualMs, this.#virtualNowMs);
    }
    queue.ready.push(request);
    this.readyCount++;
    this.#countSeated(request, 1);
  }

  #countSeated({ width, schemaName }: Request, by: 1 | -1): void {
    const use = this.#use(schemaName);
    this.seatsTaken += by * width;
    use.seats += by * width;
    use.executing += by;
  }

  #countWaiting({ width, schemaName }: Request, by: 1 | -1): void {
    const use = this.#use(schemaName);
    this.waitingCount += by;
    this.waitingSeats += by * width;
    use.waiting += by;
    use.waitingSeats += by * width;
  }

  #use(schemaName: string): SchemaUse {
    let use = this.bySchema.get(schemaName);
    if (use === undefined) {
      this.bySchema.set(schemaName, (use = { executing: 0, seats: 0, waiting: 0, waitingSeats: 0 }));
    }
    return use;
  }

  #giveBack(request: Request): void {
    this.#countSeated(request, -1);
    this.grantWaiting();
  }

  #queue(index: number): LevelQueue<Request> {
    let queue = this.#queues.get(index);
    if (queue === undefined) {
      queue = new LevelQueue();
      queue.virtualMs = this.#virtualNowMs;
      this.#queues.set(index, queue);
    }
    return queue;
  }

  #shortestQueue(flow: string, queuing: { queues: number; handSize: number }): LevelQueue<Request> {
    let shortest: LevelQueue<Request> | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const index of handOf(flow, queuing)) {
      const queue = this.#queues.get(index);
      if (queue === undefined) return this.#queue(index);
      const length = queue.waiting.length + queue.ready.length + queue.running;
      if (length < least) {
        least = length;
        shortest = queue;
      }
    }
    return shortest ?? this.#queue(0);
  }

  #least(has: (queue: LevelQueue<Request>) => boolean): LevelQueue<Request> | undefined {
    let least: LevelQueue<Request> | undefined;
    for (const queue of this.#queues.values()) {
      if (has(queue) && (least === undefined || queue.virtualMs < least.virtualMs)) least = queue;
    }
    return least;
  }

  /** A queue that got more than others keeps its account until they caught up. */
  #dropIdleQueues(): void {
    if (this.#queues.size <= 8) return;
    for (const [index, queue] of this.#queues) {
      const { ready, waiting, running, virtualMs } = queue;
      if (ready.length === 0 && waiting.length === 0 && running === 0 && virtualMs <= this.#virtualNowMs) {
        this.#queues.delete(index);
      }
    }
  }
}

/** Hands of the flows seen last. */
const hands = new Map<string, number[]>();
const handsLimit = 1024;

function handOf(flow: string, { queues, handSize }: { queues: number; handSize: number }): number[] {
  const key = `${queues} ${handSize} ${flow}`;
  let hand = hands.get(key);
  if (hand === undefined) {
    hand = dealHand(flow, Math.max(1, queues), Math.max(1, handSize));
    if (hands.size >= handsLimit) hands.delete(hands.keys().next().value!);
    hands.set(key, hand);
  }
  return hand;
}

/** Takes out what matches, keeping the order of the rest. */
function extract<T>(list: T[], matches: (item: T) => boolean): T[] {
  const taken: T[] = [];
  let kept = 0;
  for (const item of list) {
    if (matches(item)) taken.push(item);
    else list[kept++] = item;
  }
  list.length = kept;
  return taken;
}
