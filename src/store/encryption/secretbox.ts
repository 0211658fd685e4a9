import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Key, Provider } from './providers.ts';

const nonceBytes = 24;
const tagBytes = 16;
const sigma = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

/** `k8s:enc:secretbox:v1:KEY:` nonce, tag, ciphertext: XSalsa20 and Poly1305, as NaCl's secretbox. */
export function secretbox({ name, bytes: key }: Key): Provider {
  return {
    prefix: `k8s:enc:secretbox:v1:${name}:`,
    seal(value) {
      const nonce = randomBytes(nonceBytes);
      return Buffer.concat([nonce, sealBox(value, nonce, key)]);
    },
    open(sealed) {
      if (sealed.length < nonceBytes + tagBytes) throw new Error('the stored data was shorter than the required size');
      return openBox(sealed.subarray(nonceBytes), sealed.subarray(0, nonceBytes), key);
    },
  };
}

/** Tag, then ciphertext. Source: https://nacl.cr.yp.to/secretbox.html. */
export function sealBox(message: Uint8Array, nonce: Buffer, key: Buffer): Buffer {
  const stream = new KeyStream(nonce, key);
  const macKey = stream.take(32);
  const ciphertext = stream.apply(message);
  return Buffer.concat([poly1305(ciphertext, macKey), ciphertext]);
}

export function openBox(box: Buffer, nonce: Buffer, key: Buffer): Buffer {
  const stream = new KeyStream(nonce, key);
  const macKey = stream.take(32);
  const ciphertext = box.subarray(tagBytes);
  if (!timingSafeEqual(poly1305(ciphertext, macKey), box.subarray(0, tagBytes))) {
    throw new Error('output array was not large enough for encryption');
  }
  return stream.apply(ciphertext);
}

/** XSalsa20: a key of the nonce's first half, then Salsa20 with the rest. */
class KeyStream {
  readonly #state: Uint32Array;
  readonly #block = Buffer.alloc(64);
  #used = 64;

  constructor(nonce: Buffer, key: Buffer) {
    const mixed = rounds(stateOf(key, nonce.subarray(0, 16)));
    const subkey = Buffer.alloc(32);
    // Eight words that no attacker can compute back from.
    for (const [place, word] of [0, 5, 10, 15, 6, 7, 8, 9].entries()) subkey.writeUInt32LE(mixed[word]!, place * 4);
    this.#state = stateOf(subkey, Buffer.concat([nonce.subarray(16, 24), Buffer.alloc(8)]));
  }

  take(length: number): Buffer {
    return this.apply(Buffer.alloc(length));
  }

  apply(data: Uint8Array): Buffer {
    const out = Buffer.allocUnsafe(data.length);
    for (let at = 0; at < data.length; at++) {
      if (this.#used === 64) this.#next();
      out[at] = data[at]! ^ this.#block[this.#used++]!;
    }
    return out;
  }

  #next(): void {
    const mixed = rounds(this.#state);
    for (let word = 0; word < 16; word++) {
      this.#block.writeUInt32LE((mixed[word]! + this.#state[word]!) >>> 0, word * 4);
    }
    this.#state[8] = this.#state[8]! + 1;
    if (this.#state[8] === 0) this.#state[9] = this.#state[9]! + 1;
    this.#used = 0;
  }
}

function stateOf(key: Buffer, input: Buffer): Uint32Array {
  const state = new Uint32Array(16);
  for (let word = 0; word < 4; word++) {
    state[word * 5] = sigma[word]!;
    state[1 + word] = key.readUInt32LE(word * 4);
    state[11 + word] = key.readUInt32LE(16 + word * 4);
    state[6 + word] = input.readUInt32LE(word * 4);
  }
  return state;
}

/** Of columns, then of rows. Source: the Salsa20 specification, "doubleround". */
const quarters = [
  [0, 4, 8, 12],
  [5, 9, 13, 1],
  [10, 14, 2, 6],
  [15, 3, 7, 11],
  [0, 1, 2, 3],
  [5, 6, 7, 4],
  [10, 11, 8, 9],
  [15, 12, 13, 14],
] as const;

/** Twenty rounds, without the addition of what they began with. */
function rounds(state: Uint32Array): Uint32Array {
  const x = state.slice();
  const mix = (into: number, from: number, and: number, bits: number) => {
    const sum = (x[from]! + x[and]!) >>> 0;
    x[into] = x[into]! ^ ((sum << bits) | (sum >>> (32 - bits)));
  };
  for (let round = 0; round < 10; round++) {
    for (const [a, b, c, d] of quarters) {
      mix(b, a, d, 7);
      mix(c, b, a, 9);
      mix(d, c, b, 13);
      mix(a, d, c, 18);
    }
  }
  return x;
}

const prime = (1n << 130n) - 5n;
const clamp = 0x0ffffffc0ffffffc0ffffffc0fffffffn;

/** Source: RFC 8439, section 2.5. */
function poly1305(message: Buffer, key: Buffer): Buffer {
  const little = (bytes: Buffer) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex') || '0'}`);
  const r = little(key.subarray(0, 16)) & clamp;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    sum = ((sum + little(block) + (1n << BigInt(block.length * 8))) * r) % prime;
  }
  const tag = (sum + little(key.subarray(16, 32))) & ((1n << 128n) - 1n);
  return Buffer.from(tag.toString(16).padStart(32, '0'), 'hex').reverse();
}
