/** SPDY/3.1 frames. Source: SPDY protocol draft 3.1, section 2. */
export const frameTypes = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const rstStatus = { protocolError: 1, refusedStream: 3, cancel: 5 } as const;

export type Frame =
  | { type: 'synStream'; streamId: number; fin: boolean; headerBlock: Buffer }
  | { type: 'rstStream'; streamId: number; status: number }
  | { type: 'ping'; id: number }
  | { type: 'goAway' }
  /** A header block that only matters to the compression's state. */
  | { type: 'headers'; streamId: number; fin: boolean; headerBlock: Buffer }
  | { type: 'ignored' }
  /** A data frame may come in parts; only the last has `fin`. */
  | { type: 'data'; streamId: number; fin: boolean; data: Buffer };

const headerBytes = 8;
const finFlag = 1;
const maxControlBytes = 256 * 1024;

/** Cuts a byte stream into frames. Throws on what is no SPDY/3. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #data: { streamId: number; fin: boolean; missing: number } | undefined;

  *push(chunk: Buffer): Generator<Frame> {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      if (this.#data !== undefined) {
        const part = bytes.subarray(0, this.#data.missing);
        bytes = bytes.subarray(part.length);
        this.#data.missing -= part.length;
        const done = this.#data.missing === 0;
        const { streamId, fin } = this.#data;
        if (done) this.#data = undefined;
        if (part.length > 0 || fin) yield { type: 'data', streamId, fin: done && fin, data: part };
        if (!done) break;
        continue;
      }
      if (bytes.length < headerBytes) break;
      const flags = bytes[4]!;
      const length = bytes.readUIntBE(5, 3);
      if ((bytes[0]! & 0x80) === 0) {
        this.#data = { streamId: bytes.readUInt32BE(0), fin: (flags & finFlag) !== 0, missing: length };
        bytes = bytes.subarray(headerBytes);
        continue;
      }
      if ((bytes.readUInt16BE(0) & 0x7fff) !== 3) throw new Error('the client does not speak SPDY/3');
      if (length > maxControlBytes) throw new Error('a SPDY control frame is too large');
      if (bytes.length < headerBytes + length) break;
      const type = bytes.readUInt16BE(2);
      const payload = bytes.subarray(headerBytes, headerBytes + length);
      bytes = bytes.subarray(headerBytes + length);
      yield parseControl(type, flags, payload);
    }
    this.#rest = bytes;
  }
}

function parseControl(type: number, flags: number, payload: Buffer): Frame {
  const fin = (flags & finFlag) !== 0;
  switch (type) {
    case frameTypes.synStream:
      return { type: 'synStream', streamId: streamIdOf(payload), fin, headerBlock: payload.subarray(10) };
    case frameTypes.synReply:
    case frameTypes.headers:
      return { type: 'headers', streamId: streamIdOf(payload), fin, headerBlock: payload.subarray(4) };
    case frameTypes.rstStream:
      return { type: 'rstStream', streamId: streamIdOf(payload), status: payload.readUInt32BE(4) };
    case frameTypes.ping:
      return { type: 'ping', id: payload.readUInt32BE(0) };
    case frameTypes.goAway:
      return { type: 'goAway' };
    default:
      return { type: 'ignored' };
  }
}

const streamIdOf = (payload: Buffer) => payload.readUInt32BE(0) & 0x7fffffff;

function control(type: number, flags: number, payload: Buffer): Buffer {
  const frame = Buffer.alloc(headerBytes + payload.length);
  frame.writeUInt16BE(0x8003, 0);
  frame.writeUInt16BE(type, 2);
  frame[4] = flags;
  frame.writeUIntBE(payload.length, 5, 3);
  payload.copy(frame, headerBytes);
  return frame;
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
}

export const synReplyFrame = (streamId: number, headerBlock: Buffer) =>
  control(frameTypes.synReply, 0, Buffer.concat([words(streamId), headerBlock]));
/** Only clients open streams here; tests are such clients. */
export const synStreamFrame = (streamId: number, headerBlock: Buffer, fin = false) =>
  control(frameTypes.synStream, fin ? finFlag : 0, Buffer.concat([words(streamId, 0), Buffer.alloc(2), headerBlock]));
export const rstStreamFrame = (streamId: number, status: number) =>
  control(frameTypes.rstStream, 0, words(streamId, status));
export const pingFrame = (id: number) => control(frameTypes.ping, 0, words(id));
export const goAwayFrame = (lastStreamId: number) => control(frameTypes.goAway, 0, words(lastStreamId, 0));

/** The head of a data frame; the data is written behind it, uncopied. */
export function dataFrameHead(streamId: number, length: number, fin: boolean): Buffer {
  const head = Buffer.alloc(headerBytes);
  head.writeUInt32BE(streamId, 0);
  head[4] = fin ? finFlag : 0;
  head.writeUIntBE(length, 5, 3);
  return head;
}
