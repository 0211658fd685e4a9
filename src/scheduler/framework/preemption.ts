import type { Target } from './plugin.ts';

/** A placed unit as preemption sees it. */
export interface Placed {
  uid: string;
  priority: number;
  /** Epoch ms. */
  since: number;
}

export interface PreemptionChoice<T extends Target, P extends Placed> {
  target: T;
  victims: P[];
}

export interface PreemptionInput<T extends Target, P extends Placed> {
  /** Where others' leaving may help. */
  targets: readonly T[];
  /** Units placed there of a lower priority. */
  lowerOn(target: T): P[];
  /** Takes a unit out of the snapshot, or puts it back. */
  remove(unit: P): void;
  restore(unit: P): void;
  /** Whether the unit fits on the target, as the snapshot is now. */
  fits(target: T): boolean;
}

/**
 * Whom to send away, and from where: as few and as unimportant units as possible. Source: the default preemption
 * (SelectVictimsOnNode, pickOneNodeForPreemption), without disruption budgets. Leaves the snapshot as it was.
 */
export function choosePreemption<T extends Target, P extends Placed>(
  input: PreemptionInput<T, P>,
): PreemptionChoice<T, P> | undefined {
  let best: PreemptionChoice<T, P> | undefined;
  for (const target of input.targets) {
    const victims = victimsOn(input, target);
    if (victims === undefined) continue;
    const choice = { target, victims };
    if (best === undefined || isBetter(choice, best)) best = choice;
  }
  return best;
}

function victimsOn<T extends Target, P extends Placed>(
  { lowerOn, remove, restore, fits }: PreemptionInput<T, P>,
  target: T,
): P[] | undefined {
  const candidates = lowerOn(target).sort(byImportance);
  if (candidates.length === 0) return undefined;
  for (const unit of candidates) remove(unit);
  const victims: P[] = [];
  if (fits(target)) {
    // The most important ones are spared first, as far as they leave room.
    for (const unit of candidates) {
      restore(unit);
      if (fits(target)) continue;
      remove(unit);
      victims.push(unit);
    }
    for (const unit of victims) restore(unit);
  } else {
    for (const unit of candidates) restore(unit);
  }
  return victims.length === 0 ? undefined : victims;
}

const byImportance = (a: Placed, b: Placed) => b.priority - a.priority || a.since - b.since;

/** The lowest of the highest priorities, then of their sums, then the fewest, then those who came last. */
function isBetter(a: { victims: Placed[] }, b: { victims: Placed[] }): boolean {
  const highest = ({ victims }: { victims: Placed[] }) => Math.max(...victims.map(({ priority }) => priority));
  // As upstream, so that many unimportant ones do not count for less than few.
  const sum = ({ victims }: { victims: Placed[] }) =>
    victims.reduce((total, { priority }) => total + priority + 2 ** 31, 0);
  const earliest = (choice: { victims: Placed[] }) =>
    Math.min(...choice.victims.filter(({ priority }) => priority === highest(choice)).map(({ since }) => since));
  return (
    (highest(a) - highest(b) || sum(a) - sum(b) || a.victims.length - b.victims.length || earliest(b) - earliest(a)) < 0
  );
}
