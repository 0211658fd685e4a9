import { connect as connectPlainly, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectSecurely } from 'node:tls';
import { type HttpAnswer, HttpAnswerReader } from './http-answer-reader.ts';

export interface BatchedRequest {
  method: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  payload: Buffer | undefined;
  signal?: AbortSignal | undefined;
}

export interface RequestBatchesOptions {
  /** `http://HOST:PORT` or `https://HOST:PORT`. */
  server: URL;
  /** For https. */
  tls: ConnectionOptions;
  timeoutMs: number;
  /** Connections at once. 8 when absent. */
  maxConnections?: number;
}

interface Exchange {
  /** It was sent once already, on a connection that its server ended before it came to it. */
  isAgain?: true;
  head: string;
  payload: Buffer | undefined;
  resolve(answer: HttpAnswer): void;
  reject(error: Error): void;
}

/** Requests that go out in one piece: the answers of all wait for the slowest. */
const batchSize = 16;
/** A connection that nobody used for so long may be closed by its server in the very moment it is used again. */
const idleMs = 20_000;

/**
 * Requests over HTTP/1.1 that are made in the same turn of the event loop go out together, in one piece over one
 * connection, and are answered in their order (RFC 9112, 9.3.2). A connection carries one batch at a time. For small
 * writes that many make at once: there the requests of Node's own client cost several times what they carry.
 */
export class RequestBatches {
  readonly #options: RequestBatchesOptions;
  readonly #waiting: Exchange[] = [];
  readonly #idle: BatchConnection[] = [];
  readonly #connections = new Set<BatchConnection>();
  #isFlushing = false;

  constructor(options: RequestBatchesOptions) {
    this.#options = options;
  }

  /**
   * Rejects with the error of the connection, or what the signal aborts with: it is not known then whether the request
   * was worked on, unless the connection was never made. Sent once more where the server ended the connection in an
   * answer before its own: a request must be such that twice is as good as once.
   */
  send(request: BatchedRequest): Promise<HttpAnswer> {
    const { payload, signal } = request;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const exchange: Exchange = { head: headOf(request, this.#options.server.host), payload, resolve, reject };
      if (signal !== undefined) withSignal(exchange, signal);
      this.#waiting.push(exchange);
      if (this.#isFlushing) return;
      this.#isFlushing = true;
      setImmediate(() => {
        this.#isFlushing = false;
        this.#flush();
      });
    });
  }

  /** Ends all connections, with what is under way on them. */
  close(): void {
    const closed = new Error('the client was closed');
    for (const { reject } of this.#waiting.splice(0)) reject(closed);
    for (const connection of this.#connections) connection.destroy(closed);
  }

  #flush(): void {
    while (this.#waiting.length > 0) {
      const connection = this.#take();
      if (connection === undefined) return;
      connection.send(this.#waiting.splice(0, batchSize));
    }
  }

  #take(): BatchConnection | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (!connection.isStale()) return connection;
      connection.destroy(undefined);
    }
    const { maxConnections = 8 } = this.#options;
    if (this.#connections.size >= maxConnections) return undefined;
    const connection = new BatchConnection(this.#options, {
      isFree: () => {
        this.#idle.push(connection);
        this.#flush();
      },
      isGone: (unheard) => {
        this.#connections.delete(connection);
        this.#waiting.unshift(...unheard);
        const index = this.#idle.indexOf(connection);
        if (index >= 0) this.#idle.splice(index, 1);
        this.#flush();
      },
    });
    this.#connections.add(connection);
    return connection;
  }
}

/** The request goes on unheard when the signal aborts. */
function withSignal(exchange: Exchange, signal: AbortSignal): void {
  const { resolve, reject } = exchange;
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  exchange.resolve = (answer) => {
    signal.removeEventListener('abort', abort);
    resolve(answer);
  };
  exchange.reject = (error) => {
    signal.removeEventListener('abort', abort);
    reject(error);
  };
}

class BatchConnection {
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #isFree: () => void;
  /** Unanswered, in the order they were sent. */
  #exchanges: Exchange[] = [];
  #answered = 0;
  #timer: NodeJS.Timeout | undefined;
  #freeSinceMs = 0;
  /** The server said in an answer that it takes nothing after it (RFC 9112, 9.6). */
  #isDismissed = false;

