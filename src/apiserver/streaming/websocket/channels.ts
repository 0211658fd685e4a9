import { Readable, Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';

/** Unread bytes of one channel that hold the whole WebSocket. */
const highWaterMarkBytes = 128 * 1024;
const maxMessageBytes = 32 * 1024;

/**
 * Several streams in one WebSocket: each message starts with its channel, a byte, or with `base64` a digit before base64
 * text. Source: apiserver's wsstream and client-go's remotecommand/websocket.go.
 */
export class ChannelSocket {
  readonly #socket: WebSocket;
  readonly #base64: boolean;
  readonly #readers = new Map<number, Readable>();
  readonly #behind = new Set<Readable>();
  /** Messages of channels that nobody reads as a stream. */
  readonly #listeners = new Map<number, (payload: Buffer) => void>();
  readonly #gone = new AbortController();

  constructor(socket: WebSocket, base64: boolean) {
    this.#socket = socket;
    this.#base64 = base64;
    socket.on('message', (data: RawData) => this.#receive(data));
    socket.on('close', () => {
      this.#gone.abort();
      for (const reader of this.#readers.values()) reader.destroy();
    });
    socket.on('error', () => {});
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  readable(channel: number): Readable {
    const reader: Readable = new Readable({ highWaterMark: highWaterMarkBytes, read: () => this.#caughtUp(reader) });
    reader.on('error', () => {});
    reader.on('close', () => this.#caughtUp(reader));
    this.#readers.set(channel, reader);
    return reader;
  }

  writable(channel: number): Writable {
    const writer = new Writable({
      highWaterMark: highWaterMarkBytes,
      write: (chunk: Buffer, _encoding, callback) => this.#sendPieces(channel, chunk, callback),
    });
    // Writing to a client that has left is no error of ours: `gone` says so.
    writer.on('error', () => {});
    return writer;
  }

  onMessage(channel: number, listener: (payload: Buffer) => void): void {
    this.#listeners.set(channel, listener);
  }

  send(channel: number, payload: Uint8Array, callback: (error?: Error | null) => void = () => {}): void {
    if (this.#base64) {
      this.#socket.send(`${channel}${Buffer.from(payload).toString('base64')}`, callback);
      return;
    }
    const message = Buffer.allocUnsafe(payload.length + 1);
    message[0] = channel;
    message.set(payload, 1);
    this.#socket.send(message, { binary: true }, callback);
  }

  /** The client sends nothing more on this channel. */
  endReading(channel: number): void {
    this.#readers.get(channel)?.push(null);
  }

  close(): void {
    this.#socket.close(1000);
  }

  /** The callback comes when the last piece was written out: that is what holds a fast writer. */
  #sendPieces(channel: number, chunk: Buffer, callback: (error?: Error | null) => void): void {
    let offset = 0;
    for (; chunk.length - offset > maxMessageBytes; offset += maxMessageBytes) {
      this.send(channel, chunk.subarray(offset, offset + maxMessageBytes));
    }
    this.send(channel, chunk.subarray(offset), callback);
  }

  #receive(data: RawData): void {
    const message = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
    if (message.length === 0) return;
    const channel = this.#base64 ? message[0]! - 0x30 : message[0]!;
    const payload = this.#base64 ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1);
    this.#listeners.get(channel)?.(payload);
    const reader = this.#readers.get(channel);
    if (reader === undefined || payload.length === 0 || reader.destroyed || reader.readableEnded) return;
    if (!reader.push(payload)) {
      this.#behind.add(reader);
      this.#socket.pause();
    }
  }

  #caughtUp(reader: Readable): void {
    if (this.#behind.delete(reader) && this.#behind.size === 0) this.#socket.resume();
  }
}
