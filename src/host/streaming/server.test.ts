import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { decodeRemoteFrame, encodeRemoteFrame, REMOTE_COMMAND_PROTOCOL } from '../../base/remote-command.ts';
import { listenLocally } from '../../base/testing/local-server.ts';
import { until } from '../../base/testing/until.ts';
import { createSimulatedRuntime } from '../../runtime/simulated/simulated-runtime.ts';
import { createBench } from '../testing/bench.ts';

describe('the streaming server', async () => {
  const bench = createBench(createSimulatedRuntime());
  after(() => bench.close());
  const agent = await bench.start();
  const read = (name: string) => readFileSync(join(bench.directory, name), 'utf8');
  const identity = (name: string) => ({ ca: read('ca.crt'), cert: read(`${name}.crt`), key: read(`${name}.key`) });
  const target = { host: '127.0.0.1', port: agent.address.port, checkServerIdentity: () => undefined };
  const platform = { ...identity('platform'), ...target };

  const get = (path: string, options: object = platform) =>
    new Promise<{ code: number; text: string }>((resolve, reject) => {
      const sent = request({ ...options, path, agent: false }, (response) => {
        let text = '';
        response.on('data', (chunk) => (text += chunk));
        response.on('end', () => resolve({ code: response.statusCode!, text }));
      });
      sent.on('error', reject);
      sent.end();
    });

  const open = (path: string) => {
    const socket = new WebSocket(`wss://127.0.0.1:${target.port}${path}`, REMOTE_COMMAND_PROTOCOL, platform);
    const result = { socket, stdout: '', stderr: '', exit: undefined as any, closed: false, error: undefined as any };
    socket.on('message', (message: Buffer) => {
      const frame = decodeRemoteFrame(message);
      if (frame.type === 'stdout' || frame.type === 'stderr') result[frame.type] += Buffer.from(frame.data).toString();
      if (frame.type === 'status') result.exit = frame.exit;
    });
    socket.on('error', (error) => (result.error = error));
    socket.on('close', () => (result.closed = true));
    return result;
  };

  await bench.create('pod-1', {
    containers: [{ name: 'web', image: 'busybox:1', command: ['sh', '-c', 'echo hello; echo oops >&2; sleep 1000'] }],
  });
  await until(async () => (await bench.get('pod-1'))?.status?.phase === 'Running');

  it('refuses who has no certificate, and whose certificate is not the platform’s', async () => {
    await assert.rejects(get('/v1/stats', { ...target, ca: read('ca.crt') }));
    const refused = await get('/v1/stats', { ...identity('tenant'), ...target });
    assert.equal(refused.code, 403);
    assert.equal(JSON.parse(refused.text).reason, 'Forbidden');
  });

  it('serves logs', async () => {
    const path = '/v1/instances/pod-1/containers/web/logs';
    assert.deepEqual(await get(path), { code: 200, text: 'hello\noops\n' });
    assert.equal((await get(`${path}?stream=Stderr`)).text, 'oops\n');
    assert.match((await get(`${path}?timestamps=true&tailLines=1`)).text, /^\d{4}-\S+Z oops\n$/);
    const previous = await get(`${path}?previous=true`);
    assert.equal(previous.code, 400);
    assert.equal(JSON.parse(previous.text).message, 'previous terminated container "web" in pod "pod-pod-1" not found');
    assert.equal((await get('/v1/instances/pod-1/containers/none/logs')).code, 400);
    assert.equal((await get('/v1/instances/none/containers/web/logs')).code, 404);
    assert.equal((await get(`${path}?tailLines=x`)).code, 400);
    assert.equal((await get('/v1/else')).code, 404);
  });

  it('runs commands', async () => {
    const echo = open(
      '/v1/instances/pod-1/containers/web/exec?command=sh&command=-c&command=echo+hi%3B+exit+3&stdout=true',
    );
    await until(() => echo.closed);
    assert.deepEqual([echo.stdout, echo.exit], ['hi\n', { type: 'exited', exitCode: 3 }]);
    const long = 'a'.repeat(50_000);
    const said = open(`/v1/instances/pod-1/containers/web/exec?command=sh&command=-c&command=echo+${long}&stdout=true`);
    await until(() => said.closed);
    assert.equal(said.stdout, `${long}\n`);
    const none = open('/v1/instances/pod-1/containers/none/exec?command=true&stdout=true');
    await until(() => none.error);
    assert.match(none.error.message, /404/);
  });

  it('carries port-forwards', async () => {
    const forward = open('/v1/instances/pod-1/portforward?port=80');
    await until(() => forward.socket.readyState === WebSocket.OPEN);
    forward.socket.send(encodeRemoteFrame({ type: 'stdin', data: Buffer.from('ping') }));
    await until(() => forward.stdout === 'ping');
    forward.socket.send(encodeRemoteFrame({ type: 'closeStream', channel: 'stdin' }));
    await until(() => forward.closed);
  });

  it('dials the pod’s address, and says when nobody answers', async () => {
    const echo = createServer((socket) => socket.pipe(socket));
    bench.network.ports.set(8080, await listenLocally(echo));
    after(() => echo.close());
    const dial = open('/v1/instances/pod-1/dial?port=8080');
    await until(() => dial.socket.readyState === WebSocket.OPEN);
    const big = 'x'.repeat(3_000_000);
    for (let start = 0; start < big.length; start += 30_000) {
      dial.socket.send(encodeRemoteFrame({ type: 'stdin', data: Buffer.from(big.slice(start, start + 30_000)) }));
    }
    await until(() => dial.stdout.length === big.length);
    dial.socket.close();
    const refused = open('/v1/instances/pod-1/dial?port=81');
    await until(() => refused.closed);
    assert.equal(refused.exit?.type, 'failed');
    assert.equal(refused.exit?.code, 502);
  });

  it('serves stats', async () => {
    await until(async () => JSON.parse((await get('/v1/stats')).text).instances !== undefined);
    const { timestamp } = JSON.parse((await get('/v1/stats')).text);
    assert.ok(!Number.isNaN(Date.parse(timestamp)));
  });
});
