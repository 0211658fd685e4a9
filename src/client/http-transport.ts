import http from 'node:http';
import https from 'node:https';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { type Status, StatusError } from '../api/status.ts';
import type { ApiRequest, ApiWatchRequest, Transport, WatchEvent } from '../api/transport.ts';
import { LineSplitter } from './line-splitter.ts';
import { type BatchedAnswer, RequestBatches } from './request-batches.ts';

export interface HttpTransportOptions {
  /**
   * `https://HOST:PORT` or `http://…`, with or without a path in front of `/api` and `/apis`. Several are servers of one
   * API: one is used until it fails, then the next.
   */
  server: string | readonly string[];
  /** PEM. */
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  /** Bearer token. */
  token?: string;
  /** Headers that change over time (exec plug-ins, token files); asked before each request. */
  authorize?: () => Promise<Record<string, string>>;
  insecureSkipTlsVerify?: boolean;
  /** Name the server's certificate must carry, when it is not the URL's host. */
  serverName?: string;
  /**
   * `keep` sends `/clusters/TENANT/…` as the callers wrote it; `drop` cuts that prefix off, for another Kubernetes API
   * server, which has no tenants.
   */
  tenantPrefix?: 'keep' | 'drop';
  /** Most connections for requests other than watches. */
  maxConnections?: number;
  /** For requests other than watches. */
  requestTimeoutMs?: number;
  userAgent?: string;
}

const reasonOfCode: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** The connection was not made, so nothing was done. */
const neverConnected = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']);

/** A watch may rightly be silent for long; its server, asked, may not. Only asked where there is another to go to. */
const silenceMs = 10_000;
const livenessTimeoutMs = 5_000;

const defaultTimeoutMs = 60_000;

/** A server that does not know the form answers in full. */
const metadataForm = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';

function errorOf(code: number, body: string): StatusError {
  try {
    const status = JSON.parse(body) as Partial<Status>;
    if (status.kind === 'Status') return StatusError.fromStatus({ ...status, code: status.code ?? code });
  } catch {
    // A proxy's page, not a Status.
  }
  return new StatusError(code, reasonOfCode[code] ?? '', body.slice(0, 1000) || `the server answered ${code}`);
}

/**
 * The Kubernetes API over HTTP/1.1 on kept-alive connections (in Node it carries more requests a second than HTTP/2).
 * Lost connections reject with the socket's error; connecting again is the caller's business, and goes to the next server
 * where there are several.
 */
