import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { Answer } from '../answer.ts';
import { tooLate } from '../filters/request-deadline.ts';
import type { RequestContext } from '../request-context.ts';
import { limitInterimAnswers } from './interim-answers.ts';
import { tunnel } from './tunnel.ts';

/** How a request is passed on to a server inside a tenant's VPC. */
export interface ForwardTarget {
  /** A raw connection to it. */
  dial(): Promise<Duplex>;
  /** TLS on top of the raw connection; undefined: none. */
  tls?: ConnectionOptions;
  /** As the other server sees it, still URI-encoded: `/apis/…`. */
  path: string;
  /** Headers that replace the client's. */
  headers: Record<string, string | string[]>;
  /** An answer that has not begun by then is an error of 504; absent: it may take as long as the client waits. */
  answerWithinMs?: number;
  /** What a failure to reach the server becomes. */
  onFailure(error: Error): Answer;
  /** Looks at the answer before it goes out. */
  onResponse?(response: IncomingMessage, headers: Record<string, string | string[]>): ForwardedBody;
}

export interface ForwardedBody {
  headers: Record<string, string | string[]>;
  body: import('node:stream').Readable;
}

/** Headers that belong to one connection. Source: RFC 9110, "Connection". */
const connectionHeaders = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const webSocketToken = /^base64url\.bearer\.authorization\.k8s\.io\./;

/**
 * The client's headers as another server may see them: without those of the connection, and without everything that
 * says who somebody is. Credentials were meant for us, and whoever trusts X-Remote-User trusts it from us alone.
 */
function forwardedHeaders({ headers, method }: RequestContext): Record<string, string | string[]> {
  const forwarded: Record<string, string | string[]> = {};
  const perConnection = String(headers['connection'] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase());
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(':') || name === 'authorization' || name === 'expect') continue;
    if (name.startsWith('impersonate-') || name.startsWith('x-remote-')) continue;
    if (connectionHeaders.has(name) || perConnection.includes(name)) continue;
    if (name === 'content-length' && (method === 'GET' || method === 'HEAD') && value === '0') continue;
    forwarded[name] = value;
  }
  const authority = headers['host'] ?? headers[':authority'];
  if (authority !== undefined) forwarded['host'] = authority;
  const protocols = forwarded['sec-websocket-protocol'];
  if (typeof protocols === 'string') {
    const others = protocols.split(',').filter((protocol) => !webSocketToken.test(protocol.trim()));
    if (others.length === 0) delete forwarded['sec-websocket-protocol'];
    else forwarded['sec-websocket-protocol'] = others.join(',').trim();
  }
  return forwarded;
}

/** What the client wants to switch to; undefined for an ordinary request. */
export function upgradeOf({ headers }: RequestContext): string | undefined {
  const isAsked = /(^|,)\s*upgrade\s*(,|$)/i.test(String(headers['connection'] ?? ''));
  const protocol = headers['upgrade'];
  return isAsked && typeof protocol === 'string' && protocol !== '' ? protocol : undefined;
}

/** Passes a request on and its answer back: bodies stream both ways, upgrades become a tunnel. */
export async function forward(context: RequestContext, target: ForwardTarget): Promise<Answer> {
  const headers: OutgoingHttpHeaders = { ...forwardedHeaders(context), ...target.headers };
  const { remoteAddress } = context;
  if (remoteAddress !== undefined) {
    const before = headers['x-forwarded-for'];
    headers['x-forwarded-for'] = before === undefined ? remoteAddress : `${before}, ${remoteAddress}`;
  }
  const upgrade = upgradeOf(context);
  // From here on another server does the work: waiting for it takes nobody's place.
  context.turn?.end();
  let socket: Duplex;
  try {
    const raw = await target.dial();
    socket = target.tls === undefined ? raw : await secured(raw, target.tls);
  } catch (error) {
    return target.onFailure(error as Error);
  }
  const end = () => socket.destroy();
  // Between one owner and the next nobody listens, and an error that nobody hears ends the process.
  socket.on('error', end);
  if (context.signal.aborted) end();
  context.signal.addEventListener('abort', end, { once: true });
  socket.on('close', () => context.signal.removeEventListener('abort', end));
  const options = { method: context.method, path: target.path, createConnection: () => socket as never };
  if (upgrade !== undefined) {
    const outgoing = httpRequest({ ...options, headers: { ...headers, connection: 'Upgrade', upgrade } });
    limitInterimAnswers(outgoing);
    return tunnel(outgoing, socket, target.onFailure);
  }
  const body = context.bodyStream?.();
  // Without a length there is nothing but chunks, whatever the method.
  if (body !== undefined && headers['content-length'] === undefined) headers['transfer-encoding'] = 'chunked';
  return new Promise<Answer>((resolve, reject) => {
    const outgoing = httpRequest({ ...options, headers: { ...headers, connection: 'close' } });
    limitInterimAnswers(outgoing);
    const giveUp = () => {
      reject(tooLate());
      end();
    };
    const timer = target.answerWithinMs === undefined ? undefined : setTimeout(giveUp, target.answerWithinMs);
    outgoing.on('error', (error) => {
      clearTimeout(timer);
      end();
      resolve(target.onFailure(error));
    });
    outgoing.on('response', (response) => {
      clearTimeout(timer);
      const answered = passedBack(response);
      const given = target.onResponse?.(response, answered) ?? { headers: answered, body: response };
      response.on('close', end);
      resolve({ type: 'proxied', code: response.statusCode ?? 502, ...given });
    });
    // A server that sends 101 without being asked makes no sense; it must not hang the request.
    outgoing.on('upgrade', () => {
      clearTimeout(timer);
      end();
      resolve(target.onFailure(new Error('the server switched protocols without being asked')));
    });
    if (body === undefined) outgoing.end();
    else {
      body.on('error', end);
      body.pipe(outgoing);
    }
  });
}

/** The answer's headers without those of the connection it came on. */
function passedBack(response: IncomingMessage): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, values] of Object.entries(response.headersDistinct)) {
    if (values === undefined || connectionHeaders.has(name)) continue;
    headers[name] = values.length === 1 ? values[0]! : values;
  }
  return headers;
}

/** A server of a tenant that accepts connections and says nothing must not hold requests for ever. */
const handshakeTimeoutMs = 10_000;

/** TLS over a raw connection; rejects when the handshake fails. */
export function secured(raw: Duplex, options: ConnectionOptions): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    let socket: TLSSocket;
    try {
      socket = tlsConnect({ ...options, socket: raw, ALPNProtocols: ['http/1.1'] });
    } catch (error) {
      // Certificates that are none: nobody else would close what was dialled.
      raw.destroy();
      reject(error);
      return;
    }
    // What comes after the first error, or after its owner has gone, is of no interest and must not be unheard.
    socket.on('error', () => {});
    raw.on('error', () => {});
    const fail = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      raw.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error('net/http: TLS handshake timeout')), handshakeTimeoutMs);
    const closed = () => fail(new Error('the connection was closed during the TLS handshake'));
    socket.once('error', fail);
    raw.once('error', fail);
    socket.once('close', closed);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      raw.off('error', fail);
      socket.off('close', closed);
      raw.on('error', () => socket.destroy());
      socket.on('close', () => raw.destroy());
      resolve(socket);
    });
  });
}
