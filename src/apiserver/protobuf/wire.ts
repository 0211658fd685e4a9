/** Reads protobuf's wire format. Source: https://protobuf.dev/programming-guides/encoding/ */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The next field; its value has to be read, or skipped, right after. */
  tag(): { number: number; wireType: number } {
    const tag = this.#number();
    return { number: Math.floor(tag / 8), wireType: tag & 7 };
  }

  varint(): bigint {
    const first = this.#bytes[this.#at]!;
    if (first < 0x80) {
      this.#at++;
      return BigInt(first);
    }
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new WireError('unexpected EOF');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new WireError('proto: integer overflow');
  }

  signed(): number {
    return Number(BigInt.asIntN(64, this.varint()));
  }

  double(): number {
    return this.#take(8).readDoubleLE();
  }

  bytes(): Buffer {
    return this.#take(this.#number());
  }

  /** Of the bytes that come next, where bytes come next. */
  get nextLength(): number {
    const at = this.#at;
    const length = this.#number();
    this.#at = at;
    return length;
  }

  #number(): number {
    const first = this.#bytes[this.#at]!;
    if (first >= 0x80 || first === undefined) return Number(this.varint());
    this.#at++;
    return first;
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.#take(8);
    else if (wireType === 2) this.bytes();
    else if (wireType === 5) this.#take(4);
    else throw new WireError(`proto: illegal wireType ${wireType}`);
  }

  #take(length: number): Buffer {
    if (length < 0 || this.#at + length > this.#bytes.length) throw new WireError('unexpected EOF');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

export class WireError extends Error {}
