import type { ConnectionOptions } from 'node:tls';
import type { Dispatcher, Pool } from 'undici';

export interface BatchedRequest {
  method: 'PATCH';
  path: string;
  headers: Readonly<Record<string, string>>;
  payload: Buffer;
  signal?: AbortSignal | undefined;
}

export interface BatchedAnswer {
  code: number;
  /** The body. */
  text: string;
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

/** Requests on a connection at once: the answers of all wait for the slowest. */
const pipelining = 16;

/**
 * Requests over HTTP/1.1 that go out over a connection before those in front of them are answered (RFC 9112, 9.3.2). For
 * small writes that many make at once: there the requests of Node's own client cost several times what they carry.
 */
export class RequestBatches {
  readonly #options: RequestBatchesOptions;
  #pool: Promise<Pool> | undefined;
  #isClosed = false;

  constructor(options: RequestBatchesOptions) {
    this.#options = options;
  }

  /**
   * Rejects with the error of the connection, or what the signal aborts with: it is not known then whether the request
   * was worked on, unless the connection was never made. Sent again where the connection ended at an answer before its
   * own: a request must be such that twice is as good as once.
   */
  async send(request: BatchedRequest): Promise<BatchedAnswer> {
    const pool = await (this.#pool ??= this.#open());
    return await new Promise((resolve, reject) => {
      const { method, path, headers, payload } = request;
      pool.dispatch(
        { method, path, headers, body: payload, idempotent: true, blocking: false },
        new AnswerReader(request.signal, resolve, reject),
      );
    });
  }

  /** Ends all connections, with what is under way on them. */
  close(): void {
    this.#isClosed = true;
    void this.#pool?.then((pool) => pool.destroy(new Error('the client was closed')));
  }

  /** Loaded by those who write much alone: it takes 28 MB. */
  async #open(): Promise<Pool> {
    const { Pool } = await import('undici');
    const { server, tls, timeoutMs, maxConnections = 8 } = this.#options;
    const pool = new Pool(server.origin, {
      connections: maxConnections,
      pipelining,
      allowH2: false,
      connect: tls as object,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    if (this.#isClosed) await pool.destroy();
    return pool;
  }
}

/** Reads an answer as it comes: undici's own stream of its body costs more than everything else of a request. */
class AnswerReader implements Dispatcher.DispatchHandler {
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (answer: BatchedAnswer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #chunks: Buffer[] = [];
  #code = 0;
  #abort: (() => void) | undefined;

  constructor(
    signal: AbortSignal | undefined,
    resolve: (answer: BatchedAnswer) => void,
    reject: (error: unknown) => void,
  ) {
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const signal = this.#signal;
    if (signal === undefined) return;
    this.#forget();
    this.#abort = () => controller.abort(signal.reason);
    if (signal.aborted) this.#abort();
    else signal.addEventListener('abort', this.#abort, { once: true });
  }

  onResponseStart(_controller: Dispatcher.DispatchController, code: number): void {
    this.#code = code;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#forget();
    const [first] = this.#chunks;
    const bytes = this.#chunks.length === 1 ? first! : Buffer.concat(this.#chunks);
    this.#resolve({ code: this.#code, text: bytes.toString() });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#forget();
    this.#reject(error);
  }

  #forget(): void {
    if (this.#abort !== undefined) this.#signal!.removeEventListener('abort', this.#abort);
  }
}
