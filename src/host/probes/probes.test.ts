import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { connect } from 'node:net';
import { after, describe, it } from 'node:test';
import { ManualClock } from '../../base/clock.ts';
import { listenLocally } from '../../base/testing/local-server.ts';
import type { SandboxRuntime } from '../../runtime/sandbox-runtime.ts';
import { containerSpec } from '../testing/fixtures.ts';
import type { ProbeResults } from '../worker/state.ts';
import type { Connect } from './http-request.ts';
import { PodProbes, type ProbedContainer } from './pod-probes.ts';
import { type ProbeAnswer, runProbe } from './run-probe.ts';

const flush = async () => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

describe('the probes of a pod', () => {
  function setUp(container = containerSpec('web', { readinessProbe: {}, livenessProbe: {} })) {
    const clock = new ManualClock(1_000_000);
    const results = new Map<string, ProbeResults>();
    const attempts: string[] = [];
    const events: string[] = [];
    let answer: ProbeAnswer = { outcome: 'success', output: '' };
    const probes = new PodProbes(results, {
      clock,
      attempt: async (_container, _id, probe) => {
        attempts.push(`${probeName(container, probe)}@${(clock.now() - 1_000_000) / 1000}`);
        return answer;
      },
      event: (_container, reason, message) => events.push(`${reason}: ${message}`),
      changed: () => {},
      random: () => 0.5,
    });
    const target = (more: Partial<ProbedContainer> = {}): ProbedContainer => ({
      container,
      containerId: 'id-1',
      startedAt: 1_000_000,
      started: container.startupProbe === undefined,
      adopted: false,
      ...more,
    });
    const advance = async (seconds: number) => {
      for (let step = 0; step < seconds * 2; step++) {
        clock.advance(500);
        await flush();
      }
    };
    return { results, attempts, events, probes, target, advance, answer: (next: ProbeAnswer) => (answer = next) };
  }
  const probeName = (container: ReturnType<typeof containerSpec>, probe: object) =>
    probe === container.livenessProbe ? 'L' : probe === container.readinessProbe ? 'R' : 'S';

  it('run at their period from their initial delay on, and judge by their thresholds', async () => {
    const bench = setUp(
      containerSpec('web', {
        readinessProbe: { initialDelaySeconds: 2, periodSeconds: 5, successThreshold: 2, failureThreshold: 1 },
      }),
    );
    bench.probes.update([bench.target()], false);
    await bench.advance(6);
    assert.deepEqual(bench.attempts, ['R@2']);
    assert.equal(bench.results.get('id-1'), undefined);
    await bench.advance(2);
    assert.equal(bench.results.get('id-1')?.readiness, 'success');
    bench.answer({ outcome: 'failure', output: 'HTTP probe failed with statuscode: 500' });
    await bench.advance(5);
    assert.equal(bench.results.get('id-1')?.readiness, 'failure');
    assert.deepEqual(bench.events, ['Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 500']);
    assert.deepEqual(bench.attempts, ['R@2', 'R@7', 'R@12']);
  });

  it('leave a container alone that is to be killed', async () => {
    const bench = setUp(containerSpec('web', { livenessProbe: { periodSeconds: 1, failureThreshold: 3 } }));
    bench.answer({ outcome: 'failure', output: 'no' });
    bench.probes.update([bench.target()], false);
    await bench.advance(10);
    assert.equal(bench.attempts.length, 3);
    assert.equal(bench.results.get('id-1')?.liveness, 'failure');
  });

  it('wait for the startup probe, which then stops', async () => {
    const bench = setUp(
      containerSpec('web', {
        startupProbe: { periodSeconds: 1, failureThreshold: 30 },
        readinessProbe: { periodSeconds: 1 },
      }),
    );
    bench.answer({ outcome: 'failure', output: 'not yet' });
    bench.probes.update([bench.target()], false);
    await bench.advance(2);
    bench.answer({ outcome: 'success', output: '' });
    await bench.advance(1);
    assert.deepEqual(bench.results.get('id-1'), { startup: 'success' });
    assert.ok(bench.attempts.every((attempt) => attempt.startsWith('S')));
    const count = bench.attempts.length;
    bench.probes.update([bench.target({ started: true })], false);
    await bench.advance(1);
    assert.equal(bench.results.get('id-1')?.readiness, 'success');
    assert.ok(bench.attempts.slice(count).every((attempt) => attempt.startsWith('R')));
  });

  it('end with their container, liveness with the pod’s deletion', async () => {
    const bench = setUp(
      containerSpec('web', { livenessProbe: { periodSeconds: 1 }, readinessProbe: { periodSeconds: 1 } }),
    );
    bench.probes.update([bench.target()], false);
    await bench.advance(1);
    bench.probes.update([bench.target()], true);
    const count = bench.attempts.length;
    await bench.advance(3);
    const later = bench.attempts.slice(count);
    assert.ok(later.length > 0 && later.every((attempt) => attempt.startsWith('R')), later.join());
    bench.probes.update([], true);
    const end = bench.attempts.length;
    await bench.advance(3);
    assert.equal(bench.attempts.length, end);
  });
});

