import { request } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as immediate } from 'node:timers/promises';

const controlTypes = { synStream: 1, synReply: 2, rstStream: 3, ping: 6 };
const FLAG_FIN = 1;
const MAX_DATA_BYTES = 32 * 1024;

export interface SpdyStream {
  /** `done` is called once the bytes are handed to the socket. */
  write(data: Buffer, done: (error?: Error | null) => void): void;
  /** Half-closes: nothing more will be written. */
  end(): void;
}

export interface SpdyStreamEvents {
  /** Answering false asks for a pause until `resume()`. */
  onData(data: Buffer): boolean;
  /** The peer writes no more, or the connection is gone. */
  onEnd(): void;
}

/**
 * The client's half of SPDY/3.1 as containerd's streaming server speaks it: unlike its WebSocket, it can half-close a
 * stream, which `kubectl exec -i … < file` needs. Frames: https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1
 * There is no window flow control (the server has none); a full reader pauses the whole connection.
 */
export class SpdyConnection {
  readonly #socket: Socket;
  readonly #streams = new Map<number, SpdyStreamEvents>();
  readonly #closeListeners: (() => void)[] = [];
  #nextStreamId = 1;
  #buffered: Buffer = Buffer.alloc(0);
  #sentHeaders = false;

  private constructor(socket: Socket, head: Buffer) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {});
    // The server half-closes when it is through: nothing is left to say from here either.
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      for (const events of [...this.#streams.values()]) events.onEnd();
      this.#streams.clear();
      for (const listener of this.#closeListeners) listener();
    });
    if (head.length > 0) this.#receive(head);
  }

  /** @param protocol the one asked for by `X-Stream-Protocol-Version`. @throws with the server's words when refused. */
  static open(url: string, protocol: string): Promise<SpdyConnection> {
    return new Promise((resolve, reject) => {
      const headers = { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': protocol };
      const upgrade = request(url, { method: 'POST', headers, agent: false });
      upgrade.on('upgrade', (_response, socket, head) => resolve(new SpdyConnection(socket as Socket, head)));
      upgrade.on('response', (response) => {
        let body = '';
        response.on('data', (chunk) => (body += chunk));
        response.on('end', () => reject(new Error(`streaming was refused: ${response.statusCode} ${body.trim()}`)));
      });
      upgrade.on('error', reject);
      upgrade.end();
    });
  }

  onClose(listener: () => void): void {
    if (this.#socket.destroyed) listener();
    else this.#closeListeners.push(listener);
  }

  openStream(headers: Record<string, string>, events: SpdyStreamEvents): SpdyStream {
    const id = this.#nextStreamId;
    this.#nextStreamId += 2;
    this.#streams.set(id, events);
    const ids = Buffer.alloc(10);
    ids.writeUInt32BE(id, 0);
    this.#writeControl(controlTypes.synStream, Buffer.concat([ids, this.#headerBlock(headers)]));
    let ended = false;
    return {
      write: (data, done) => void this.#writeData(id, data, done),
      end: () => {
        if (!ended && !this.#socket.destroyed) this.#socket.write(dataHeader(id, FLAG_FIN, 0));
        ended = true;
      },
    };
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  /**
   * One write a turn of the event loop, so that what the server said is read before a write can fail: whoever ends
   * without reading its input resets the connection, and Node drops a socket whose write failed, unread data and all.
   * An immediate of a turn runs after what that turn reads; the first of the two may be this turn's.
   */
  async #writeData(id: number, data: Buffer, done: (error?: Error | null) => void): Promise<void> {
    if (data.length === 0) return done();
    for (let offset = 0; offset < data.length; offset += MAX_DATA_BYTES) {
      await immediate();
      await immediate();
      const part = data.subarray(offset, offset + MAX_DATA_BYTES);
      this.#socket.cork();
      this.#socket.write(dataHeader(id, 0, part.length));
      this.#socket.write(part, offset + part.length === data.length ? done : undefined);
      this.#socket.uncork();
    }
  }

  #writeControl(type: number, payload: Buffer): void {
    const header = Buffer.alloc(8);
    header.writeUInt16BE(0x8003, 0);
    header.writeUInt16BE(type, 2);
    header.writeUInt32BE(payload.length, 4);
    this.#socket.write(Buffer.concat([header, payload]));
  }

  /**
   * All header blocks of a connection are one zlib stream. Blocks that are stored, not compressed, need neither SPDY's
   * dictionary nor any state but the stream's first two bytes. An empty stored block ends each, as a flush does: Go's
   * reader hands out what it has when it meets one.
   */
  #headerBlock(headers: Record<string, string>): Buffer {
    const words = Object.entries(headers).flat();
    const text = Buffer.concat([
      uint32(words.length / 2),
      ...words.flatMap((word) => [uint32(word.length), Buffer.from(word)]),
    ]);
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(text.length, 1);
    stored.writeUInt16LE(~text.length & 0xffff, 3);
    const start = this.#sentHeaders ? [] : [Buffer.from([0x78, 0x01])];
    this.#sentHeaders = true;
    return Buffer.concat([...start, stored, text, Buffer.from([0, 0, 0, 0xff, 0xff])]);
  }

  #receive(chunk: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    while (this.#buffered.length >= 8) {
      const length = this.#buffered.readUInt32BE(4) & 0xffffff;
      if (this.#buffered.length < 8 + length) return;
      const first = this.#buffered.readUInt32BE(0);
      const flags = this.#buffered[4];
      const payload = this.#buffered.subarray(8, 8 + length);
      this.#buffered = this.#buffered.subarray(8 + length);
      if (first & 0x80000000) this.#handleControl(first & 0xffff, flags, payload);
      else this.#handleData(first, flags, payload);
    }
  }

  #handleData(id: number, flags: number, payload: Buffer): void {
    const events = this.#streams.get(id);
    if (events !== undefined && payload.length > 0 && !events.onData(payload)) this.#socket.pause();
    if (flags & FLAG_FIN) this.#endStream(id);
  }

  /** What replies carry in their headers is of no use here, so they are never decompressed. */
  #handleControl(type: number, flags: number, payload: Buffer): void {
    if (type === controlTypes.ping) this.#writeControl(controlTypes.ping, payload);
    else if (type === controlTypes.rstStream || (type === controlTypes.synReply && flags & FLAG_FIN)) {
      this.#endStream(payload.readUInt32BE(0) & 0x7fffffff);
    }
  }

  #endStream(id: number): void {
    const events = this.#streams.get(id);
    this.#streams.delete(id);
    events?.onEnd();
  }
}

function dataHeader(id: number, flags: number, length: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(id, 0);
  header.writeUInt32BE(length, 4);
  header[4] = flags;
  return header;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}
