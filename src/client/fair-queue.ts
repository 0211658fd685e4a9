/** What one tenant has waiting, in the order its items go. */
export interface Line<Item> {
  push(item: Item): void;
  pop(): Item | undefined;
  readonly size: number;
}

/** First come, first served; O(1) a step, and memory of what was taken is given back. */
export class Fifo<Item> implements Line<Item> {
  #items: Item[] = [];
  /** Index of the first item not yet taken; the array is cut when half of it is taken. */
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  pop(): Item | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head++];
    if (this.#head === this.#items.length || (this.#head > 1024 && this.#head * 2 > this.#items.length)) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

interface Lane<Item> {
  tenant: string;
  line: Line<Item>;
  /** Items taken and not yet released. */
  taken: number;
  /** Whether it stands among the turns. */
  hasTurn: boolean;
  /** Whether it waits for slots to come free. */
  isParked: boolean;
}

/** So many tenants, or as many as there are slots, get one slot even while others hold all. */
const SPARE_SLOTS = 32;

/**
 * Items of many tenants for a limited number of slots (workers, calls under way). Tenants take turns, and one that holds
 * slots gets another only while more are free than it holds: alone a tenant gets half of them, two get a third each. One
 * that holds none gets one at once: there are spare slots for such when all are held. So neither many items nor items
 * that hang keep others waiting, unless dozens of tenants do it together.
 * Every step costs O(1), amortized; a tenant with nothing waiting and nothing taken is not known here.
 */
export class FairQueue<Item> {
  /** The slots and the spare ones. */
  readonly mostTaken: number;
  readonly #slots: number;
  readonly #newLine: () => Line<Item>;
  readonly #lanes = new Map<string, Lane<Item>>();
  /** Lanes with items, in the order of their next turn. */
  readonly #turns = new Fifo<Lane<Item>>();
  /**
   * Lanes with items that hold too many slots, by how many. Lanes that hold n may go on when n < free - 1, so when a slot
   * comes free exactly those of one n may: nothing is searched. There are never more of them than slots.
   */
  readonly #parked = new Map<number, Set<Lane<Item>>>();
  #taken = 0;
  #size = 0;

  /** @param slots how many items may be taken at once; Infinity lets tenants take turns only */
  constructor(slots: number, newLine: () => Line<Item> = () => new Fifo<Item>()) {
    this.#slots = slots;
    this.mostTaken = slots + Math.max(slots, SPARE_SLOTS);
    this.#newLine = newLine;
  }

  /** Items that wait. */
  get size(): number {
    return this.#size;
  }

  sizeOf(tenant: string): number {
    return this.#lanes.get(tenant)?.line.size ?? 0;
  }

  push(tenant: string, item: Item): void {
    let lane = this.#lanes.get(tenant);
    if (lane === undefined) {
      lane = { tenant, line: this.#newLine(), taken: 0, hasTurn: false, isParked: false };
      this.#lanes.set(tenant, lane);
    }
    lane.line.push(item);
    this.#size++;
    if (!lane.isParked) this.#queueUp(lane);
  }

  /** The next item that may go now; its slot is held until `release`. */
  take(): { tenant: string; item: Item } | undefined {
    if (this.#taken >= this.mostTaken) return undefined;
    for (let lane = this.#turns.pop(); lane !== undefined; lane = this.#turns.pop()) {
      lane.hasTurn = false;
      if (!this.#mayTake(lane)) {
        this.#park(lane);
        continue;
      }
      const item = lane.line.pop()!;
      this.#size--;
      lane.taken++;
      this.#taken++;
      if (lane.line.size > 0) this.#queueUp(lane);
      return { tenant: lane.tenant, item };
    }
    return undefined;
  }

  /** Gives a slot back that `take` gave to the tenant. */
  release(tenant: string): void {
    const lane = this.#lanes.get(tenant);
    if (lane === undefined || lane.taken === 0) return;
    const wasParked = lane.isParked;
    if (wasParked) this.#unpark(lane);
    lane.taken--;
    this.#taken--;
    if (this.#parked.size > 0) this.#wake(this.#slots - this.#taken - 2);
    if (wasParked) this.#queueUp(lane);
    else if (lane.taken === 0 && lane.line.size === 0) this.#lanes.delete(tenant);
  }

  /** Forgets what waits; slots that are held may still be released. */
  clear(): void {
    for (const lane of this.#lanes.values()) {
      while (lane.line.size > 0) lane.line.pop();
      if (lane.isParked) this.#unpark(lane);
      lane.hasTurn = false;
      if (lane.taken === 0) this.#lanes.delete(lane.tenant);
    }
    while (this.#turns.size > 0) this.#turns.pop();
    this.#size = 0;
  }

  /** Those that hold so many. */
  #wake(taken: number): void {
    const waiting = this.#parked.get(taken);
    if (waiting === undefined) return;
    for (const lane of waiting) {
      this.#unpark(lane);
      this.#queueUp(lane);
    }
  }

  #mayTake({ taken }: Lane<Item>): boolean {
    return taken === 0 || taken < this.#slots - this.#taken - 1;
  }

  #queueUp(lane: Lane<Item>): void {
    if (lane.hasTurn) return;
    lane.hasTurn = true;
    this.#turns.push(lane);
  }

  #park(lane: Lane<Item>): void {
    lane.isParked = true;
    const others = this.#parked.get(lane.taken);
    if (others === undefined) this.#parked.set(lane.taken, new Set([lane]));
    else others.add(lane);
  }

  #unpark(lane: Lane<Item>): void {
    lane.isParked = false;
    const others = this.#parked.get(lane.taken);
    others?.delete(lane);
    if (others?.size === 0) this.#parked.delete(lane.taken);
  }
}
