/**
 * What is made of texts that come from tenants: made once for all of them, and bounded, so that nobody fills memory.
 * The least recently used goes first.
 */
export class Kept<T> {
  readonly #values = new Map<string, { value: T } | { error: unknown }>();
  readonly #limit: number;

  constructor(limit = 4096) {
    this.#limit = limit;
  }

  /** What `make` throws is kept and thrown again. */
  get(key: string, make: () => T): T {
    let kept = this.#values.get(key);
    if (kept !== undefined) this.#values.delete(key);
    else {
      try {
        kept = { value: make() };
      } catch (error) {
        kept = { error };
      }
      if (this.#values.size >= this.#limit) this.#values.delete(this.#values.keys().next().value!);
    }
    this.#values.set(key, kept);
    if ('error' in kept) throw kept.error;
    return kept.value;
  }
}