describe('a probe', () => {
  const web = createHttpServer((request, response) => {
    const code = Number(/\d+/.exec(request.url ?? '')?.[0] ?? 200);
    if (request.url === '/slow') return;
    const { url = '' } = request;
    const location = url === '/away302' ? 'http://elsewhere/' : url === '/endless302' ? url : '/status200';
    if (code >= 300 && code < 400) response.setHeader('Location', location);
    response.statusCode = code;
    response.end(JSON.stringify(request.headers));
  });
  let serving = 1;
  const health = createHttp2Server();
  health.on('stream', (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('data', () => {});
    stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, serving]));
  });
  after(() => {
    web.closeAllConnections();
    web.close();
    health.close();
  });
  const connectLocally: Connect = (address, port) =>
    new Promise((resolve, reject) => {
      const socket = connect(port, address);
      socket.once('connect', () => resolve(socket));
      socket.once('error', reject);
    });
  const target = (port = 0) => ({
    container: containerSpec('web', { ports: [{ name: 'http', containerPort: port }] }),
    containerId: 'id-1',
    podIp: '127.0.0.1',
    runtime: {} as SandboxRuntime,
    connect: connectLocally,
  });

  it('by HTTP knows success, redirects, failures and silence', async () => {
    const port = await listenLocally(web);
    const get = (path: string, more: object = {}) =>
      runProbe({ httpGet: { path, port: 'http', ...more }, timeoutSeconds: 1 }, target(port));
    const headers = [
      { name: 'X-Test', value: 'a' },
      { name: 'Host', value: 'example' },
    ];
    const ok = await get('/status200', { httpHeaders: headers });
    assert.equal(ok.outcome, 'success');
    const sent = JSON.parse(ok.output);
    assert.deepEqual(
      [sent['x-test'], sent.host, sent['user-agent'], sent.accept],
      ['a', 'example', 'kube-probe/1.36', '*/*'],
    );
    assert.deepEqual(await get('/status503'), { outcome: 'failure', output: 'HTTP probe failed with statuscode: 503' });
    assert.equal((await get('/status302')).outcome, 'success');
    assert.equal((await get('/away302')).outcome, 'warning');
    const endless = await get('/endless302');
    assert.equal(endless.outcome, 'failure');
    assert.match(endless.output, /\/endless302": stopped after 10 redirects$/);
    const slow = await get('/slow');
    assert.match(slow.output, /context deadline exceeded \(Client.Timeout exceeded while awaiting headers\)$/);
    await assert.rejects(
      runProbe({ httpGet: { path: '/', port: 'nope' } }, target(port)),
      /couldn't find port: "nope" in container: "web"/,
    );
    const refused = await runProbe({ tcpSocket: { port: 1 } }, target());
    assert.deepEqual(refused, { outcome: 'failure', output: 'dial tcp 127.0.0.1:1: connect: connection refused' });
    assert.equal((await runProbe({ tcpSocket: { port } }, target())).outcome, 'success');
  });

  it('by gRPC asks the health service', async () => {
    const port = await listenLocally(health);
    const ask = () => runProbe({ grpc: { port, service: 'shop' }, timeoutSeconds: 1 }, target());
    assert.deepEqual(await ask(), { outcome: 'success', output: '' });
    serving = 2;
    assert.deepEqual(await ask(), { outcome: 'failure', output: 'service unhealthy (responded with "NOT_SERVING")' });
    const refused = await runProbe({ grpc: { port: 1 }, timeoutSeconds: 1 }, target());
    assert.match(refused.output, /failed to connect service "127.0.0.1:1" within 1s/);
  });
});
