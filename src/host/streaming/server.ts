import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import type { PodNetwork } from '../../api/pod-network.ts';
import { badRequest, forbidden, methodNotAllowed, pathNotFound, StatusError } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { REMOTE_COMMAND_PROTOCOL } from '../../base/remote-command.ts';
import { MAX_HEAD_BYTES } from '../../base/request-head.ts';
import type { SandboxRuntime } from '../../runtime/sandbox-runtime.ts';
import type { InstanceWorkers } from '../instance-workers.ts';
import type { RuntimeCache } from '../runtime-cache.ts';
import type { PodWorker } from '../worker/pod-worker.ts';
import { isPlatformPeer } from './certificates.ts';
import { carryConnection } from './connection.ts';
import { runningContainer } from './find-container.ts';
import { serveLogs } from './logs.ts';
import { carrySession, sendExit } from './remote-session.ts';
import { StatsSampler } from './stats.ts';

export interface StreamingServerOptions {
  tls: { authority: string; certificate: string; key: string };
  listen: { host: string; port: number };
  workers: InstanceWorkers;
  cache: RuntimeCache;
  runtime: SandboxRuntime;
  network: PodNetwork;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
}

const CONNECT_TIMEOUT_MS = 10_000;
const resource = { group: 'pool.skypod.io', resource: 'containerinstances' };

/**
 * What the virtual node asks of a host: logs, exec, attach, port-forward, dial and stats, over mutual TLS with a
 * certificate of the platform. The framing of WebSockets is base/remote-command.ts's.
 */
