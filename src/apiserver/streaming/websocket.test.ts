import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { listenLocally } from '../../base/testing/local-server.ts';
import { type StreamingServer, startStreamingServer } from './testing/streaming-server.ts';

const pod = '/api/v1/namespaces/default/pods/p';

let server: StreamingServer;
let echo: Server;

before(async () => {
  server = await startStreamingServer();
  echo = createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await listenLocally(echo);
});

after(async () => {
  echo.close();
  await server.close();
});

interface Message {
  channel: number;
  payload: string;
}

function open(path: string, subprotocols: string[]) {
  const socket = new WebSocket(server.url.replace('https', 'wss') + path, subprotocols, { rejectUnauthorized: false });
  const base64 = subprotocols.some((subprotocol) => subprotocol.includes('base64'));
  const messages: Message[] = [];
  socket.on('message', (data: Buffer, binary: boolean) => {
    assert.equal(binary, !base64);
    messages.push(
      base64
        ? { channel: Number(data.toString()[0]), payload: Buffer.from(data.toString().slice(1), 'base64').toString() }
        : { channel: data[0]!, payload: data.subarray(1).toString('latin1') },
    );
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const opened = once(socket, 'open');
  opened.catch(() => {});
  const on = (channel: number) =>
    messages
      .filter((message) => message.channel === channel)
      .map((message) => message.payload)
      .join('');
  return { socket, opened, closed, messages, on };
}

const execPath = (command: string[], flags = 'stdout=true&stderr=true') =>
  `${pod}/exec?container=c&${flags}&${command.map((word) => `command=${encodeURIComponent(word)}`).join('&')}`;

describe('commands', () => {
  for (const subprotocol of ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io']) {
    test(`${subprotocol} carries both outputs, then the status, then closes`, async () => {
      const client = open(execPath(['sh', '-c', 'echo out; echo err >&2; exit 7']), [subprotocol]);
      assert.equal(await client.closed, 1000);
      assert.equal(client.socket.protocol, subprotocol);
      assert.deepEqual([client.on(1), client.on(2)], ['out\n', 'err\n']);
      const status = JSON.parse(client.on(3));
      assert.equal(status.reason, 'NonZeroExitCode');
      assert.deepEqual(status.details.causes, [{ reason: 'ExitCode', message: '7' }]);
      assert.equal(client.messages.at(-1)?.channel, 3, 'the status comes last');
      assert.deepEqual(client.messages[0], { channel: 1, payload: '' }, 'the greeting');
    });
  }

  test('before v4 a failure is text, success is silence; none means the first protocol', async () => {
    const failed = open(execPath(['false']), []);
    assert.equal(await failed.closed, 1000);
    assert.match(failed.on(3), /^command terminated with non-zero exit code/);
    const succeeded = open(execPath(['true']), ['channel.k8s.io']);
    assert.equal(await succeeded.closed, 1000);
    assert.equal(succeeded.on(3), '');
  });

  test('v5 closes stdin with its signal', async () => {
    const client = open(execPath(['sort'], 'stdin=true&stdout=true'), ['v5.channel.k8s.io', 'v4.channel.k8s.io']);
    await client.opened;
    client.socket.send(Buffer.from('\0b\n'));
    client.socket.send(Buffer.from('\0a\n'));
    client.socket.send(Buffer.from([255, 0]));
    assert.equal(await client.closed, 1000);
    assert.equal(client.on(1), 'a\nb\n');
    assert.deepEqual(JSON.parse(client.on(3)), { metadata: {}, status: 'Success' });
  });

  test('a client that leaves ends the session', async () => {
    const before = server.sessions.length;
    const client = open(execPath(['sleep', '1000']), ['v5.channel.k8s.io']);
    await client.opened;
    client.socket.terminate();
    const session = server.sessions[before]!;
    await session.done;
    assert.ok(session.closed);
  });
});

describe('plain port-forward', () => {
  for (const subprotocol of ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io']) {
    test(`${subprotocol}: two channels a port, each begun with its number`, async () => {
      const { port } = echo.address() as AddressInfo;
      const client = open(`${pod}/portforward?ports=${port}&ports=${port}`, [subprotocol]);
      await client.opened;
      const send = (channel: number, text: string) =>
        subprotocol.includes('base64')
          ? client.socket.send(`${channel}${Buffer.from(text).toString('base64')}`)
          : client.socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));
      send(0, 'first');
      send(2, 'second');
      while (client.messages.length < 6) await once(client.socket, 'message');
      if (!subprotocol.includes('base64')) {
        const greeting = Buffer.alloc(2);
        greeting.writeUInt16LE(port);
        for (const channel of [0, 1, 2, 3]) assert.ok(client.on(channel).startsWith(greeting.toString('latin1')));
      }
      assert.ok(client.on(0).endsWith('first'));
      assert.ok(client.on(2).endsWith('second'));
      client.socket.close();
      await client.closed;
    });
  }

  test('a port that refuses is told on its error channel', async () => {
    const { port } = echo.address() as AddressInfo;
    const client = open(`${pod}/portforward?ports=${port === 1 ? 2 : 1}`, ['v4.channel.k8s.io']);
    await client.closed;
    assert.match(client.on(1).slice(2), /^error forwarding port \d+ to pod p, uid the-uid: .*ECONNREFUSED/);
  });
});

