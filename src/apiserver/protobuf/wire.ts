/**
 * Reads protobuf's wire format. Messages within are read where they stand: a view of the bytes costs more than to read
 * most of them. Source: https://protobuf.dev/programming-guides/encoding/
 */
export class WireReader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;
  /** Of the field that `field` said last. */
  wireType = 0;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** Bytes that are not read yet. */
  get left(): number {
    return this.#end - this.#at;
  }

  /** The next field's number; its value has to be read, or skipped, right after. */
  field(): number {
    const tag = this.number();
    this.wireType = tag & 7;
    return Math.floor(tag / 8);
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.#at >= this.#end) throw new WireError('unexpected EOF');
      const byte = this.#bytes[this.#at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new WireError('proto: integer overflow');
  }

  /** An unsigned varint; those of more than 53 bits come out about right. */
  number(): number {
    const short = this.#short();
    return short === undefined ? Number(this.varint()) : short;
  }

  signed(): number {
    const short = this.#short();
    return short === undefined ? Number(BigInt.asIntN(64, this.varint())) : short;
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#skip(8));
  }

  bytes(): Buffer {
    const length = this.number();
    const start = this.#skip(length);
    return this.#bytes.subarray(start, start + length);
  }

  text(): string {
    const length = this.number();
    const start = this.#skip(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  /** A message within. */
  message(): WireReader {
    const length = this.number();
    const start = this.#skip(length);
    return new WireReader(this.#bytes, start, start + length);
  }

  /** Of the bytes that come next, where bytes come next. */
  get nextLength(): number {
    const at = this.#at;
    const length = this.number();
    this.#at = at;
    return length;
  }

  /** Goes over the value of the field. */
  skip(): void {
    const { wireType } = this;
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.#skip(8);
    else if (wireType === 2) this.#skip(this.number());
    else if (wireType === 5) this.#skip(4);
    else throw new WireError(`proto: illegal wireType ${wireType}`);
  }

  /** A varint of at most four bytes, as nearly all are; undefined, and nothing read, where it is longer or cut off. */
  #short(): number | undefined {
    const bytes = this.#bytes;
    const last = Math.min(this.#at + 4, this.#end);
    let value = 0;
    for (let at = this.#at, shift = 0; at < last; at++, shift += 7) {
      const byte = bytes[at]!;
      value |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      this.#at = at + 1;
      return value;
    }
    return undefined;
  }

  /** @returns where it was. */
  #skip(length: number): number {
    const start = this.#at;
    if (start + length > this.#end) throw new WireError('unexpected EOF');
    this.#at = start + length;
    return start;
  }
}

export class WireError extends Error {}
