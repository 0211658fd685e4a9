import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import type { PodConnector } from '../../api/pod-connector.ts';
import { CONTAINER_INSTANCES, HOSTS } from '../../api/resources.ts';
import { StatusError } from '../../api/status.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { decodeRemoteFrame, encodeRemoteFrame, REMOTE_COMMAND_PROTOCOL } from '../../base/remote-command.ts';
import { listenLocally } from '../../base/testing/local-server.ts';
import { Client } from '../../client/client.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { FakeTransport } from '../../client/testing/fake-transport.ts';
import { testAuthority } from '../testing/certificates.ts';
import { createPodConnector } from './connector.ts';

type Frame = Parameters<typeof encodeRemoteFrame>[0];

interface Serve {
  /** What the host says on a WebSocket. */
  session?(socket: WebSocket, path: string, send: (frame: Frame) => void): void;
  refuse?: { code: number; message: string };
  logs?: string;
}

const pod = (more: object = {}) =>
  ({
    metadata: { name: 'web', namespace: 'shop', uid: 'u-1', clusterName: 'acme' },
    spec: { nodeName: 'virtual-node-a', containers: [{ name: 'main' }] },
    status: {},
    ...more,
  }) as any;

async function withHost(
  serve: Serve,
  run: (connector: PodConnector, asked: string[]) => Promise<void>,
  certificateName = 'host-1',
): Promise<void> {
  const authority = await testAuthority();
  const own = await authority.issue('host:host-1', [certificateName]);
  const platform = await authority.issue('skypod:control-plane', ['control-plane']);
  const asked: string[] = [];
  const server = createServer({
    ca: authority.caPem,
    cert: own.certificatePem,
    key: own.keyPem,
    requestCert: true,
    rejectUnauthorized: true,
  });
  server.on('request', (request, response) => {
    asked.push(request.url!);
    if (serve.refuse !== undefined) {
      response.writeHead(serve.refuse.code).end(JSON.stringify({ ...serve.refuse, reason: 'BadRequest' }));
    } else response.end(serve.logs);
  });
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => REMOTE_COMMAND_PROTOCOL });
  server.on('upgrade', (request, socket, head) => {
    asked.push(request.url!);
    if (serve.refuse !== undefined) {
      const body = JSON.stringify({ ...serve.refuse, reason: 'NotFound' });
      socket.end(
        `HTTP/1.1 ${serve.refuse.code} X\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      serve.session?.(client, request.url!, (frame) => client.send(encodeRemoteFrame(frame)));
    });
  });
  const port = await listenLocally(server);

  const transport = new FakeTransport();
  const client = new Client(transport);
  await client.resource('system', HOSTS).create({
    metadata: { name: 'host-1' },
    spec: { zone: 'a' },
    status: { streaming: { address: '127.0.0.1', port } },
  } as any);
  await client.resource('system', CONTAINER_INSTANCES, 'acme').create({
    metadata: { name: 'u-1' },
    spec: { hostName: 'host-1' },
  } as any);
  const informers = createInformerFactory(client, { clock: systemClock, logger: silentLogger });
  const connector = createPodConnector({
    informers,
    credentials: { caPem: authority.caPem, ...platform },
  });
  try {
    await run(connector, asked);
  } finally {
    connector.close();
    for (const socket of sockets.clients) socket.terminate();
    server.close();
    server.closeAllConnections();
  }
}

const refusedWith = (code: number, message: string | RegExp) => (error: unknown) => {
  assert.ok(error instanceof StatusError, String(error));
  assert.equal(error.code, code);
  if (typeof message === 'string') assert.equal(error.message, message);
  else assert.match(error.message, message);
  return true;
};

const noSignal = new AbortController().signal;
const exec = { command: ['sh', '-c', 'exit 3'], stdin: true, stdout: true, stderr: true, tty: false };

test('logs come as the host sends them, with the options passed on', () =>
  withHost({ logs: 'one\ntwo\n' }, async (connector, asked) => {
    const stream = await connector.logs(pod(), { tailLines: 2, follow: true }, noSignal);
    assert.equal(await text(stream), 'one\ntwo\n');
    assert.deepEqual(asked, ['/v1/instances/u-1/containers/main/logs?tailLines=2&follow=true']);
  }));

test('a host’s refusal reaches the client in its own words', () =>
  withHost(
    { refuse: { code: 400, message: 'previous terminated container "main" in pod "web" not found' } },
    (connector) =>
      assert.rejects(
        connector.logs(pod(), { previous: true }, noSignal),
        refusedWith(400, 'previous terminated container "main" in pod "web" not found'),
      ),
  ));

test('exec: both directions, exit code as kubectl expects it', () => {
  const serve: Serve = {
    session(socket, _path, send) {
      let typed = '';
      socket.on('message', (message: Buffer) => {
        const frame = decodeRemoteFrame(message);
        if (frame.type === 'stdin') typed += Buffer.from(frame.data).toString();
        if (frame.type !== 'closeStream') return;
        send({ type: 'stdout', data: Buffer.from(`got ${typed.length}`) });
        send({ type: 'stderr', data: Buffer.from('oops') });
        send({ type: 'status', exit: { type: 'exited', exitCode: 3 } });
        socket.close(1000);
      });
    },
  };
  return withHost(serve, async (connector, asked) => {
    const session = await connector.exec(pod(), exec);
    session.stdin!.end('x'.repeat(100_000));
    assert.equal(await text(session.stdout!), 'got 100000');
    assert.equal(await text(session.stderr!), 'oops');
    const status = await session.done;
    assert.equal(status.reason, 'NonZeroExitCode');
    assert.deepEqual(status.details!.causes, [{ reason: 'ExitCode', message: '3' }]);
    assert.deepEqual(asked, [
      '/v1/instances/u-1/containers/main/exec?command=sh&command=-c&command=exit+3&stdin=true&stdout=true&stderr=true&tty=false',
    ]);
  });
});

test('a connection that is lost ends the session with a failure', () =>
  withHost({ session: (socket) => socket.terminate() }, async (connector) => {
    const session = await connector.exec(pod(), exec);
    const status = await session.done;
    assert.equal(status.status, 'Failure');
    assert.match(status.message!, /connection to the host was lost/);
  }));

test('exec into a container that does not run is refused before any stream opens', () =>
  withHost({ refuse: { code: 404, message: 'container not found ("main")' } }, (connector) =>
    assert.rejects(connector.exec(pod(), exec), refusedWith(404, 'container not found ("main")')),
  ));

test('port-forward carries bytes both ways and closes with either side', () => {
  const serve: Serve = {
    session(socket, _path, send) {
      socket.on('message', (message: Buffer) => {
        const frame = decodeRemoteFrame(message);
        if (frame.type === 'stdin') send({ type: 'stdout', data: frame.data });
        if (frame.type === 'closeStream') send({ type: 'closeStream', channel: 'stdout' });
      });
    },
  };
  return withHost(serve, async (connector, asked) => {
    const connection = await connector.portForward(pod(), 80);
    connection.end('ping');
    assert.equal(await text(connection), 'ping');
    assert.deepEqual(asked, ['/v1/instances/u-1/portforward?port=80']);
  });
});

test('a port nobody listens on fails the connection with the host’s reason', () => {
  const exit = { type: 'failed', code: 502, reason: 'BadGateway', message: 'connection refused' } as const;
  return withHost({ session: (_socket, _path, send) => send({ type: 'status', exit }) }, async (connector) => {
    const connection = await connector.dial(pod(), 81);
    await assert.rejects(text(connection), refusedWith(502, 'connection refused'));
  });
});

test('a server that is not the host it should be is not believed', () =>
  withHost(
    { logs: 'lies' },
    (connector) =>
      assert.rejects(connector.logs(pod(), {}, noSignal), refusedWith(503, /host host-1 cannot be reached/)),
    'somebody-else',
  ));

test('which container is meant, in upstream’s words', () =>
  withHost({ logs: '' }, async (connector) => {
    const two = { nodeName: 'n', initContainers: [{ name: 'init' }], containers: [{ name: 'a' }, { name: 'b' }] };
    await assert.rejects(
      connector.logs(pod({ spec: two }), {}, noSignal),
      refusedWith(400, 'a container name must be specified for pod web, choose one of: [init a b]'),
    );
    await assert.rejects(
      connector.exec(pod(), { ...exec, container: 'nope' }),
      refusedWith(400, 'container nope is not valid for pod web'),
    );
    const waiting = pod({
      metadata: { name: 'web', namespace: 'shop', uid: 'u-2', clusterName: 'acme' },
      status: { containerStatuses: [{ name: 'main', state: { waiting: { reason: 'ContainerCreating' } } }] },
    });
    await assert.rejects(
      connector.logs(waiting, {}, noSignal),
      refusedWith(400, 'container "main" in pod "web" is waiting to start: ContainerCreating'),
    );
  }));