describe('refusals', () => {
  const upgrade = (path: string, headers: Record<string, string>) =>
    new Promise<{ response: IncomingMessage; body: string }>((resolve, reject) => {
      const asking = request(`${server.url}${path}`, {
        method: 'POST',
        rejectUnauthorized: false,
        headers: { Connection: 'Upgrade', ...headers },
      });
      asking.on('error', reject);
      asking.on('response', (response) => {
        let body = '';
        response.on('data', (chunk) => (body += chunk));
        response.on('end', () => resolve({ response, body }));
      });
      asking.end();
    });

  test('a protocol that is not spoken is 403, and the answer names those that are', async () => {
    const { response, body } = await upgrade(execPath(['true']), {
      Upgrade: 'SPDY/3.1',
      'X-Stream-Protocol-Version': 'v9.channel.k8s.io',
    });
    assert.equal(response.statusCode, 403);
    assert.match(response.headers['x-accepted-stream-protocol-versions'] as string, /^v4\.channel\.k8s\.io, /);
    assert.match(JSON.parse(body).message, /unable to negotiate protocol: client supports \[v9\.channel\.k8s\.io\]/);
  });

  test('a session that cannot be had is answered with its status', async () => {
    const { response, body } = await upgrade(`${pod}/exec?container=none&stdout=true&command=true`, {
      Upgrade: 'SPDY/3.1',
      'X-Stream-Protocol-Version': 'v4.channel.k8s.io',
    });
    assert.equal(response.statusCode, 400);
    assert.deepEqual(JSON.parse(body).reason, 'BadRequest');
  });

  test('other protocols are 400', async () => {
    const { response } = await upgrade(execPath(['true']), { Upgrade: 'h2c' });
    assert.equal(response.statusCode, 400);
  });

  test('plain port-forward needs ports', async () => {
    for (const query of ['', '?ports=0', '?ports=80,x']) {
      const client = open(`${pod}/portforward${query}`, ['v4.channel.k8s.io']);
      const [error] = (await once(client.socket, 'error')) as [Error];
      assert.match(error.message, /400/);
    }
  });
});

describe('a log', () => {
  const logOf = async (subprotocols: string[]) => {
    const socket = new WebSocket(`${server.url.replace('https', 'wss')}${pod}/log`, subprotocols, {
      rejectUnauthorized: false,
    });
    const messages: string[] = [];
    socket.on('message', (data: Buffer) => messages.push(data.toString()));
    const [code] = await once(socket, 'close');
    return { code, messages, protocol: socket.protocol };
  };

  test('comes as binary messages, or as base64', async () => {
    assert.deepEqual(await logOf(['binary.k8s.io']), {
      code: 1000,
      messages: ['first\n', 'second\n'],
      protocol: 'binary.k8s.io',
    });
    const { messages } = await logOf(['base64.binary.k8s.io']);
    assert.equal(Buffer.from(messages[0]!, 'base64').toString(), 'first\n');
  });

  test('in no protocol that is not known', async () => {
    const socket = new WebSocket(`${server.url.replace('https', 'wss')}${pod}/log`, ['x.k8s.io'], {
      rejectUnauthorized: false,
    });
    const [error] = await once(socket, 'error');
    assert.match(String(error), /403/);
  });
});
