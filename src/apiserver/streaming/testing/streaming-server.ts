import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { badRequest } from '../../../api/status.ts';
import { listenLocally } from '../../../base/testing/local-server.ts';
import { handleUpgrade, type StreamingTarget } from '../handle-upgrade.ts';
import { streamOverWebSocket } from '../websocket/stream-answer.ts';
import { type LocalSession, startLocalSession } from './local-session.ts';

export interface StreamingServer {
  kubeconfig: string;
  /** `https://127.0.0.1:PORT`, with a certificate that nobody knows. */
  url: string;
  directory: string;
  sessions: LocalSession[];
  /** Upgrade header of each request that was served. */
  upgrades: string[];
  close(): Promise<void>;
}

/** An API server that knows one pod, `default/p`, whose container is this machine. Its port N is port N of 127.0.0.1. */
export async function startStreamingServer(): Promise<StreamingServer> {
  const directory = mkdtempSync(join(tmpdir(), 'skypod-streaming-'));
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const made = spawnSync(
    'openssl',
    [
      ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test'.split(' '),
      '-keyout',
      key,
      '-out',
      cert,
    ],
    { encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  const server = createSecureServer({ allowHTTP1: true, key: readFileSync(key), cert: readFileSync(cert) });
  const sockets = new Set<Socket>();
  const sessions: LocalSession[] = [];
  const upgrades: string[] = [];
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', answer);
  server.on('upgrade', (request, socket, head) => {
    upgrades.push(request.headers.upgrade ?? '');
    if (/\/log(\?|$)/.test(request.url ?? '')) {
      void streamOverWebSocket(request, socket, head, logChunks());
      return;
    }
    void handleUpgrade(request, socket, head, targetOf(request.url ?? '', sessions));
  });
  const port = await listenLocally(server);
  const kubeconfig = join(directory, 'kubeconfig');
  writeFileSync(kubeconfig, JSON.stringify(kubeconfigOf(port)));
  return {
    kubeconfig,
    url: `https://127.0.0.1:${port}`,
    directory,
    sessions,
    upgrades,
    async close() {
      for (const session of sessions) session.close();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(directory, { recursive: true });
    },
  };
}

async function* logChunks(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('first\n');
  yield Buffer.from('second\n');
}

function targetOf(url: string, sessions: LocalSession[]): StreamingTarget {
  const { pathname, searchParams } = new URL(url, 'http://host');
  if (pathname.endsWith('/portforward')) {
    return {
      kind: 'portforward',
      podName: 'p',
      podUid: 'the-uid',
      connect: (port) =>
        new Promise((resolve, reject) => {
          const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
          socket.once('error', reject);
          socket.once('connect', () => resolve(socket));
        }),
    };
  }
  const flag = (name: string) => searchParams.get(name) === 'true';
  const options = { stdin: flag('stdin'), stdout: flag('stdout'), stderr: flag('stderr'), tty: flag('tty') };
  const attach = pathname.endsWith('/attach');
  return {
    kind: attach ? 'attach' : 'exec',
    options,
    async connect() {
      if (searchParams.get('container') === 'none') throw badRequest('container none is not valid for pod p');
      const command = attach ? ['sh', '-c', 'echo attached; cat; exit 3'] : searchParams.getAll('command');
      const session = startLocalSession(command, options);
      sessions.push(session);
      return session;
    },
  };
}

const container = (name: string) => ({ name, image: 'i', stdin: true, resources: {} });

function answer(request: Http2ServerRequest, response: Http2ServerResponse): void {
  const path = (request.url ?? '').split('?')[0];
  const answers: Record<string, object> = {
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
    '/api/v1': {
      kind: 'APIResourceList',
      groupVersion: 'v1',
      resources: [
        { name: 'pods', singularName: 'pod', namespaced: true, kind: 'Pod', verbs: ['get', 'list', 'watch'] },
      ],
    },
    '/api/v1/namespaces/default/pods/p': {
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: { name: 'p', namespace: 'default', uid: 'the-uid', resourceVersion: '1' },
      spec: { containers: [container('c'), container('none')] },
      status: { phase: 'Running', containerStatuses: [{ name: 'c', ready: true, state: { running: {} } }] },
    },
  };
  const body = answers[path ?? ''];
  response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify(body ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404, reason: 'NotFound' }),
  );
}

const kubeconfigOf = (port: number) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
  users: [{ name: 'u', user: { token: 'x' } }],
  contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'default' } }],
  'current-context': 'x',
});
