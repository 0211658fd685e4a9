import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http';
import { createSecureServer, type Http2SecureServer, type Http2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import { badRequest, type Status, StatusError, tooManyRequests } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { MAX_HEAD_BYTES } from '../../base/request-head.ts';
import type { Answer } from '../answer.ts';
import type { Handler } from '../chain.ts';
import type { Credentials } from '../filters/authentication.ts';
import { asStatusError } from '../filters/panic-recovery.ts';
import { anonymous } from '../identity/identity.ts';
import type { RequestContext } from '../request-context.ts';
import { MalformedPathError, parseRequestInfo } from '../request-info.ts';
import { streamOverWebSocket } from '../streaming/websocket/stream-answer.ts';
import { bodyStream, readBody } from './body.ts';
import { ConnectionBudget, connectionLimits } from './connection-budget.ts';
import { credentialsOf } from './credentials.ts';
import { Http2Request, Http2Response, writableOf } from './http2-exchange.ts';
import { OpenAnswers } from './open-answers.ts';
import { respondProxied } from './proxied-response.ts';
import { commonHeaders, respond, respondError } from './respond.ts';
import { respondWatch, type WatchResponse } from './watch-response.ts';

type AnyRequest = IncomingMessage | Http2Request;
type AnyResponse = ServerResponse | Http2Response;

export interface ListenerOptions {
  servingCertificatePem: string;
  servingKeyPem: string;
  /** Client certificates are checked against it. */
  caPem: string;
  handler: Handler;
  /** Of one tenant; open-answers.ts says how many when absent. */
  openAnswersLimit?: number;
  /** Hears of answers that stay open, and of the end of each. */
  observer?: RequestObserver;
  clock: Clock;
  logger: Logger;
}

export interface RequestObserver {
  longRunning(context: RequestContext): void;
  /** `code` is 0 where the client left without an answer. */
  finished(context: RequestContext, code: number): void;
  handshakeFailed?(): void;
}

export interface Listener {
  address(): AddressInfo;
  /** Connections are to end as soon as nothing is under way on them; new ones are taken. */
  release(how: { watches: boolean }): void;
  /** Answers under way get until `drained` resolves, and a moment. */
  close(drained?: Promise<void>): Promise<void>;
}

/** What `authentication` reads: credentials belong to the connection and headers, not to the context others see. */
const credentialsByContext = new WeakMap<RequestContext, Credentials>();
export const credentialsOfContext = (context: RequestContext): Credentials => credentialsByContext.get(context) ?? {};

/** As upstream keeps connections: Node's five seconds end them just as HTTP/1.1 clients use them again. */
const http1Options: ServerOptions = { keepAliveTimeout: 90_000, maxHeaderSize: MAX_HEAD_BYTES };

/** One port for HTTP/1.1, HTTP/2 and Upgrade, with TLS; client certificates are asked for, not required. */
export async function listen(at: { host: string; port: number }, options: ListenerOptions): Promise<Listener> {
  const { handler, observer, clock, logger } = options;
  const endWatches = new Set<() => void>();
  const onServerClose = (end: () => void) => {
    endWatches.add(end);
    return () => endWatches.delete(end);
  };

  const server: Http2SecureServer = createSecureServer({
    allowHTTP1: true,
    cert: options.servingCertificatePem,
    key: options.servingKeyPem,
    ca: options.caPem,
    requestCert: true,
    rejectUnauthorized: false,
    // kubectl opens one stream per watch and per request of many; Node's own bound of streams is enough, its
    // session memory of 10 MB is not for a LIST of 10,000 pods.
    maxSessionMemory: 1000,
    settings: { maxConcurrentStreams: 1000, initialWindowSize: 1024 * 1024 },
    http1Options,
    Http2ServerRequest: Http2Request as never,
    Http2ServerResponse: Http2Response as never,
  });

  server.on('request', (request: AnyRequest, response: AnyResponse) => {
    serve(request, response).catch((error) => {
      logger.error({ error, path: request.url }, 'could not answer a request');
      response.destroy();
    });
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    serveUpgrade(request, socket, head).catch((error) => {
      logger.error({ error, path: request.url }, 'could not answer an upgrade');
      socket.destroy();
    });
  });
  // Port scans, plain HTTP and clients that distrust our CA are everyday events.
  server.on('tlsClientError', (error: Error) => {
    observer?.handshakeFailed?.();
    logger.debug({ error: error.message }, 'TLS handshake failed');
  });
  server.on('sessionError', (error: Error) => logger.debug({ error: error.message }, 'HTTP/2 session failed'));

  const sessions = new Set<Http2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });

  server.maxConnections = connectionLimits.all;
  const budget = new ConnectionBudget();
  const openAnswers = new OpenAnswers(options.openAnswersLimit);
  const connections = new Set<Socket>();
  server.on('secureConnection', (socket: Socket) => {
    connections.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => connections.delete(socket));
  });

  async function serve(request: AnyRequest, response: AnyResponse): Promise<void> {
    if (response.destroyed) return;
    const abort = new AbortController();
    // Who has ended an answer waits for nothing any more, and an abort's error is dear to make. Over HTTP/2 the last write is
    // finished only after the stream is closed.
    let isThrough = () => {};
    response.on('close', () => {
      isThrough();
      if (!response.writableEnded) abort.abort();
    });
    const respondOptions = {
      response: response as never,
      acceptEncoding: String(request.headers['accept-encoding'] ?? ''),
      head: request.method === 'HEAD',
      nowMs: clock.now(),
    };
    // Both kinds of response have these; only their types differ.
    const plain = response as ServerResponse;
    const context = contextOf(request, abort.signal);
    if (context instanceof Error) return respondError(bareContext(request), context as StatusError, respondOptions);
    try {
      const answer = await handler(context);
      if (response.destroyed) return;
      isThrough = openAnswers.admit(context) ?? tooManyOpen();
      switch (answer.type) {
        case 'watch': {
          observer?.longRunning(context);
          const startedMs = performance.now();
          const watch = respondWatch(context, answer, response as unknown as WatchResponse, clock, onServerClose);
          context.turn?.charge(performance.now() - startedMs);
          // What was there is sent; what comes takes no turns.
          context.turn?.end();
          return await watch;
        }
        case 'stream':
          observer?.longRunning(context);
          context.turn?.end();
          plain.writeHead(answer.code, {
            ...commonHeaders(context),
            'content-type': answer.contentType,
            ...answer.headers,
          });
          plain.flushHeaders();
          await pipeline(answer.chunks, writableOf(response)).catch((error) => {
            logger.debug({ error, path: request.url }, 'a stream ended early');
          });
          return;
        case 'proxied':
          if (context.info.subresource === 'proxy' || context.info.verb === 'watch') observer?.longRunning(context);
          return await respondProxied(context, answer, plain);
        case 'upgrade':
          throw badRequest('Upgrade request required');
        default: {
          const startedMs = performance.now();
          const responded = respond(context, answer, respondOptions);
          context.turn?.charge(performance.now() - startedMs);
          await responded;
          if (context.turn?.awaited) await isOut(plain);
          return;
        }
      }
    } catch (error) {
      const status = asStatusError(error, (unexpected) =>
        logger.error({ error: unexpected, path: request.url }, 'unexpected error while answering'),
      );
      if (response.headersSent) return void response.destroy();
      await respondError(context, status, respondOptions);
    } finally {
      context.turn?.end();
      observer?.finished(context, response.headersSent ? response.statusCode : 0);
    }
  }

  async function serveUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const abort = new AbortController();
    socket.on('close', () => abort.abort());
    const context = contextOf(request, abort.signal);
    let status: StatusError;
    if (context instanceof Error) {
      status = context as StatusError;
    } else {
      try {
        const answer = await handler(context);
        context.turn?.end();
        if (answer.type === 'upgrade') {
          socket.once('close', openAnswers.admit(context) ?? tooManyOpen());
          observer?.longRunning(context);
          socket.once('close', () => observer?.finished(context, 101));
          return await answer.handle(request, socket, head);
        }
        if (answer.type === 'stream' && request.headers.upgrade?.toLowerCase() === 'websocket') {
          return await streamOverWebSocket(request, socket, head, answer.chunks);
        }
        status = refusalOf(answer);
      } catch (error) {
        status = asStatusError(error, (unexpected) =>
          logger.error({ error: unexpected, path: request.url }, 'unexpected error before an upgrade'),
        );
        context.turn?.end();
      }
      observer?.finished(context, status.code);
    }
    if (socket.destroyed) return;
    const body = JSON.stringify(status.toStatus());
    socket.end(
      `HTTP/1.1 ${status.code} ${status.reason}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }

  function contextOf(request: AnyRequest, signal: AbortSignal): RequestContext | Error {
    const url = request.url ?? '/';
    const question = url.indexOf('?');
    const path = question < 0 ? url : url.slice(0, question);
    const rawQuery = question < 0 ? '' : url.slice(question + 1);
    const query = new URLSearchParams(rawQuery);
    let info: RequestContext['info'];
    try {
      info = parseRequestInfo(request.method ?? 'GET', path, query);
    } catch (error) {
      if (error instanceof MalformedPathError) return badRequest(error.message);
      throw error;
    }
    const socket = request.socket;
    let body: ReturnType<typeof readBody> | undefined;
    const claimConnection = (owner: string, limit: number): boolean => {
      if (budget.admit(socket as Socket, owner, limit)) return true;
      // The answer still goes out; a moment later nobody is connected.
      const connection = (request instanceof Http2Request && request.stream.session) || request.socket;
      setTimeout(() => connection.destroy(), 1000).unref();
      return false;
    };
    const context: RequestContext = {
      // As upstream: a client may name its request itself.
      id: String(request.headers['audit-id'] || randomUUID()),
      method: request.method ?? 'GET',
      query,
      info,
      identity: anonymous,
      tenant: '',
      readBody: () => (body ??= readBody(request)),
      bodyStream: () => bodyStream(request),
      warnings: [],
      signal,
      showTenant: false,
      inProcess: false,
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      rawQuery,
      userAgent: String(request.headers['user-agent'] ?? ''),
      receivedMs: performance.now(),
      claimConnection,
      remoteAddress: socket.remoteAddress,
      accept: String(request.headers['accept'] ?? ''),
    };
    credentialsByContext.set(context, credentialsOf(socket as TLSSocket, request.headers));
    return context;
  }

  const bareContext = (request: AnyRequest): RequestContext =>
    ({
      id: randomUUID(),
      query: new URLSearchParams(),
      warnings: [],
      userAgent: '',
      accept: '',
      method: request.method,
    }) as never;

  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      const where = `${at.host}:${at.port}`;
      const why =
        error.code === 'EADDRINUSE'
          ? `cannot listen on ${where}: the port is in use by another process`
          : error.code === 'EACCES'
            ? `cannot listen on ${where}: permission denied (ports below 1024 need root)`
            : `cannot listen on ${where}: ${error.message}`;
      reject(new Error(why, { cause: error }));
    };
    server.once('error', failed);
    server.listen(at.port, at.host, () => {
      server.off('error', failed);
      server.on('error', (error) => logger.error({ error }, 'the listener failed'));
      resolve();
    });
  });

  return {
    address: () => server.address() as AddressInfo,
    release({ watches }) {
      for (const session of sessions) session.close();
      if (watches) for (const end of endWatches) end();
    },
    async close(drained) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const end of endWatches) end();
      await drained;
      // Keep-alive connections of clients would hold the port open; answers under way get a moment to go out.
      const cut = setTimeout(() => {
        for (const socket of connections) socket.destroy();
      }, 200);
      await closed;
      clearTimeout(cut);
    },
  };
}

/** Resolves when the last byte was given to the connection, or there is none any more. */
function isOut(response: ServerResponse): Promise<void> | undefined {
  if (response.writableFinished || response.destroyed) return undefined;
  return new Promise((resolve) => {
    response.once('finish', resolve);
    response.once('close', resolve);
  });
}

function tooManyOpen(): never {
  throw tooManyRequests('too many answers of this tenant are open or unread, please try again later');
}

/** Why a request that was to switch protocols was answered otherwise. */
function refusalOf(answer: Answer): StatusError {
  if (answer.type === 'object' && (answer.object as Partial<Status>).kind === 'Status') {
    return StatusError.fromStatus(answer.object as Status);
  }
  if (answer.type === 'bytes' && answer.code >= 400) {
    return new StatusError(
      answer.code,
      'ServiceUnavailable',
      Buffer.from(answer.bytes as Uint8Array)
        .toString()
        .trim(),
    );
  }
  return badRequest('this request cannot be upgraded');
}
