/** A document in one of its forms. */
export interface KeptDocument {
  bytes: Buffer;
  /** When it was made, by Date.now. */
  madeMs: number;
}

/** Documents by what they say; of those that are too many the least recently used go. */
export class KeptBytes {
  readonly #limitBytes: number;
  readonly #kept = new Map<string, KeptDocument>();
  readonly #making = new Map<string, Promise<unknown>>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** @param make is called for one of those who ask at the same time; when it fails, for the next. */
  async get(key: string, make: () => Promise<Buffer>): Promise<KeptDocument> {
    for (let other = this.#making.get(key); other !== undefined; other = this.#making.get(key)) {
      await other.catch(() => undefined);
    }
    const known = this.#kept.get(key);
    if (known !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return known;
    }
    const making = make();
    this.#making.set(key, making);
    try {
      const kept = { bytes: await making, madeMs: Date.now() };
      this.#keep(key, kept);
      return kept;
    } finally {
      this.#making.delete(key);
    }
  }

  #keep(key: string, kept: KeptDocument): void {
    this.#kept.set(key, kept);
    this.#bytes += kept.bytes.byteLength;
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#bytes <= this.#limitBytes || oldest === key) break;
      this.#kept.delete(oldest);
      this.#bytes -= bytes.byteLength;
    }
  }
}
