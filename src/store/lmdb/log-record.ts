import { crc32 } from 'node:zlib';
import type { WriteOperation } from '../store.ts';

/**
 * What one write to the log holds: consecutive revisions, each with what it changes. Layout, numbers big-endian:
 *
 *     0 magic   4 crc32 of what follows, the padding left out   8 bytes of payload   12 revisions
 *     16 generation (double)   24 salt   32 first revision (double)   40 payload
 *
 * Payload: for each revision the number of operations (32 bits), for each operation its type (8 bits), the key's length
 * (16 bits) and the key, and for a put the value's length (32 bits) and the value.
 *
 * A record takes whole pages, so that writing one never touches a sector that holds another. The salt is drawn whenever
 * a segment is begun anew: nobody can put bytes into a value that look like a record, and no record of the segment's
 * earlier lives is taken for one of this.
 */
export interface LogRecord {
  first: number;
  /** The operations of revision first, first + 1, … */
  revisions: WriteOperation[][];
}

/** Of one life of a segment. */
export interface SegmentIdentity {
  generation: number;
  /** 8 bytes. */
  salt: Buffer;
}

export const logPageBytes = 4096;
const headerBytes = 40;
const magic = 0x534b574c;
const putType = 1;
const deleteType = 2;

/** Bytes of a record's payload. Revisions are what `encodeLogRecord` takes. */
function payloadBytes(revisions: readonly (readonly WriteOperation[])[]): number {
  let bytes = 0;
  for (const operations of revisions) {
    bytes += 4;
    for (const operation of operations) {
      bytes += 3 + Buffer.byteLength(operation.key);
      if (operation.type === 'put') bytes += 4 + operation.value.length;
    }
  }
  return bytes;
}

export function logRecordBytes(revisions: readonly (readonly WriteOperation[])[]): number {
  return Math.ceil((headerBytes + payloadBytes(revisions)) / logPageBytes) * logPageBytes;
}

/** Writes the record to the start of `into`, which has `logRecordBytes` at least. */
export function encodeLogRecord(
  into: Buffer,
  { generation, salt }: SegmentIdentity,
  first: number,
  revisions: readonly (readonly WriteOperation[])[],
): void {
  let at = headerBytes;
  for (const operations of revisions) {
    at = into.writeUInt32BE(operations.length, at);
    for (const operation of operations) {
      at = into.writeUInt8(operation.type === 'put' ? putType : deleteType, at);
      const keyBytes = into.write(operation.key, at + 2);
      into.writeUInt16BE(keyBytes, at);
      at += 2 + keyBytes;
      if (operation.type === 'delete') continue;
      at = into.writeUInt32BE(operation.value.length, at);
      into.set(operation.value, at);
      at += operation.value.length;
    }
  }
  into.writeUInt32BE(magic, 0);
  into.writeUInt32BE(at - headerBytes, 8);
  into.writeUInt32BE(revisions.length, 12);
  into.writeDoubleBE(generation, 16);
  salt.copy(into, 24);
  into.writeDoubleBE(first, 32);
  into.writeUInt32BE(crc32(into.subarray(8, at)), 4);
}

/** One life of a segment, as found. */
export interface Segment extends SegmentIdentity {
  records: LogRecord[];
}

/** The log is not what was written: something after the place of the damage was acknowledged. */
export class LogDamagedError extends Error {
  constructor(detail: string) {
    super(`the store's log is damaged: ${detail}`);
    this.name = 'LogDamagedError';
  }
}

/**
 * What a segment's bytes hold, up to the first record that is not whole: it was being written when the process or the
 * machine stopped, and nobody was told of it. One record is written at a time, so whatever is whole after it means
 * damage, unless it is of a life before: that the tables have for good. undefined: there is nothing.
 * @param applied what the tables have
 */
export function readSegment(bytes: Buffer, applied: number): Segment | undefined {
  const start = recordAt(bytes, 0);
  if (start === undefined) return undefined;
  const { generation, salt } = start;
  const records: LogRecord[] = [];
  let at = 0;
  for (;;) {
    const found = recordAt(bytes, at, start);
    if (found === undefined) break;
    records.push({ first: found.first, revisions: decodePayload(found.payload, found.count) });
    at += found.bytes;
  }
  for (let later = at + logPageBytes; later < bytes.length; later += logPageBytes) {
    const found = recordAt(bytes, later, start);
    if (found === undefined || found.first + found.count - 1 <= applied) continue;
    throw new LogDamagedError(`at byte ${at} of generation ${generation}, which goes on at byte ${later}`);
  }
  return { generation, salt, records };
}

interface FoundRecord extends SegmentIdentity {
  first: number;
  count: number;
  payload: Buffer;
  /** With padding. */
  bytes: number;
}

/** The whole record there, if it is one, and of this life. */
function recordAt(bytes: Buffer, at: number, life?: SegmentIdentity): FoundRecord | undefined {
  if (at + headerBytes > bytes.length || bytes.readUInt32BE(at) !== magic) return undefined;
  const generation = bytes.readDoubleBE(at + 16);
  const salt = Buffer.from(bytes.subarray(at + 24, at + 32));
  if (life !== undefined && (generation !== life.generation || !salt.equals(life.salt))) return undefined;
  const end = at + headerBytes + bytes.readUInt32BE(at + 8);
  if (end > bytes.length || crc32(bytes.subarray(at + 8, end)) !== bytes.readUInt32BE(at + 4)) return undefined;
  return {
    generation,
    salt,
    first: bytes.readDoubleBE(at + 32),
    count: bytes.readUInt32BE(at + 12),
    payload: bytes.subarray(at + headerBytes, end),
    bytes: Math.ceil((end - at) / logPageBytes) * logPageBytes,
  };
}

/** Values are copies: the segment's bytes are let go. */
function decodePayload(payload: Buffer, count: number): WriteOperation[][] {
  let at = 0;
  const take = (bytes: number) => payload.subarray(at, (at += bytes));
  return Array.from({ length: count }, () =>
    Array.from({ length: take(4).readUInt32BE() }, (): WriteOperation => {
      const type = take(1)[0];
      const key = take(take(2).readUInt16BE()).toString();
      if (type === deleteType) return { type: 'delete', key };
      return { type: 'put', key, value: Buffer.from(take(take(4).readUInt32BE())) };
    }),
  );
}