export async function startStreamingServer(
  options: StreamingServerOptions,
): Promise<{ address: { host: string; port: number }; closed: Promise<void> }> {
  const { tls, listen, logger, signal } = options;
  const stats = new StatsSampler(options.runtime, options.cache, options.clock);
  const server = createServer({
    ca: tls.authority,
    cert: tls.certificate,
    key: tls.key,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    maxHeaderSize: MAX_HEAD_BYTES,
  });
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: 1024 * 1024,
    handleProtocols: (offered) => (offered.has(REMOTE_COMMAND_PROTOCOL) ? REMOTE_COMMAND_PROTOCOL : false),
  });

  server.on('request', (request, response) => {
    void serveRequest(options, stats, request, response).catch((error) => {
      if (response.headersSent) response.destroy();
      else answerError(response, error);
    });
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    void serveUpgrade(options, sockets, request, socket, head).catch((error) => {
      const status = toStatus(error);
      const body = JSON.stringify(status);
      socket.end(
        `HTTP/1.1 ${status.code} ${status.reason}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    });
  });
  server.on('tlsClientError', (error) => logger.debug({ error }, 'a connection to the streaming server was refused'));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, resolve);
  });
  void stats.run(signal);
  const closed = new Promise<void>((resolve) => {
    const close = () => {
      for (const socket of sockets.clients) socket.terminate();
      server.close(() => resolve());
      server.closeAllConnections();
    };
    if (signal.aborted) close();
    else signal.addEventListener('abort', close, { once: true });
  });
  return { address: { host: listen.host, port: (server.address() as AddressInfo).port }, closed };
}

function authorize(request: IncomingMessage): void {
  if (!isPlatformPeer(request.socket as TLSSocket)) {
    throw forbidden(resource, '', 'only components of the platform may speak to a host');
  }
}

const toStatus = (error: unknown) =>
  (error instanceof StatusError ? error : new StatusError(500, 'InternalError', (error as Error).message)).toStatus();

function answerError(response: ServerResponse, error: unknown): void {
  const status = toStatus(error);
  response.writeHead(status.code, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(status));
}

type Route =
  | { kind: 'stats' }
  | { kind: 'logs' | 'exec' | 'attach'; uid: string; container: string; query: URLSearchParams }
  | { kind: 'portforward' | 'dial'; uid: string; query: URLSearchParams };

function parseRoute(target: string): Route {
  const { pathname, searchParams: query } = new URL(target, 'https://host');
  if (pathname === '/v1/stats') return { kind: 'stats' };
  const [, version, instances, uid = '', ...rest] = pathname.split('/').map(decodeURIComponent);
  if (version === 'v1' && instances === 'instances' && uid !== '') {
    if (rest.length === 1 && (rest[0] === 'portforward' || rest[0] === 'dial')) return { kind: rest[0], uid, query };
    const [containers, container = '', kind] = rest;
    const known = kind === 'logs' || kind === 'exec' || kind === 'attach';
    if (rest.length === 3 && containers === 'containers' && known) return { kind, uid, container, query };
  }
  throw pathNotFound();
}

function workerOf({ workers }: StreamingServerOptions, uid: string): PodWorker {
  const worker = workers.get(uid);
  if (worker === undefined) throw new StatusError(404, 'NotFound', `instance "${uid}" is not on this host`);
  return worker;
}

async function serveRequest(
  options: StreamingServerOptions,
  stats: StatsSampler,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  authorize(request);
  const route = parseRoute(request.url ?? '/');
  if (request.method !== 'GET') throw methodNotAllowed(resource, request.method ?? '');
  if (route.kind === 'stats') {
    const latest = JSON.stringify(await stats.latest());
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(latest);
  } else if (route.kind === 'logs') {
    await serveLogs(workerOf(options, route.uid), options.cache, route.container, route.query, response);
  } else throw badRequest('this needs a WebSocket');
}

async function serveUpgrade(
  options: StreamingServerOptions,
  sockets: WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  authorize(request);
  const route = parseRoute(request.url ?? '/');
  if (route.kind === 'stats' || route.kind === 'logs') throw badRequest('this is not served over a WebSocket');
  const worker = workerOf(options, route.uid);
  const open = (serve: (client: WebSocket) => void) =>
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => client.terminate());
      serve(client);
    });
  if (route.kind === 'exec' || route.kind === 'attach') {
    const { record, container } = runningContainer(worker, options.cache, route.container);
    const flag = (name: string) => route.query.get(name) === 'true' || route.query.get(name) === '1';
    const tty = route.kind === 'attach' ? container.tty === true : flag('tty');
    const streams = {
      stdin: flag('stdin') && (route.kind === 'exec' || container.stdin === true),
      stdout: flag('stdout'),
      stderr: flag('stderr') && !tty,
      tty,
    };
    const command = route.query.getAll('command');
    if (route.kind === 'exec' && command.length === 0) throw badRequest('you must specify at least one command');
    const { runtime } = options;
    const start = () =>
      route.kind === 'exec' ? runtime.exec(record.id, { ...streams, command }) : runtime.attach(record.id, streams);
    // Joined first: the session's first bytes must find somebody who listens, and its failure a channel.
    open((client) => {
      client.pause();
      void start().then(
        (session) => {
          const carried = carrySession(client, session);
          client.resume();
          return carried;
        },
        (error: Error) => {
          client.resume();
          return sendExit(client, { type: 'failed', code: 500, reason: 'InternalError', message: error.message });
        },
      );
    });
    return;
  }
  const port = Number(route.query.get('port'));
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw badRequest(`invalid port ${route.query.get('port')}`);
  const connection = connectTo(options, worker, route.kind, port);
  connection.catch(() => {});
  open((client) => {
    client.pause();
    void connection.then(
      (stream) => {
        carryConnection(client, stream);
        client.resume();
      },
      (error: Error) => {
        client.resume();
        return sendExit(client, { type: 'failed', code: 502, reason: 'BadGateway', message: error.message });
      },
    );
  });
}

async function connectTo(
  { cache, runtime, network }: StreamingServerOptions,
  worker: PodWorker,
  kind: 'portforward' | 'dial',
  port: number,
): Promise<Duplex> {
  const { metadata } = worker.instance;
  if (kind === 'dial') {
    const address = worker.memory.address;
    if (address === undefined) throw new StatusError(503, 'ServiceUnavailable', 'the pod has no address yet');
    return await network.connect(metadata.namespace ?? '', address.ip, port, CONNECT_TIMEOUT_MS);
  }
  const sandbox = cache.get(metadata.name).sandboxes.find(({ state }) => state === 'ready');
  if (sandbox === undefined) throw new StatusError(503, 'ServiceUnavailable', 'the pod has no sandbox');
  return await runtime.portForward(sandbox.id, port);
}
