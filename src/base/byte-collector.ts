const slabBytes = 16 * 1024;
/** A chunk is a view of its own of whatever it came in: small ones are copied together. */
const smallBytes = 1024;

/**
 * Gathers what comes in piece by piece. Whoever sends megabytes a byte at a time has us keep little more than the bytes
 * themselves.
 */
export class ByteCollector {
  #chunks: Buffer[] = [];
  #slab: Buffer | undefined;
  #used = 0;
  /** Of all that came. */
  length = 0;

  add(chunk: Buffer): void {
    this.length += chunk.length;
    if (chunk.length >= smallBytes) {
      this.#close();
      this.#chunks.push(chunk);
      return;
    }
    if (this.#slab !== undefined && this.#used + chunk.length > this.#slab.length) this.#close();
    // The first small one is most often the only one.
    if (this.#slab === undefined)
      this.#slab = Buffer.allocUnsafe(this.#chunks.length === 0 ? smallBytes * 2 : slabBytes);
    this.#used += chunk.copy(this.#slab, this.#used);
  }

  /** Holds this many pieces. */
  get pieces(): number {
    return this.#chunks.length + (this.#slab === undefined ? 0 : 1);
  }

  /** Lets go of everything; `length` stays. */
  clear(): void {
    this.#chunks = [];
    this.#slab = undefined;
    this.#used = 0;
  }

  bytes(): Buffer {
    this.#close();
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
  }

  #close(): void {
    if (this.#slab === undefined) return;
    this.#chunks.push(this.#slab.subarray(0, this.#used));
    this.#slab = undefined;
    this.#used = 0;
  }
}
