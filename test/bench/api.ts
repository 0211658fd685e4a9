import { once } from 'node:events';
import { connect } from 'node:http2';
import { parseArgs } from 'node:util';
import type { KubeObject } from '../../src/api/object.ts';
import { startTestServer } from '../../src/apiserver/testing/test-server.ts';
import { openMemoryStore } from '../../src/store/memory/memory-store.ts';
import { openSession, send } from './http.lib.ts';
import { benchPod } from './pod.lib.ts';

/**
 * Figures of the API server alone, over the memory store: what the machinery costs. Prints one line a figure, beside
 * its budget where the design has one. `--quick` takes a tenth of everything.
 */
const { values: flags } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
const scale = flags.quick ? 0.1 : 1;
const pods = Math.round(10_000 * scale);
const watchers = Math.round(1_000 * scale);
const tenants = Math.round(1_000 * scale);

const server = await startTestServer(openMemoryStore(), { tenants: ['default'] });
const { transport } = server;
const podsPath = '/clusters/default/api/v1/namespaces/default/pods';

function report(what: string, value: number, unit: string, budget = ''): void {
  const shown = value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
  console.log(`${what.padEnd(52)} ${shown.padStart(10)} ${unit.padEnd(8)} ${budget}`);
}

async function rate(count: number, parallel: number, work: (index: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (let index = next++; index < count; index = next++) await work(index);
    }),
  );
  return (count / (performance.now() - start)) * 1000;
}

// Tenants: from nothing to the first answer. First of all, while little else moves in memory.
for (let index = 0; index < 100; index++) {
  await server.addTenant(`warm-${index}`);
  await transport.request({ method: 'GET', path: `/clusters/warm-${index}/api/v1/namespaces` });
}
globalThis.gc?.();
const memoryBefore = process.memoryUsage();
const tenantStart = performance.now();
for (let index = 0; index < tenants; index++) {
  await server.addTenant(`tenant-${index}`);
  await transport.request({ method: 'GET', path: `/clusters/tenant-${index}/api/v1/namespaces` });
}
report('tenant: create to first answer', (performance.now() - tenantStart) / tenants, 'ms', 'budget 20 ms');
globalThis.gc?.();
const memoryAfter = process.memoryUsage();
const used = (memory: NodeJS.MemoryUsage) => memory.heapUsed + memory.external;
report(
  `tenant: memory, idle, of ${tenants.toLocaleString('en')}`,
  (used(memoryAfter) - used(memoryBefore)) / tenants / 1024,
  'KiB',
  `budget 50 KiB${globalThis.gc === undefined ? ' (run with --expose-gc for the true figure)' : ''}`,
);
// In process: the path of every controller.
await rate(Math.min(2000, pods), 64, (index) =>
  transport.request({ method: 'POST', path: podsPath, body: benchPod(`warm-${index}`) }),
);
await transport.request({ method: 'DELETE', path: podsPath, body: { gracePeriodSeconds: 0 } });
const creates = await rate(pods, 64, (index) =>
  transport.request({ method: 'POST', path: podsPath, body: benchPod(`pod-${index}`) }),
);
report('in process: pod creates', creates, '/s', 'target 8,000/s');
const gets = await rate(pods * 5, 64, (index) =>
  transport.request({ method: 'GET', path: `${podsPath}/pod-${index % pods}` }),
);
report('in process: pod gets', gets, '/s');
const updates = await rate(pods, 64, async (index) => {
  const path = `${podsPath}/pod-${index}`;
  const current = await transport.request<KubeObject>({ method: 'GET', path });
  await transport.request({
    method: 'PUT',
    path: `${path}/status`,
    body: { ...current, status: { phase: 'Running' } },
  });
});
report('in process: pod status updates', updates, '/s');

// Over HTTP/2 and TLS, client and server in one process.
const address = await server.server.listen({ host: '127.0.0.1', port: 0 });
const client = await server.authority.issueTenantUser('default', 'bench', ['system:masters']);
const connection = { ca: server.authority.certificatePem, cert: client.certificatePem, key: client.keyPem };
const session = await openSession(`https://127.0.0.1:${address.port}`, connection);

const httpCount = Math.round(pods / 2);
report(
  'HTTP/2: pod creates',
  await rate(httpCount, 32, (index) => send(session, 'POST', podsPath, benchPod(`http-${index}`))),
  '/s',
  'bare Node server: 3,900/s over TLS',
);
report(
  'HTTP/2: pod gets',
  await rate(pods, 32, (index) => send(session, 'GET', `${podsPath}/pod-${index % pods}`)),
  '/s',
  'bare Node server: 10,400/s over TLS',
);
const listTimes: number[] = [];
let listBytes = 0;
for (let round = 0; round < 5; round++) {
  const start = performance.now();
  listBytes = (await send(session, 'GET', `${podsPath}?labelSelector=app%3Dbench&limit=0`)).bytes;
  listTimes.push(performance.now() - start);
}
report(
  `HTTP/2: LIST of ${(pods + httpCount).toLocaleString('en')} pods`,
  Math.min(...listTimes),
  'ms',
  `${(listBytes / 1e6).toFixed(1)} MB`,
);

// Fan-out: every watcher sees every event.
const sessions = Array.from({ length: 10 }, () => connect(`https://127.0.0.1:${address.port}`, connection));
await Promise.all(sessions.map((one) => once(one, 'connect')));
const configMaps = '/clusters/default/api/v1/namespaces/default/configmaps';
const events = 100;
let received = 0;
let allReceived = () => {};
const fanOutDone = new Promise<void>((resolve) => (allReceived = resolve));
const started: Promise<unknown>[] = [];
for (let index = 0; index < watchers; index++) {
  const stream = sessions[index % sessions.length]!.request({
    ':path': `${configMaps}?watch=true&labelSelector=bench`,
  });
  stream.on('error', () => {});
  started.push(once(stream, 'response'));
  stream.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 10) received++;
    if (received >= watchers * events) allReceived();
  });
}
await Promise.all(started);
const fanOutStart = performance.now();
for (let index = 0; index < events; index++) {
  await transport.request({
    method: 'POST',
    path: configMaps,
    body: { metadata: { name: `event-${index}`, labels: { bench: 'x' } }, data: { payload: 'x'.repeat(1000) } },
  });
}
await fanOutDone;
report(
  `HTTP/2: watch fan-out to ${watchers.toLocaleString('en')} watchers`,
  ((watchers * events) / (performance.now() - fanOutStart)) * 1000,
  'events/s',
);
for (const one of sessions) one.destroy();

report('resident memory at the end', process.memoryUsage().rss / 2 ** 20, 'MiB');

session.destroy();
await server.close();
