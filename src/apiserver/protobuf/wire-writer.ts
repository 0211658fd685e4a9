const shortText = 48;
const none = Buffer.alloc(0);
/** What a writer wrote in before, for the next one: memory for each message, grown as it gets longer, is dear. */
let spare: Buffer | undefined;
const firstBytes = 4096;
const mostSpareBytes = 256 * 1024;

/**
 * Writes protobuf's wire format from the end to the beginning: what a message holds is written before its length is
 * needed, so that nothing is measured first. Source: https://protobuf.dev/programming-guides/encoding/
 */
export class WireWriter {
  #buffer: Buffer = none;
  /** Where the bytes written so far begin. */
  #at = 0;

  /** How much is written: the difference of two of these is the length of what came between. */
  get length(): number {
    return this.#buffer.length - this.#at;
  }

  /** A copy of its own of what was written; the writer is empty afterwards. */
  take(): Buffer {
    // Memory of its own: a slice of Node's pool would keep its neighbours' alive as long as the object.
    const bytes = Buffer.allocUnsafeSlow(this.length);
    this.#buffer.copy(bytes, 0, this.#at);
    if (this.#buffer.length <= mostSpareBytes && this.#buffer !== none) spare = this.#buffer;
    this.#buffer = none;
    this.#at = 0;
    return bytes;
  }

  tag(number: number, wireType: number): void {
    this.varint(number * 8 + wireType);
  }

  /** A whole number of at most 53 bits, not negative. */
  varint(value: number): void {
    if (value < 0x80) {
      this.#reserve(1);
      this.#buffer[--this.#at] = value;
      return;
    }
    let length = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) length += 1;
    this.#reserve(length);
    this.#at -= length;
    let rest = value;
    for (let index = 0; index < length; index++) {
      const more = index < length - 1 ? 0x80 : 0;
      this.#buffer[this.#at + index] = (rest % 128) | more;
      rest = Math.floor(rest / 128);
    }
  }

  /** int32 and int64: negative numbers take ten bytes. RangeError for what is no number: it has no end of digits. */
  signed(value: number): void {
    if (!Number.isFinite(value)) throw new RangeError(`${value} is no whole number`);
    if (value >= 0) {
      this.varint(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    this.#reserve(10);
    this.#at -= 10;
    for (let index = 0; index < 10; index++) {
      this.#buffer[this.#at + index] = Number(rest & 0x7fn) | (index < 9 ? 0x80 : 0);
      rest >>= 7n;
    }
  }

  double(value: number): void {
    this.#reserve(8);
    this.#at -= 8;
    this.#buffer.writeDoubleLE(value, this.#at);
  }

  /** UTF-8 with its length before it. */
  text(value: string): void {
    if (value.length <= shortText && this.#ascii(value)) {
      this.varint(value.length);
      return;
    }
    const length = Buffer.byteLength(value);
    this.#reserve(length);
    this.#at -= length;
    this.#buffer.write(value, this.#at);
    this.varint(length);
  }

  /** Most texts are a few letters, for which a call into the runtime is dear. False: something else is in it. */
  #ascii(value: string): boolean {
    const { length } = value;
    this.#reserve(length);
    const start = this.#at - length;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      this.#buffer[start + index] = code;
    }
    this.#at = start;
    return true;
  }

  /** Bytes with their length before them. */
  bytes(value: Uint8Array): void {
    this.raw(value);
    this.varint(value.length);
  }

  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#at -= value.length;
    this.#buffer.set(value, this.#at);
  }

  #reserve(length: number): void {
    if (this.#at < length) this.#grow(length);
  }

  #grow(length: number): void {
    const written = this.length;
    let grown = written === 0 ? spare : undefined;
    if (grown === undefined || grown.length < length) {
      grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, written + length, firstBytes));
    } else spare = undefined;
    this.#buffer.copy(grown, grown.length - written, this.#at);
    this.#buffer = grown;
    this.#at = grown.length - written;
  }
}
