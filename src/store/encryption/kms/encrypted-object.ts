import type { SealedSeed } from './service.ts';

/** What is stored of a value: source apiserver's kmsv2/v2/api.proto. */
export interface EncryptedObject extends SealedSeed {
  data: Buffer;
  /** Whether `ciphertext` holds a seed, as it does since Kubernetes 1.29; otherwise the key itself. */
  isSeed: boolean;
}

const wire = { varint: 0, bytes: 2 };

export function encodeEncryptedObject({ data, keyId, ciphertext, annotations, isSeed }: EncryptedObject): Buffer {
  const entries = Object.entries(annotations).map(([key, value]) =>
    field(4, Buffer.concat([field(1, Buffer.from(key)), field(2, value)])),
  );
  return Buffer.concat([
    field(1, data),
    field(2, Buffer.from(keyId)),
    field(3, ciphertext),
    ...entries,
    ...(isSeed ? [Buffer.from([(5 << 3) | wire.varint, 1])] : []),
  ]);
}

/** Throws for what is none. Shares the buffer's memory. */
export function decodeEncryptedObject(bytes: Buffer): EncryptedObject {
  const found: EncryptedObject = {
    data: Buffer.alloc(0),
    keyId: '',
    ciphertext: Buffer.alloc(0),
    annotations: {},
    isSeed: false,
  };
  for (const [number, value] of fields(bytes)) {
    if (typeof value === 'number') {
      if (number === 5) found.isSeed = value === 1;
      continue;
    }
    if (number === 1) found.data = value;
    else if (number === 2) found.keyId = value.toString();
    else if (number === 3) found.ciphertext = value;
    else if (number === 4) {
      const entry = new Map(fields(value));
      found.annotations[String(entry.get(1) ?? '')] = (entry.get(2) as Buffer | undefined) ?? Buffer.alloc(0);
    }
  }
  if (found.data.length === 0 || found.keyId === '' || found.ciphertext.length === 0) {
    throw new Error('the stored data is no encrypted object');
  }
  return found;
}

function field(number: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | wire.bytes]), varint(value.length), value]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left % 128) | 0x80);
  }
}

function* fields(bytes: Buffer): Generator<[number, Buffer | number]> {
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 2 ** 42) throw new Error('the stored data is cut off');
      value += (byte & 0x7f) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number();
    if (tag % 8 === wire.varint) yield [tag >>> 3, number()];
    else if (tag % 8 === wire.bytes) {
      const length = number();
      if (at + length > bytes.length) throw new Error('the stored data is cut off');
      yield [tag >>> 3, bytes.subarray(at, at + length)];
      at += length;
    } else throw new Error('the stored data is no encrypted object');
  }
}
