import type { Clock } from '../../base/clock.ts';
import { FairQueue } from '../../client/fair-queue.ts';
import { Heap } from './heap.ts';
import type { ClusterChange } from './plugin.ts';

/** One unit's way through the queue. */
export interface QueuedUnit<Unit> {
  key: string;
  unit: Unit;
  /** Cluster changes are told by partition: a tenant's nodes, a zone's hosts. */
  partition: string;
  priority: number;
  /** Epoch ms of its first arrival; equal priorities go first come, first served. */
  since: number;
  attempts: number;
  /** Epoch ms of the last try; back-off counts from here. */
  triedAt: number;
  /** Union of the rejecting filters' `helpedBy`. */
  helpedBy: ReadonlySet<ClusterChange>;
}

type Place = 'active' | 'backoff' | 'unschedulable' | 'taken';

const INITIAL_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 10_000;
/** A unit that nothing seemed to help is tried again anyway after so long (upstream: 5 minutes). */
export const UNSCHEDULABLE_RETRY_MS = 300_000;

interface Ticket {
  key: string;
  ticket: number;
  priority: number;
  since: number;
}

const isBefore = (a: Ticket, b: Ticket) => a.priority > b.priority || (a.priority === b.priority && a.since < b.since);

export interface SchedulingQueueOptions<Unit> {
  /** Tenants take turns, whatever priorities they give their own. */
  tenantOf?: (unit: Unit) => string;
  /** How many units may be taken and not yet released, shared fairly among tenants (see FairQueue). */
  slots?: number;
}

/**
 * Upstream's scheduling queue, one line a tenant: active (by priority, then arrival), back-off, and an unschedulable pool whose units come
 * back when the cluster changes in a way that may help. One timer for the whole queue, none while nothing waits.
 */
export class SchedulingQueue<Unit> {
  readonly #clock: Clock;
  readonly #onActive: () => void;
  readonly #units = new Map<string, { queued: QueuedUnit<Unit>; place: Place; ticket: number }>();
  // Lines hold (key, ticket); an entry whose ticket is no longer the unit's is skipped, so removal costs nothing.
  readonly #active: FairQueue<Ticket>;
  readonly #tenantOf: (unit: Unit) => string;
  readonly #waiting = new Heap<{ key: string; ticket: number; at: number }>((a, b) => a.at < b.at);
  readonly #unschedulable = new Map<string, Set<string>>();
  #arrivals = 0;
  #ticket = 0;
  #timer: { at: number; cancel: () => void } | undefined;

  constructor(clock: Clock, onActive: () => void, options: SchedulingQueueOptions<Unit> = {}) {
    this.#clock = clock;
    this.#onActive = onActive;
    this.#tenantOf = options.tenantOf ?? (() => '');
    this.#active = new FairQueue(options.slots ?? Infinity, () => new Heap(isBefore));
  }

  /** Units known, wherever they wait. */
  get size(): number {
    return this.#units.size;
  }

  /** Does anybody wait for a turn? Those that fit nowhere for now do not. */
  get isBusy(): boolean {
    return this.#active.size > 0;
  }

  has(key: string): boolean {
    return this.#units.has(key);
  }

  /** A new unit, or one that changed in a way that matters: it is tried at once. */
  add(key: string, unit: Unit, partition: string, priority: number): void {
    const known = this.#units.get(key);
    if (known?.place === 'active' || known?.place === 'taken') {
      known.queued.unit = unit;
      return;
    }
    this.#leave(key, known);
    const queued: QueuedUnit<Unit> = {
      key,
      unit,
      partition,
      priority,
      since: known?.queued.since ?? this.#arrivals++,
      attempts: known?.queued.attempts ?? 0,
      triedAt: known?.queued.triedAt ?? 0,
      helpedBy: new Set(),
    };
    this.#activate(queued);
  }

  /** A newer version of the unit that changes nothing about its chances. */
  refresh(key: string, unit: Unit): void {
    const known = this.#units.get(key);
    if (known !== undefined) known.queued.unit = unit;
  }

  remove(key: string): void {
    this.#leave(key, this.#units.get(key));
    this.#units.delete(key);
  }

