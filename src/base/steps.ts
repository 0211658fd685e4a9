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

/** Whoever decides when it is others' turn: `rest` gives undefined while the work may go on. */
export interface Pace {
  rest(): Promise<void> | undefined;
}

/** Runs in as many parts as the pace asks for; without one, at once. */
export async function runInTurns<T>(steps: Steps<T>, pace: Pace | undefined): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    const resting = pace?.rest();
    if (resting !== undefined) await resting;
  }
}
