import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { fitErrorMessage } from './fit-error.ts';
import type { ClusterChange, FilterPlugin, Rejection, ScorePlugin, Target } from './plugin.ts';
import { type QueuedUnit, SchedulingQueue } from './queue.ts';

/** What one kind of placing consists of; `profiles/` has the two there are. */
export interface Profile<Unit, T extends Target, View> {
  name: string;
  /** `nodes`, `hosts`: as messages name the targets. */
  noun: string;
  filters: FilterPlugin<Unit, T, View>[];
  scores: ScorePlugin<Unit, T, View>[];
  /** Whose the unit is: tenants take turns. */
  tenantOf(unit: Unit): string;
  /** The snapshot as this unit sees it, and every target in it. */
  view(unit: Unit): { view: View; targets: readonly T[] };
  /** Counts the unit on the target in the snapshot until the informer shows it there, or `forget`. */
  assume(unit: Unit, target: T): void;
  forget(unit: Unit): void;
  /**
   * Runs while a decision about the unit is made: the snapshot as it will be when those before it have their places.
   * Returns what puts it back.
   */
  anticipate?(unit: Unit): () => void;
  /**
   * Sends others away so that the unit fits on one of these targets; `rejection` asks the filters again. Chooses at once
   * and acts later.
   */
  makeRoom?(
    unit: Unit,
    total: number,
    targets: readonly T[],
    rejection: (target: T) => Rejection | undefined,
  ): RoomMaking;
  /** Writes the decision. Rejects when it was refused. */
  bind(unit: Unit, target: T): Promise<void>;
  /** The unit is placed: tell it. */
  reportPlaced(unit: Unit, target: T): void;
  /** It fits nowhere: tell it, in its condition and by an event. `noRoom`: nobody may be sent away for it. */
  reportUnschedulable(unit: Unit, message: string, noRoom: boolean): Promise<void>;
  /** Is the refusal final (the unit is gone, or somebody else placed it)? */
  isFinal(error: unknown): boolean;
}

export type RoomMaking =
  | { act(): Promise<void> }
  /** Why nobody goes; `isHopeless` unless those who go are on their way already, or nobody may ever go for it. */
  | { message: string; isHopeless: boolean };

export interface SchedulerOptions {
  clock: Clock;
  logger: Logger;
  /** Bindings and reports under way at once. */
  bindsInFlight?: number;
}

export type Decision<T> = { target: T } | Misfit<T>;

interface Misfit<T> {
  message: string;
  helpedBy: ReadonlySet<ClusterChange>;
  /** How many targets there are, and where others' leaving may help. */
  total: number;
  resolvable: T[];
}

/** With more targets than this, the search stops at a sample of feasible ones (upstream: minFeasibleNodesToFind). */
const SAMPLE_TARGETS = 100;
/** A stretch of decisions without letting other work run. */
const SLICE_MS = 5;

/** The loop: take, decide, assume, and bind in parallel. Decisions are synchronous, so the snapshot cannot move in one. */
export class Scheduler<Unit, T extends Target, View> {
  readonly queue: SchedulingQueue<Unit>;
  readonly #profile: Profile<Unit, T, View>;
  readonly #logger: Logger;
  #pumping = false;
  #isRunning = false;
  #startAt = 0;

