/** An expression of a mebibyte takes a hundred to hold once it is compiled. */
const mostCharacters = 4 * 1024 * 1024;
/** What any takes besides. */
const charactersOfAny = 200;

/**
 * What is made of texts that come from tenants: made once for all of them, and bounded, so that nobody fills memory.
 * The least recently used goes first.
 */
export class Kept<T> {
  readonly #values = new Map<string, ({ value: T } | { error: unknown }) & { characters: number }>();
  readonly #limit: number;
  #characters = 0;

  constructor(limit = 4096) {
    this.#limit = limit;
  }

  /** What `make` throws is kept and thrown again. `characters`: how long the text is that it is made of. */
  get(key: string, characters: number, make: () => T): T {
    let kept = this.#values.get(key);
    if (kept !== undefined) this.#values.delete(key);
    else {
      const weight = { characters: characters + charactersOfAny };
      try {
        kept = { value: make(), ...weight };
      } catch (error) {
        kept = { error, ...weight };
      }
      this.#characters += kept.characters;
      while (this.#values.size >= this.#limit || (this.#characters > mostCharacters && this.#values.size > 0)) {
        const [oldest, { characters: freed }] = this.#values.entries().next().value!;
        this.#values.delete(oldest);
        this.#characters -= freed;
      }
    }
    this.#values.set(key, kept);
    if ('error' in kept) throw kept.error;
    return kept.value;
  }
}
