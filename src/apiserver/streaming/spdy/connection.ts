import { Duplex } from 'node:stream';
import {
  dataFrameHead,
  type Frame,
  FrameReader,
  goAwayFrame,
  pingFrame,
  rstStatus,
  rstStreamFrame,
  synReplyFrame,
} from './frames.ts';
import { HeaderDecoder, HeaderEncoder, type Headers } from './header-codec.ts';

/** A stream may have so much unread before the whole connection is held: Kubernetes' clients know no window updates. */
const maxUnreadBytes = 1024 * 1024;
const highWaterMarkBytes = 128 * 1024;
const maxDataFrameBytes = 64 * 1024;
/** At one time in one connection; a forwarded port takes two a connection. */
const maxStreams = 10_000;
/** How long a client may take to hang up after the goodbye. */
const lingerMs = 5000;

interface Owner {
  write(buffers: Buffer[], callback: (error?: Error | null) => void): void;
  wantsMore(stream: SpdyStream): void;
  gone(stream: SpdyStream): void;
}

/** One stream that the client opened. `end()` half-closes it, `destroy()` resets it. */
export class SpdyStream extends Duplex {
  readonly id: number;
  /** As the client sent them, names in lower case. */
  readonly headers: Headers;
  readonly #owner: Owner;
  /** The other side can send nothing more, or the stream was reset: no RST is due. */
  #over = false;

  constructor(id: number, headers: Headers, owner: Owner) {
    super({ highWaterMark: highWaterMarkBytes, allowHalfOpen: true });
    this.id = id;
    this.headers = headers;
    this.#owner = owner;
    // Whoever uses the stream listens for errors; one that nobody uses must not end the process.
    this.on('error', () => {});
  }

  override _read(): void {
    this.#owner.wantsMore(this);
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    const buffers: Buffer[] = [];
    for (let offset = 0; offset < chunk.length; offset += maxDataFrameBytes) {
      const part = chunk.subarray(offset, offset + maxDataFrameBytes);
      buffers.push(dataFrameHead(this.id, part.length, false), part);
    }
    if (buffers.length === 0) callback();
    else this.#owner.write(buffers, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#owner.write([dataFrameHead(this.id, 0, true)], callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const complete = this.readableEnded && this.writableFinished;
    if (!this.#over && !complete) this.#owner.write([rstStreamFrame(this.id, rstStatus.cancel)], () => {});
    this.#owner.gone(this);
    callback(error);
  }

  /** From the connection: data came. False: hold the connection until `wantsMore`. */
  receive(data: Buffer, fin: boolean): boolean {
    if (this.destroyed) return true;
    if (data.length > 0) this.push(data);
    if (fin) this.push(null);
    return this.readableLength <= maxUnreadBytes;
  }

  /** From the connection: the client reset the stream, or the connection is gone. */
  abort(error: Error): void {
    this.#over = true;
    this.destroy(error);
  }
}

/** The server's side of one SPDY/3.1 connection. */
export class SpdyConnection {
  readonly #transport: Duplex;
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #encoder = new HeaderEncoder();
  readonly #decoder = new HeaderDecoder();
  #lastStreamId = 0;
  /** Streams whose reader is behind, and what to call when one has caught up. */
  readonly #behind = new Set<SpdyStream>();
  #resume: (() => void) | undefined;
  #closed = false;

  /** `onStream` is called in the order in which the client opens streams; each is already accepted. */
  constructor(transport: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#transport = transport;
    this.#onStream = onStream;
    transport.on('error', () => {});
  }

  /** Resolves when the connection is over, however it ended; every stream is destroyed then. */
  async run(): Promise<void> {
    const reader = new FrameReader();
    let error = new Error('the connection was closed');
    try {
      for await (const chunk of this.#transport) {
        for (const frame of reader.push(chunk)) await this.#handle(frame);
        if (this.#behind.size > 0) await new Promise<void>((resolve) => (this.#resume = resolve));
      }
    } catch (cause) {
      error = cause as Error;
    } finally {
      this.#closed = true;
      for (const stream of [...this.#streams.values()]) stream.abort(error);
      this.#encoder.close();
      this.#decoder.close();
      this.#transport.destroy();
    }
  }

  /** Says goodbye and closes once everything written is out. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#transport.writable) return;
    this.#transport.write(goAwayFrame(this.#lastStreamId));
    this.#transport.end();
    // Go on reading what the client still sends: closing with unread bytes would reset the connection under the last
    // bytes of ours.
    this.#behind.clear();
    this.#release();
    const giveUp = setTimeout(() => this.#transport.destroy(), lingerMs);
    this.#transport.once('close', () => clearTimeout(giveUp));
  }

  destroy(): void {
    this.#closed = true;
    this.#behind.clear();
    this.#transport.destroy();
    this.#release();
  }

  async #handle(frame: Frame): Promise<void> {
    switch (frame.type) {
      case 'synStream':
        return this.#open(frame.streamId, await this.#decoder.decode(frame.headerBlock), frame.fin);
      case 'headers':
        await this.#decoder.decode(frame.headerBlock);
        if (frame.fin) this.#streams.get(frame.streamId)?.receive(Buffer.alloc(0), true);
        return;
      case 'data': {
        const stream = this.#streams.get(frame.streamId);
        if (stream === undefined) return;
        if (!stream.receive(frame.data, frame.fin) && !this.#closed) this.#behind.add(stream);
        return;
      }
      case 'rstStream':
        this.#streams.get(frame.streamId)?.abort(new Error('the client reset the stream'));
        return;
      case 'ping':
        // Odd ones are the client's questions; it wants the same number back.
        if (frame.id % 2 === 1) this.#write([pingFrame(frame.id)], () => {});
        return;
    }
  }

  async #open(id: number, headers: Headers, fin: boolean): Promise<void> {
    if (this.#closed || id % 2 === 0 || id <= this.#lastStreamId) {
      this.#write([rstStreamFrame(id, rstStatus.protocolError)], () => {});
      return;
    }
    this.#lastStreamId = id;
    if (this.#streams.size >= maxStreams) {
      this.#write([rstStreamFrame(id, rstStatus.refusedStream)], () => {});
      return;
    }
    const stream = new SpdyStream(id, headers, {
      write: (buffers, callback) => this.#write(buffers, callback),
      wantsMore: (behind) => this.#caughtUp(behind),
      gone: (ended) => {
        this.#streams.delete(ended.id);
        this.#caughtUp(ended);
      },
    });
    this.#streams.set(id, stream);
    this.#write([synReplyFrame(id, await this.#encoder.encode({}))], () => {});
    if (fin) stream.receive(Buffer.alloc(0), true);
    this.#onStream(stream);
  }

  #write(buffers: Buffer[], callback: (error?: Error | null) => void): void {
    if (!this.#transport.writable) {
      callback(new Error('the connection is closed'));
      return;
    }
    this.#transport.cork();
    for (const [index, buffer] of buffers.entries()) {
      if (index === buffers.length - 1) this.#transport.write(buffer, callback);
      else this.#transport.write(buffer);
    }
    this.#transport.uncork();
  }

  #caughtUp(stream: SpdyStream): void {
    if (this.#behind.delete(stream) && this.#behind.size === 0) this.#release();
  }

  #release(): void {
    this.#resume?.();
    this.#resume = undefined;
  }
}
