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
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get(key: string, make: () => Buffer): KeptDocument {
    let kept = this.#kept.get(key);
    if (kept === undefined) {
      kept = { bytes: make(), madeMs: Date.now() };
      this.#bytes += kept.bytes.byteLength;
    }
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#bytes <= this.#limitBytes || oldest === key) break;
      this.#kept.delete(oldest);
      this.#bytes -= bytes.byteLength;
    }
    return kept;
  }
}