export class HttpTransport implements Transport {
  readonly #options: HttpTransportOptions;
  readonly #urls: URL[];
  /** Of #urls: the server in use. */
  #current = 0;
  readonly #send: typeof https.request;
  readonly #requestAgent: http.Agent;
  /** Watches hold their connection, so they must not use up the requests' ones. */
  readonly #watchAgent: http.Agent;
  readonly #tls: ConnectionOptions;
  /** To each server: what many write at once. */
  readonly #batches = new Map<URL, RequestBatches>();
  /** Watches under way, with what ends them because their server is dead. */
  readonly #watches = new Map<(error: Error) => void, URL>();
  #livenessTimer: NodeJS.Timeout | undefined;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
    this.#urls = [options.server].flat().map((server) => new URL(server));
    const secure = this.#urls[0]!.protocol === 'https:';
    if (this.#urls.some(({ protocol }) => (protocol === 'https:') !== secure))
      throw new Error('either all servers of one API are reached by TLS, or none');
    this.#send = secure ? https.request : (http.request as typeof https.request);
    const tls = secure
      ? {
          // One for all connections: reading certificates again for each costs as much as the handshake.
          secureContext: createSecureContext({
            ...(options.ca !== undefined && { ca: options.ca }),
            ...(options.cert !== undefined && { cert: options.cert }),
            ...(options.key !== undefined && { key: options.key }),
          }),
          ...(options.serverName !== undefined && { servername: options.serverName }),
          rejectUnauthorized: options.insecureSkipTlsVerify !== true,
        }
      : {};
    this.#tls = tls;
    const agent = (agentOptions: http.AgentOptions) =>
      secure ? new https.Agent({ ...agentOptions, ...tls }) : new http.Agent(agentOptions);
    const maxConnections = options.maxConnections ?? 64;
    this.#requestAgent = agent({
      keepAlive: true,
      maxSockets: maxConnections,
      // A burst uses them all again and again: opening one costs more than a request.
      maxFreeSockets: maxConnections,
      scheduling: 'lifo',
    });
    this.#watchAgent = agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
  }

  #place(url: URL) {
    return { protocol: url.protocol, hostname: url.hostname.replace(/^\[|\]$/g, ''), port: url.port };
  }

  /** Leaves a server that failed, unless somebody has already. */
  #leave(url: URL): void {
    if (this.#urls[this.#current] === url) this.#current = (this.#current + 1) % this.#urls.length;
  }

  /** A process that hangs keeps its connections open, so that only a question tells. */
  #watchOver(url: URL, end: (error: Error) => void): () => void {
    if (this.#urls.length === 1) return () => {};
    this.#watches.set(end, url);
    this.#livenessTimer ??= setInterval(() => {
      for (const asked of new Set(this.#watches.values())) this.#checkLiveness(asked);
    }, silenceMs);
    return () => {
      this.#watches.delete(end);
      if (this.#watches.size > 0) return;
      clearInterval(this.#livenessTimer);
      this.#livenessTimer = undefined;
    };
  }

  #checkLiveness(url: URL): void {
    const options = { ...this.#place(url), path: '/livez', agent: this.#requestAgent, timeout: livenessTimeoutMs };
    const leave = (error: Error) => {
      this.#leave(url);
      for (const [end, server] of this.#watches) if (server === url) end(error);
    };
    const question = this.#send(options, (response) => {
      response.resume();
      // It lives, but is cut off from its store: its watches are silent whatever happens.
      if ((response.statusCode ?? 0) >= 500) leave(new Error('the API server is not well'));
    });
    question.on('timeout', () => question.destroy(new Error('the API server does not answer')));
    question.on('error', leave);
    question.end();
  }

  #path(url: URL, path: string, query?: Record<string, string>): string {
    const plain = this.#options.tenantPrefix === 'drop' ? path.replace(/^\/clusters\/[^/]+/, '') : path;
    const search = query === undefined ? '' : new URLSearchParams(query).toString();
    return `${url.pathname.replace(/\/+$/, '')}${plain}${search === '' ? '' : `?${search}`}`;
  }

  async #headers(): Promise<Record<string, string>> {
    return {
      Accept: 'application/json',
      'User-Agent': this.#options.userAgent ?? 'skypod',
      ...(this.#options.token !== undefined && { Authorization: `Bearer ${this.#options.token}` }),
      ...(await this.#options.authorize?.()),
    };
  }

  async request<T>(asked: ApiRequest): Promise<T> {
    const headers = await this.#headers();
    if (asked.metadataOnly === true) headers['Accept'] = metadataForm;
    // Who looks at no answer sees no warnings: they need not be looked for.
    const isSilent = asked.metadataOnly === true && asked.body !== undefined && asked.method !== 'DELETE';
    const request = isSilent ? { ...asked, query: { fieldValidation: 'Ignore', ...asked.query } } : asked;
    const payload = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    if (payload !== undefined) {
      headers['Content-Type'] = request.contentType ?? 'application/json';
      headers['Content-Length'] = String(payload.length);
    }
    // Twice is as good as once, as it has to be there.
    if (isSilent && request.method === 'PATCH')
      return this.#inBatch<T>(request, headers, payload!, this.#urls.length - 1);
    return this.#roundTrip<T>(request, headers, payload, request.method === 'GET', this.#urls.length - 1);
  }

  /** What is written at a high rate, and whose answer hardly anybody looks at: with what others write in this moment. */
  async #inBatch<T>(
    { path, query, signal }: ApiRequest,
    headers: Record<string, string>,
    payload: Buffer,
    others: number,
  ): Promise<T> {
    for (let left = others; ; left--) {
      const url = this.#urls[this.#current]!;
      let batches = this.#batches.get(url);
      if (batches === undefined) {
        const timeoutMs = this.#options.requestTimeoutMs ?? defaultTimeoutMs;
        this.#batches.set(url, (batches = new RequestBatches({ server: url, tls: this.#tls, timeoutMs })));
      }
      let answer: BatchedAnswer;
      try {
        answer = await batches.send({ method: 'PATCH', path: this.#path(url, path, query), headers, payload, signal });
      } catch (error) {
        if (signal?.aborted === true) throw error;
        this.#leave(url);
        if (left <= 0 || !neverConnected.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
        continue;
      }
      return this.#resultOf<T>(url, answer.code, answer.text);
    }
  }

  #resultOf<T>(url: URL, code: number, text: string): T {
    // It lives, but its store does not.
    if (code === 503) this.#leave(url);
    if (code >= 400 || code < 200) throw errorOf(code, text);
    try {
      return (text === '' ? undefined : JSON.parse(text)) as T;
    } catch (error) {
      throw new Error('the API server answered something that is not JSON', { cause: error });
    }
  }

  /** `mayRetry`: once on a connection that was stale; `others`: so many servers may be tried besides. */
  #roundTrip<T>(
    request: ApiRequest,
    headers: Record<string, string>,
    payload: Buffer | undefined,
    mayRetry: boolean,
    others: number,
  ): Promise<T> {
    const url = this.#urls[this.#current]!;
    return new Promise<T>((resolve, reject) => {
      const outgoing = this.#send({
        ...this.#place(url),
        method: request.method,
        path: this.#path(url, request.path, request.query),
        headers,
        agent: this.#requestAgent,
        signal: request.signal,
        timeout: this.#options.requestTimeoutMs ?? defaultTimeoutMs,
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error('the API server did not answer in time')));
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        // The server closed an idle connection just as it was picked up; nothing was processed.
        if (mayRetry && outgoing.reusedSocket && error.code === 'ECONNRESET') {
          this.#roundTrip<T>(request, headers, payload, false, others).then(resolve, reject);
          return;
        }
        if (request.signal?.aborted === true) return reject(error);
        this.#leave(url);
        const undone = request.method === 'GET' || neverConnected.has(error.code ?? '');
        if (others > 0 && undone) {
          this.#roundTrip<T>(request, headers, payload, mayRetry, others - 1).then(resolve, reject);
        } else {
          reject(error);
        }
      });
      outgoing.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('aborted', () => reject(new Error('the connection closed in the middle of an answer')));
        response.on('end', () => {
          const text = (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString('utf8');
          try {
            resolve(this.#resultOf<T>(url, response.statusCode ?? 0, text));
          } catch (error) {
            reject(error);
          }
        });
      });
      outgoing.end(payload);
    });
  }

  async watch(request: ApiWatchRequest): Promise<void> {
    const headers = await this.#headers();
    if (request.signal.aborted) return;
    const url = this.#urls[this.#current]!;
    return new Promise<void>((resolve, reject) => {
      const outgoing = this.#send({
        ...this.#place(url),
        method: 'GET',
        path: this.#path(url, request.path, { ...request.query, watch: 'true' }),
        headers,
        agent: this.#watchAgent,
      });
      const stop = () => {
        forget();
        request.signal.removeEventListener('abort', stop);
        outgoing.destroy();
        resolve();
      };
      const fail = (error: Error) => {
        forget();
        request.signal.removeEventListener('abort', stop);
        outgoing.destroy();
        reject(error);
      };
      const forget = this.#watchOver(url, fail);
      request.signal.addEventListener('abort', stop, { once: true });
      // A peer that vanished without a word shows only through probes of the idle connection.
      outgoing.on('socket', (socket) => socket.setKeepAlive(true, 15_000));
      const lost = (error: Error) => {
        if (request.signal.aborted) return stop();
        this.#leave(url);
        fail(error);
      };
      outgoing.on('error', lost);
      outgoing.on('response', (response) => {
        const code = response.statusCode ?? 0;
        if (code === 503) this.#leave(url);
        if (code >= 400 || code < 200) {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', fail);
          response.on('end', () => fail(errorOf(code, Buffer.concat(chunks).toString('utf8'))));
          return;
        }
        const lines = new LineSplitter();
        response.on('data', (chunk: Buffer) => {
          if (request.signal.aborted) return;
          try {
            const events: WatchEvent[] = [];
            let failure: StatusError | undefined;
            for (const line of lines.push(chunk)) {
              const event = JSON.parse(line) as { type: string; object: any };
              if (event.type === 'ERROR') {
                failure = StatusError.fromStatus(event.object);
                break;
              }
              events.push(event as WatchEvent);
            }
            if (events.length > 0) request.onEvents(events);
            if (failure !== undefined) fail(failure);
          } catch (error) {
            fail(error instanceof Error ? error : new Error(String(error)));
          }
        });
        response.on('error', lost);
        response.on('close', stop);
      });
      outgoing.end();
    });
  }

  /** Closes idle connections; requests under way end by themselves, watches by their signals. */
  close(): void {
    this.#requestAgent.destroy();
    this.#watchAgent.destroy();
    for (const batches of this.#batches.values()) batches.close();
  }
}
