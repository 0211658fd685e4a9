import {
  Http2ServerRequest,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
  type ServerStreamResponseOptions,
} from 'node:http2';
import type { Readable, Writable } from 'node:stream';

/**
 * A request and its response over HTTP/2, as thin as they can be. Node's own compatibility layer makes two more streams
 * and a dozen listeners of each request: 11 KB of garbage where the stream alone makes 6, and everybody waits for its
 * collection.
 */
export class Http2Request {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];

  /** The order is Node's: `Http2ServerRequest` of the server's options. */
  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _options: unknown, rawHeaders: string[]) {
    this.stream = stream;
    this.headers = headers;
    this.rawHeaders = rawHeaders;
  }

  get method(): string | undefined {
    return this.headers[':method'] as string | undefined;
  }

  get url(): string | undefined {
    return this.headers[':path'] as string | undefined;
  }

  get socket(): NonNullable<ServerHttp2Stream['session']>['socket'] {
    return this.stream.session!.socket;
  }

  /** To be passed on: who destroys it does not destroy the answer. */
  asReadable(): Readable | undefined {
    if (this.stream.endAfterHeaders || this.stream.readableEnded) return undefined;
    return new Http2ServerRequest(this.stream, this.headers, {}, this.rawHeaders);
  }
}

/** HTTP/2 has none of them, and Node throws. Source: RFC 9113, 8.2.2. */
const connectionHeaders = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
]);

export class Http2Response {
  readonly stream: ServerHttp2Stream;
  statusCode = 200;

  constructor(stream: ServerHttp2Stream) {
    this.stream = stream;
    // Who left is known by 'close'.
    stream.on('error', () => {});
  }

  get headersSent(): boolean {
    return this.stream.headersSent;
  }

  get destroyed(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  /** By the server. A stream that is cut before that is ended by Node. */
  get writableEnded(): boolean {
    return this.stream.writableEnded && !this.stream.aborted;
  }

  get writableFinished(): boolean {
    return this.stream.writableFinished;
  }

  get writableLength(): number {
    return this.stream.writableLength;
  }

  /** Throws where HTTP/2 does not know such a code or header. */
  writeHead(code: number, headers: Record<string, string | number | string[]> = {}): this {
    if (this.destroyed) return this;
    this.statusCode = code;
    const head: Record<string, string | number | string[]> = { ':status': code };
    for (const name in headers) {
      const value = headers[name];
      if (value !== undefined && !connectionHeaders.has(name)) head[name] = value;
    }
    // As Go's server: a GOAWAY. What is under way on the connection goes on, and the client makes a new one.
    if (headers['connection'] === 'close') this.stream.session?.close();
    this.stream.respond(head, respondOptions);
    return this;
  }

  /** Heads are sent when they are written. */
  flushHeaders(): void {}

  writeContinue(): void {
    if (!this.destroyed && !this.headersSent) this.stream.additionalHeaders({ ':status': 100 });
  }

  write(chunk: Uint8Array | string, written?: (error?: Error | null) => void): boolean {
    if (this.destroyed || this.stream.writableEnded) {
      if (written !== undefined) process.nextTick(written, new Error('the stream is closed'));
      return false;
    }
    return this.stream.write(chunk, written);
  }

  end(chunk?: Uint8Array | string): this {
    if (this.destroyed) return this;
    if (!this.headersSent) this.writeHead(this.statusCode);
    // Answers to HEAD, and those whose code says so, ended with their head.
    if (!this.stream.writableEnded) this.stream.end(chunk);
    return this;
  }

  on(event: string, listener: (...values: any[]) => void): this {
    this.stream.on(event, listener);
    return this;
  }

  once(event: string, listener: (...values: any[]) => void): this {
    this.stream.once(event, listener);
    return this;
  }

  off(event: string, listener: (...values: any[]) => void): this {
    this.stream.off(event, listener);
    return this;
  }

  destroy(): void {
    this.stream.destroy();
  }
}

const respondOptions: ServerStreamResponseOptions = {};

/** Where something else is to write the answer's body. */
export function writableOf(response: object): Writable {
  return response instanceof Http2Response ? response.stream : (response as Writable);
}
