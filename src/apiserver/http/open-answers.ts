import type { RequestContext } from '../request-context.ts';

/** Watches, streams, and whatever a client does not read to its end. */
export const openAnswersLimit = 10_000;

/** Counts answers that are not through yet by tenant: each costs memory, and one connection holds a thousand of them. */
export class OpenAnswers {
  readonly #counts = new Map<string, number>();
  readonly #limit: number;

  constructor(limit = openAnswersLimit) {
    this.#limit = limit;
  }

  /** To be called when the answer is through; undefined: there are too many. */
  admit({ identity, tenant }: Pick<RequestContext, 'identity' | 'tenant'>): (() => void) | undefined {
    if (identity.kind === 'platform' || identity.kind === 'host') return () => {};
    const owner = identity.kind === 'anonymous' ? '' : tenant;
    const count = this.#counts.get(owner) ?? 0;
    if (count >= this.#limit) return undefined;
    this.#counts.set(owner, count + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = this.#counts.get(owner)! - 1;
      if (left > 0) this.#counts.set(owner, left);
      else this.#counts.delete(owner);
    };
  }
}
