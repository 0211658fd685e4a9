/**
 * Long work that can be cut: a generator that yields, after every little while, where others may have their turns. What
 * a tenant can make arbitrarily long on the event loop that all share is written so.
 */
export type Steps<T> = Generator<void, T, void>;

/** Where nobody waits, or the work is short. */
export function runAtOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Whoever decides when it is others' turn. */
export interface Pace {
  /** The work has been going on for so long that others are to have theirs. */
  readonly isDue: boolean;
  /** There is much to do (it was others' turn once already, or what came is large): what can be done in steps had better be. */
  isLong: boolean;
  rest(): Promise<void>;
}

/** Runs in as many parts as the pace asks for; without one, at once. A promise only where it rested. */
export function runInTurns<T>(steps: Steps<T>, pace: Pace | undefined): T | Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (pace?.isDue === true) return goOn(steps, pace);
  }
}

async function goOn<T>(steps: Steps<T>, pace: Pace): Promise<T> {
  await pace.rest();
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (pace.isDue) await pace.rest();
  }
}
