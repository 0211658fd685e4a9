import type { Rejection, Target } from './plugin.ts';

/** A placed unit as preemption sees it. */
export interface Placed {
  uid: string;
  priority: number;
  /** Epoch ms of its start. */
  since: number;
}

export interface PreemptionChoice<T extends Target, P extends Placed> {
  target: T;
  /** The most important first. */
  victims: P[];
  /** So many of them go though a disruption budget says they may not. */
  violations: number;
}

export interface PreemptionInput<T extends Target, P extends Placed> {
  /** Where others' leaving may help. */
  targets: readonly T[];
  /** Units placed there of a lower priority. */
  lowerOn(target: T): P[];
  /** Those of the units, the most important first, whose leaving disruption budgets forbid. */
  violating(units: readonly P[]): ReadonlySet<P>;
  /** Takes a unit out of the snapshot, or puts it back. */
  remove(unit: P): void;
  restore(unit: P): void;
  /** What keeps the unit from the target, as the snapshot is now. */
  rejection(target: T): Rejection | undefined;
}

export const NO_VICTIMS = 'No preemption victims found for incoming pod';

/**
 * Whom to send away, and from where: as few budgets violated, and as few and as unimportant units as possible. Source:
 * the default preemption (SelectVictimsOnNode, pickOneNodeForPreemption). Leaves the snapshot as it was.
 * @returns the choice, or why there is none, by target
 */
export function choosePreemption<T extends Target, P extends Placed>(
  input: PreemptionInput<T, P>,
): PreemptionChoice<T, P> | { rejections: Rejection[] } {
  let best: PreemptionChoice<T, P> | undefined;
  const rejections: Rejection[] = [];
  for (const target of input.targets) {
    const choice = victimsOn(input, target);
    if (!('victims' in choice)) rejections.push(choice);
    else if (best === undefined || isBetter(choice, best)) best = choice;
  }
  return best ?? { rejections };
}

function victimsOn<T extends Target, P extends Placed>(
  input: PreemptionInput<T, P>,
  target: T,
): PreemptionChoice<T, P> | Rejection {
  const { remove, restore, rejection } = input;
  const candidates = input.lowerOn(target).sort(byImportance);
  if (candidates.length === 0) return { reasons: [NO_VICTIMS], resolvable: false };
  for (const unit of candidates) remove(unit);
  const inTheWay = rejection(target);
  if (inTheWay !== undefined) {
    for (const unit of candidates) restore(unit);
    return inTheWay;
  }
  const forbidden = input.violating(candidates);
  const fits = () => rejection(target) === undefined;
  // Those whom budgets protect are spared first, then the most important ones, as far as they leave room.
  const violated = unspared(
    input,
    [...candidates].filter((unit) => forbidden.has(unit)),
    fits,
  );
  const others = unspared(
    input,
    [...candidates].filter((unit) => !forbidden.has(unit)),
    fits,
  );
  const victims = [...violated, ...others].sort(byImportance);
  for (const unit of victims) restore(unit);
  return { target, victims, violations: violated.length };
}

/**
 * Puts back those who leave room, and returns the others. The same as trying one by one, in as many steps as there are
 * victims (times a logarithm) rather than candidates: a group that leaves room is spared at once.
 */
function unspared<T extends Target, P extends Placed>(
  input: PreemptionInput<T, P>,
  units: P[],
  fits: () => boolean,
): P[] {
  if (units.length === 0) return [];
  for (const unit of units) input.restore(unit);
  if (fits()) return [];
  for (const unit of units) input.remove(unit);
  if (units.length === 1) return units;
  const middle = units.length >> 1;
  return [...unspared(input, units.slice(0, middle), fits), ...unspared(input, units.slice(middle), fits)];
}

const byImportance = (a: Placed, b: Placed) => b.priority - a.priority || a.since - b.since;

type Judged = { victims: Placed[]; violations: number };

/** The fewest violations, the lowest of the highest priorities, then of their sums, the fewest, those who came last. */
function isBetter(a: Judged, b: Judged): boolean {
  const highest = ({ victims }: Judged) => Math.max(...victims.map(({ priority }) => priority));
  // As upstream, so that many unimportant ones do not count for less than few.
  const sum = ({ victims }: Judged) => victims.reduce((total, { priority }) => total + priority + 2 ** 31, 0);
  const earliest = (choice: Judged) =>
    Math.min(...choice.victims.filter(({ priority }) => priority === highest(choice)).map(({ since }) => since));
  return (
    (a.violations - b.violations ||
      highest(a) - highest(b) ||
      sum(a) - sum(b) ||
      a.victims.length - b.victims.length ||
      earliest(b) - earliest(a)) < 0
  );
}