  /** The next unit to try; it stays known ("taken") until it is removed or put back. Its slot is held until `release`. */
  take(): QueuedUnit<Unit> | undefined {
    for (let next = this.#active.take(); next !== undefined; next = this.#active.take()) {
      const { tenant, item } = next;
      const entry = this.#units.get(item.key);
      if (entry === undefined || entry.ticket !== item.ticket || entry.place !== 'active') {
        this.#active.release(tenant);
        continue;
      }
      entry.place = 'taken';
      entry.queued.attempts++;
      entry.queued.triedAt = this.#clock.now();
      return entry.queued;
    }
    return undefined;
  }

  /** The work on a taken unit is over, wherever the unit is now. */
  release(queued: QueuedUnit<Unit>): void {
    this.#active.release(this.#tenantOf(queued.unit));
  }

  /** No place was found. */
  putUnschedulable(queued: QueuedUnit<Unit>, helpedBy: ReadonlySet<ClusterChange>): void {
    const entry = this.#units.get(queued.key);
    if (entry === undefined || entry.place !== 'taken') return;
    entry.queued.helpedBy = helpedBy;
    entry.place = 'unschedulable';
    entry.ticket = ++this.#ticket;
    let keys = this.#unschedulable.get(queued.partition);
    if (keys === undefined) this.#unschedulable.set(queued.partition, (keys = new Set()));
    keys.add(queued.key);
    this.#wait(queued.key, entry.ticket, UNSCHEDULABLE_RETRY_MS);
  }

  /** Something failed on the way (a bind that was refused): try again after a while. */
  putBackoff(queued: QueuedUnit<Unit>): void {
    const entry = this.#units.get(queued.key);
    if (entry === undefined || entry.place === 'active') return;
    this.#leave(queued.key, entry);
    const remainingMs = entry.queued.triedAt + backoffMs(entry.queued.attempts) - this.#clock.now();
    if (remainingMs <= 0) {
      this.#activate(entry.queued);
      return;
    }
    entry.place = 'backoff';
    entry.ticket = ++this.#ticket;
    this.#wait(queued.key, entry.ticket, remainingMs);
  }

  /** The cluster changed: unschedulable units of the partition (all, when undefined) that this may help are retried. */
  clusterChanged(partition: string | undefined, change: ClusterChange): void {
    const sets = partition === undefined ? [...this.#unschedulable.values()] : [this.#unschedulable.get(partition)];
    for (const keys of sets) {
      if (keys === undefined) continue;
      for (const key of [...keys]) {
        const entry = this.#units.get(key);
        if (entry === undefined || !entry.queued.helpedBy.has(change)) continue;
        // At once when its back-off ran out while it waited; a burst of changes does not spin on one unit.
        this.putBackoff(entry.queued);
      }
    }
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #leave(key: string, entry: { queued: QueuedUnit<Unit>; place: Place } | undefined): void {
    if (entry?.place !== 'unschedulable') return;
    const keys = this.#unschedulable.get(entry.queued.partition);
    keys?.delete(key);
    if (keys?.size === 0) this.#unschedulable.delete(entry.queued.partition);
  }

  #activate(queued: QueuedUnit<Unit>): void {
    const ticket = ++this.#ticket;
    this.#units.set(queued.key, { queued, place: 'active', ticket });
    const { key, priority, since } = queued;
    this.#active.push(this.#tenantOf(queued.unit), { key, ticket, priority, since });
    this.#onActive();
  }

  #wait(key: string, ticket: number, delayMs: number): void {
    this.#waiting.push({ key, ticket, at: this.#clock.now() + delayMs });
    this.#arm();
  }

  #arm(): void {
    const next = this.#waiting.peek();
    if (next === undefined || (this.#timer !== undefined && this.#timer.at <= next.at)) return;
    this.#timer?.cancel();
    const cancel = this.#clock.schedule(next.at - this.#clock.now(), () => {
      this.#timer = undefined;
      this.#release();
    });
    this.#timer = { at: next.at, cancel };
  }

  #release(): void {
    const now = this.#clock.now();
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      const entry = this.#units.get(next.key);
      const stale = entry === undefined || entry.ticket !== next.ticket;
      if (!stale && next.at > now) break;
      this.#waiting.pop();
      if (stale) continue;
      this.#leave(next.key, entry);
      this.#activate(entry.queued);
    }
    this.#arm();
  }
}

/** 1 s doubling to 10 s, as upstream's. */
export function backoffMs(attempts: number): number {
  return Math.min(INITIAL_BACKOFF_MS * 2 ** Math.max(attempts - 1, 0), MAX_BACKOFF_MS);
}
