import type { ConnectionOptions } from 'node:tls';
import type { Pool } from 'undici';

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
  async send({ method, path, headers, payload, signal }: BatchedRequest): Promise<BatchedAnswer> {
    const pool = await (this.#pool ??= this.#open());
    const { statusCode, body } = await pool.request({
      method,
      path,
      headers,
      body: payload,
      ...(signal !== undefined && { signal }),
      idempotent: true,
      blocking: false,
    });
    return { code: statusCode, text: await body.text() };
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