  constructor(profile: Profile<Unit, T, View>, options: SchedulerOptions) {
    this.#profile = profile;
    this.#logger = options.logger.child({ profile: profile.name });
    this.queue = new SchedulingQueue<Unit>(options.clock, () => this.#pump(), {
      tenantOf: (unit) => profile.tenantOf(unit),
      slots: options.bindsInFlight ?? 512,
    });
  }

  /** Call once the snapshot is complete: deciding on half of it would be wrong. */
  start(): void {
    this.#isRunning = true;
    this.#pump();
  }

  stop(): void {
    this.#isRunning = false;
    this.queue.close();
  }

  /** The decision alone: a function of the unit and the snapshot. */
  decide(unit: Unit): Decision<T> {
    const restore = this.#profile.anticipate?.(unit);
    try {
      return this.#decide(unit);
    } finally {
      restore?.();
    }
  }

  /**
   * The place of a unit that is not written yet, which counts there from now on: the caller must `forget` the unit. Only
   * while nobody waits for a turn; undefined otherwise, and where it fits nowhere.
   */
  placeAhead(unit: Unit): T | undefined {
    if (!this.#isRunning || this.queue.isBusy) return undefined;
    const decision = this.decide(unit);
    if (!('target' in decision)) return undefined;
    this.#profile.assume(unit, decision.target);
    return decision.target;
  }

  #decide(unit: Unit): Decision<T> {
    const { view, targets } = this.#profile.view(unit);
    const { noun, filters } = this.#profile;
    const helpedBy = new Set<ClusterChange>();
    const tests: { plugin: FilterPlugin<Unit, T, View>; test: (target: T) => Rejection | undefined }[] = [];
    for (const plugin of filters) {
      const test = plugin.prepare(unit, view);
      if (test === undefined) continue;
      if (typeof test === 'string') {
        for (const change of plugin.helpedBy) helpedBy.add(change);
        helpedBy.add('targetAdded');
        const message = fitErrorMessage(noun, targets.length, [], test);
        return { message, helpedBy, total: targets.length, resolvable: [] };
      }
      tests.push({ plugin, test });
    }

    const feasible: T[] = [];
    const rejections: Rejection[] = [];
    const resolvable: T[] = [];
    const wanted = sampleSize(targets.length);
    // The start moves on with every unit, so that a sample does not favour the same targets.
    const start = targets.length === 0 ? 0 : this.#startAt++ % targets.length;
    for (let offset = 0; offset < targets.length && feasible.length < wanted; offset++) {
      const target = targets[(start + offset) % targets.length]!;
      const failed = tests.find(({ plugin, test }) => {
        const rejection = test(target);
        if (rejection === undefined) return false;
        rejections.push(rejection);
        if (rejection.resolvable) resolvable.push(target);
        for (const change of plugin.helpedBy) helpedBy.add(change);
        return true;
      });
      if (failed === undefined) feasible.push(target);
    }
    if (feasible.length === 0) {
      helpedBy.add('targetAdded');
      const message = fitErrorMessage(noun, targets.length, rejections, undefined);
      return { message, helpedBy, total: targets.length, resolvable };
    }
    return { target: this.#best(unit, view, feasible) };
  }

  /** What keeps the unit from the target, as the snapshot is now. */
  #rejection(unit: Unit, target: T): Rejection | undefined {
    const { view } = this.#profile.view(unit);
    for (const plugin of this.#profile.filters) {
      const test = plugin.prepare(unit, view);
      const rejection = typeof test === 'string' ? { reasons: [test], resolvable: false } : test?.(target);
      if (rejection !== undefined) return rejection;
    }
    return undefined;
  }

  /** Choosing is synchronous, as deciding is. */
  #makeRoom(unit: Unit, { total, resolvable }: Misfit<T>): RoomMaking | undefined {
    const { makeRoom, anticipate } = this.#profile;
    if (makeRoom === undefined || total === 0) return undefined;
    const restore = anticipate?.(unit);
    try {
      return makeRoom(unit, total, resolvable, (target) => this.#rejection(unit, target));
    } finally {
      restore?.();
    }
  }

  #best(unit: Unit, view: View, feasible: T[]): T {
    if (feasible.length === 1) return feasible[0]!;
    const totals = new Float64Array(feasible.length);
    for (const plugin of this.#profile.scores) {
      const score = plugin.prepare(unit, view);
      if (score === undefined) continue;
      const scores = feasible.map((target) => score(target));
      const lowest = Math.min(...scores);
      const range = Math.max(...scores) - lowest;
      for (let index = 0; index < scores.length; index++) {
        const raw = scores[index]!;
        const brought = plugin.normalize ? (range === 0 ? 0 : ((raw - lowest) * 100) / range) : raw;
        totals[index]! += brought * plugin.weight;
      }
    }
    let best = 0;
    for (let index = 1; index < totals.length; index++) if (totals[index]! > totals[best]!) best = index;
    return feasible[best]!;
  }

  #pump(): void {
    if (this.#pumping || !this.#isRunning) return;
    this.#pumping = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#pumping = false;
    const sliceEnd = performance.now() + SLICE_MS;
    while (this.#isRunning) {
      if (performance.now() > sliceEnd) {
        this.#pump();
        return;
      }
      const queued = this.queue.take();
      if (queued === undefined) return;
      this.#scheduleOne(queued);
    }
  }

  #scheduleOne(queued: QueuedUnit<Unit>): void {
    let decision: Decision<T>;
    try {
      decision = this.decide(queued.unit);
    } catch (error) {
      // A unit whose rules cannot be evaluated must not stop the loop for everybody.
      this.#logger.error({ key: queued.key, error }, 'deciding failed');
      this.queue.putBackoff(queued);
      this.queue.release(queued);
      return;
    }
    const work = 'target' in decision ? this.#bind(queued, decision.target) : this.#reject(queued, decision);
    work
      .catch((error: unknown) => this.#logger.error({ key: queued.key, error }, 'scheduling failed'))
      .finally(() => {
        this.queue.release(queued);
        this.#pump();
      });
  }

  async #bind(queued: QueuedUnit<Unit>, target: T): Promise<void> {
    const unit = queued.unit;
    this.#profile.assume(unit, target);
    try {
      await this.#profile.bind(unit, target);
    } catch (error) {
      this.#profile.forget(unit);
      if (this.#profile.isFinal(error)) return this.queue.remove(queued.key);
      this.#logger.warn({ key: queued.key, target: target.name, error }, 'binding was refused');
      return this.queue.putBackoff(queued);
    }
    this.queue.remove(queued.key);
    this.#profile.reportPlaced(unit, target);
  }

  async #reject(queued: QueuedUnit<Unit>, misfit: Misfit<T>): Promise<void> {
    // First back into the queue, so that a change that comes while the report is written is not missed.
    this.queue.putUnschedulable(queued, misfit.helpedBy);
    try {
      const room = this.#makeRoom(queued.unit, misfit);
      if (room !== undefined && 'act' in room) await room.act();
      const refused = room !== undefined && 'message' in room ? room : undefined;
      const text = refused === undefined ? misfit.message : `${misfit.message} preemption: ${refused.message}`;
      await this.#profile.reportUnschedulable(queued.unit, text, refused?.isHopeless === true);
    } catch (error) {
      if (this.#profile.isFinal(error)) return;
      this.#logger.warn({ key: queued.key, error }, 'reporting an unschedulable unit failed');
    }
  }

  /** Undefined partition: everywhere. */
  clusterChanged(partition: string | undefined, change: ClusterChange): void {
    this.queue.clusterChanged(partition, change);
  }
}

/** Upstream's numFeasibleNodesToFind: all up to 100, then 50 % less 1 % for every 125 targets, at least 5 %. */
function sampleSize(targets: number): number {
  if (targets <= SAMPLE_TARGETS) return targets;
  const percent = Math.max(50 - targets / 125, 5);
  return Math.max(Math.floor((targets * percent) / 100), SAMPLE_TARGETS);
}
