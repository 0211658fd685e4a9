import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { RemoteSession } from '../../api/pod-connector.ts';
import { badRequest, StatusError } from '../../api/status.ts';
import { refuseUpgrade, responseHead } from './http-answer.ts';
import { runCommand } from './run-command.ts';
import { commandProtocols, spdyCommandClient } from './spdy/command-client.ts';
import { portForwardProtocols, spdyPortForward } from './spdy/port-forward.ts';
import type { CommandTarget, StreamingTarget } from './target.ts';
import { commandSubprotocols, webSocketCommandClient } from './websocket/command-client.ts';
import {
  parsePorts,
  portForwardSubprotocols,
  tunnelSubprotocol,
  webSocketPortForward,
} from './websocket/port-forward.ts';

export type { StreamingTarget } from './target.ts';

const keepAliveMs = 30_000;
const maxMessageBytes = 4 * 1024 * 1024;

/**
 * Serves exec, attach and port-forward to a client that asked to upgrade to SPDY/3.1 or WebSocket. Takes over the socket
 * for good: answers, streams, closes. Resolves when all is over; never rejects.
 */
export async function handleUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  target: StreamingTarget,
): Promise<void> {
  socket.on('error', () => {});
  (socket as Partial<Socket>).setTimeout?.(0);
  (socket as Partial<Socket>).setKeepAlive?.(true, keepAliveMs);
  (socket as Partial<Socket>).setNoDelay?.(true);
  try {
    const wanted = (request.headers.upgrade ?? '').toLowerCase();
    if (wanted === 'websocket') await serveWebSocket(request, socket, head, target);
    else if (wanted === 'spdy/3.1') await serveSpdy(request, socket, head, target);
    else throw badRequest('Upgrade request required');
  } catch (error) {
    refuseUpgrade(socket, error, error instanceof NegotiationError ? error.headers : {});
  }
}

export class NegotiationError extends StatusError {
  readonly headers: Record<string, string>;
  constructor(asked: string[], accepted: string[]) {
    super(
      403,
      'Forbidden',
      'unable to upgrade: unable to negotiate protocol: ' +
        `client supports [${asked.join(' ')}], server accepts [${accepted.join(' ')}]`,
    );
    this.headers = { 'X-Accepted-Stream-Protocol-Versions': accepted.join(', ') };
  }
}

async function serveSpdy(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  target: StreamingTarget,
): Promise<void> {
  const accepted = target.kind === 'portforward' ? portForwardProtocols : commandProtocols;
  const asked = words(request.headers['x-stream-protocol-version']);
  // The first clients named none.
  const protocol = asked.length === 0 ? accepted.at(-1)! : asked.find((each) => accepted.includes(each));
  if (protocol === undefined) throw new NegotiationError(asked, accepted);
  const session = target.kind === 'portforward' ? undefined : await connectCommand(target, socket);
  socket.write(
    responseHead(101, {
      Connection: 'Upgrade',
      Upgrade: 'SPDY/3.1',
      ...(asked.length > 0 && { 'X-Stream-Protocol-Version': protocol }),
    }),
  );
  if (head.length > 0) socket.unshift(head);
  if (target.kind === 'portforward') return spdyPortForward(socket, target);
  try {
    await runCommand(await spdyCommandClient(socket, protocol, target.options), session!);
  } catch {
    // The client left before it had opened its streams.
    session!.close();
  }
}

async function serveWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  target: StreamingTarget,
): Promise<void> {
  const accepted = target.kind === 'portforward' ? portForwardSubprotocols : commandSubprotocols;
  const asked = words(request.headers['sec-websocket-protocol']);
  const protocol = asked.find((each) => accepted.includes(each));
  if (asked.length > 0 && protocol === undefined) throw new NegotiationError(asked, accepted);
  if (target.kind === 'portforward') {
    const ports =
      protocol === tunnelSubprotocol ? [] : parsePorts(new URL(request.url ?? '/', 'http://host').searchParams);
    const webSocket = await acceptWebSocket(request, socket, head, protocol);
    return webSocketPortForward(webSocket, protocol ?? '', target, ports);
  }
  const session = await connectCommand(target, socket);
  let webSocket: WebSocket;
  try {
    webSocket = await acceptWebSocket(request, socket, head, protocol);
  } catch {
    session.close();
    return;
  }
  await runCommand(webSocketCommandClient(webSocket, protocol ?? '', target.options), session);
}

/** The session, closed again if the client left meanwhile. */
async function connectCommand(target: CommandTarget, socket: Duplex): Promise<RemoteSession> {
  const session = await target.connect();
  session.done.catch(() => {});
  if (socket.destroyed) session.close();
  return session;
}

/** Rejects when the client's handshake was no WebSocket's (it was answered then) or it left. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocol: string | undefined,
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: maxMessageBytes,
    });
    // ws takes `SPDY/3.1+portforward.k8s.io` for no token at all, so it does not get to see the header.
    delete request.headers['sec-websocket-protocol'];
    if (protocol !== undefined) server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
    socket.once('close', () => reject(new Error('the client closed the connection')));
    server.once('wsClientError', (error) => reject(error));
    server.handleUpgrade(request, socket, head, resolve);
  });
}

/** The comma-separated words of a header that may be repeated. */
export function words(header: string | string[] | undefined): string[] {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}