  /** `isGone` is given what the server said it would not hear. */
  constructor(
    options: RequestBatchesOptions,
    { isFree, isGone }: { isFree(): void; isGone(unheard: Exchange[]): void },
  ) {
    const { server, tls, timeoutMs } = options;
    this.#timeoutMs = timeoutMs;
    this.#isFree = isFree;
    const host = server.hostname.replace(/^\[|\]$/g, '');
    const isSecure = server.protocol === 'https:';
    const port = Number(server.port || (isSecure ? 443 : 80));
    const socket = isSecure
      ? connectSecurely({ servername: isIP(host) === 0 ? host : '', ...tls, host, port, ALPNProtocols: ['http/1.1'] })
      : connectPlainly({ host, port });
    this.#socket = socket.setNoDelay(true);
    const reader = new HttpAnswerReader((answer) => this.#heard(answer));
    let failure: Error | undefined;
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on('error', (error) => {
      failure = error;
    });
    socket.on('end', () => reader.end());
    socket.on('close', () => {
      clearTimeout(this.#timer);
      const error = failure ?? new Error('the connection closed before an answer');
      const unheard: Exchange[] = [];
      for (const exchange of this.#exchanges.splice(this.#answered)) {
        if (!this.#isDismissed || exchange.isAgain === true) exchange.reject(error);
        else unheard.push(Object.assign(exchange, { isAgain: true as const }));
      }
      isGone(unheard);
    });
  }

  isStale(): boolean {
    return this.#socket.destroyed || performance.now() - this.#freeSinceMs > idleMs;
  }

  destroy(error: Error | undefined): void {
    this.#socket.destroy(error);
  }

  send(exchanges: Exchange[]): void {
    this.#exchanges = exchanges;
    this.#answered = 0;
    this.#socket.ref();
    this.#timer = setTimeout(() => {
      this.#socket.destroy(new Error('the API server did not answer in time'));
    }, this.#timeoutMs);
    const pieces: Buffer[] = [];
    for (const { head, payload } of exchanges) {
      pieces.push(Buffer.from(head, 'latin1'));
      if (payload !== undefined) pieces.push(payload);
    }
    this.#socket.write(Buffer.concat(pieces));
  }

  #heard(answer: HttpAnswer): void {
    const exchange = this.#exchanges[this.#answered];
    if (exchange === undefined) {
      this.#socket.destroy(new Error('the API server answered what was not asked'));
      return;
    }
    this.#answered++;
    exchange.resolve(answer);
    if (answer.isLast) {
      this.#isDismissed = true;
      this.#socket.destroy();
    } else if (this.#answered === this.#exchanges.length) {
      clearTimeout(this.#timer);
      this.#exchanges = [];
      this.#answered = 0;
      this.#freeSinceMs = performance.now();
      // Nobody is kept from ending by a connection that nobody uses.
      this.#socket.unref();
      // What stands behind the last answer answers no request that is yet to come.
      queueMicrotask(this.#isFree);
    }
  }
}

function headOf({ method, path, headers }: BatchedRequest, host: string): string {
  // As Node's own client: nothing can be smuggled in.
  if (unsafeInPath.test(path)) throw new TypeError('Request path contains unescaped characters');
  let head = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n`;
  for (const name in headers) {
    const value = headers[name]!;
    if (unsafeInHeader.test(value)) throw new TypeError(`Invalid character in header content ["${name}"]`);
    head += `${name}: ${value}\r\n`;
  }
  return `${head}\r\n`;
}
const unsafeInPath = /[^\x21-\xff]/;
const unsafeInHeader = /[^\t\x20-\x7e\x80-\xff]/;
