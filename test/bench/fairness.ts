import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startTestServer } from '../../src/apiserver/testing/test-server.ts';
import { openLmdbStore } from '../../src/store/lmdb/lmdb-store.ts';

/**
 * What one tenant feels of another: tenant B asks now and then, first alone, then while tenant A's 50 clients ask as
 * fast as they are answered (creates, gets, LISTs of thousands of pods). The API server runs over lmdb in a process of
 * its own; so do A's clients, niced, so that what is measured is the server and not a fight of clients for processors.
 */
const { values: flags } = parseArgs({
  options: {
    role: { type: 'string', default: 'bench' },
    clients: { type: 'string', default: '50' },
    pods: { type: 'string', default: '3000' },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
    work: { type: 'string', default: 'mix' },
  },
});
const podsPath = '/api/v1/namespaces/default/pods';

interface Access {
  url: string;
  ca: string;
  users: Record<string, { cert: string; key: string }>;
}

function pod(name: string): object {
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name, labels: { app: 'bench' } },
    spec: {
      containers: [
        {
          name: 'main',
          image: 'registry.example/app:1',
          command: ['/bin/app', '--serve'],
          env: [{ name: 'A', value: 'b' }],
          resources: { requests: { cpu: '250m', memory: '128Mi' }, limits: { memory: '256Mi' } },
        },
      ],
    },
  };
}

async function serve(): Promise<void> {
  // In memory where there is such a place: a disk shared with others would be what is measured.
  const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'skypod-fairness-'));
  const server = await startTestServer(openLmdbStore(directory), { tenants: ['a', 'b'] });
  const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
  const users: Access['users'] = {};
  for (const tenant of ['a', 'b']) {
    const user = await server.authority.issueTenantUser(tenant, 'bench', ['system:masters']);
    users[tenant] = { cert: user.certificatePem, key: user.keyPem };
    const count = tenant === 'a' ? Number(flags.pods) : 20;
    for (let index = 0; index < count; index += 50) {
      await Promise.all(
        Array.from({ length: Math.min(50, count - index) }, (_, offset) =>
          server.transport.request({
            method: 'POST',
            path: `/clusters/${tenant}${podsPath}`,
            body: pod(`pod-${index + offset}`),
          }),
        ),
      );
    }
  }
  process.send!({ url: `https://127.0.0.1:${port}`, ca: server.authority.certificatePem, users } satisfies Access);
  await once(process, 'disconnect');
  await server.close();
  rmSync(directory, { recursive: true, force: true });
  process.exit(0);
}

async function openSession({ url, ca, users }: Access, tenant: string): Promise<ClientHttp2Session> {
  const session = connect(url, { ca, ...users[tenant]!, settings: { initialWindowSize: 4 * 1024 * 1024 } });
  session.on('error', () => {});
  await once(session, 'connect');
  return session;
}

function send(session: ClientHttp2Session, method: string, path: string, body?: object): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': method,
      ':path': path,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    });
    let code = 0;
    stream.on('response', (headers) => (code = Number(headers[':status'])));
    stream.on('end', () => resolve(code));
    stream.on('error', reject);
    stream.resume();
    stream.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Tenant A. */
async function hammer(): Promise<void> {
  const [access] = (await once(process, 'message')) as [Access];
  setPriority(constants.priority.PRIORITY_LOW);
  const counts: Record<string, number> = {};
  let stop = false;
  let created = 0;
  const clients = Array.from({ length: Number(flags.clients) }, async (_, client) => {
    const session = await openSession(access, 'a');
    for (let round = client; !stop; round++) {
      const kind = flags.work === 'mix' ? ['create', 'get', 'get', 'list'][round % 4]! : flags.work!;
      const name = `pod-${(round * 7919) % Number(flags.pods)}`;
      const code =
        kind === 'create'
          ? await send(session, 'POST', podsPath, pod(`new-${process.pid}-${created++}`))
          : kind === 'get'
            ? await send(session, 'GET', `${podsPath}/${name}`)
            : await send(session, 'GET', podsPath);
      const key = code < 400 ? kind : String(code);
      counts[key] = (counts[key] ?? 0) + 1;
      if (code === 429) await sleep(1000);
    }
    session.destroy();
  });
  process.send!('started');
  await once(process, 'message');
  stop = true;
  await Promise.all(clients);
  process.send!(counts);
}

/** Tenant B: milliseconds per request, sorted. */
async function ask(session: ClientHttp2Session, seconds: number): Promise<number[]> {
  const times: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  for (let round = 0; performance.now() < endMs; round++) {
    const startMs = performance.now();
    const kind = round % 4;
    const code =
      kind === 0
        ? await send(session, 'POST', podsPath, pod(`b-${process.pid}-${created++}`))
        : kind === 1
          ? await send(session, 'GET', `${podsPath}?limit=20`)
          : await send(session, 'GET', `${podsPath}/pod-${round % 20}`);
    if (code >= 400) throw new Error(`tenant B was refused: ${code}`);
    times.push(performance.now() - startMs);
    await sleep(4);
  }
  return times.sort((a, b) => a - b);
}
let created = 0;

const quantile = (sorted: number[], q: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!;

async function bench(): Promise<void> {
  const child = (role: string, execArgv: string[] = []): ChildProcess =>
    fork(import.meta.filename, [...process.argv.slice(2), '--role', role], { execArgv });
  const server = child('server');
  const [access] = (await once(server, 'message')) as [Access];
  const seconds = Number(flags.seconds);
  const session = await openSession(access, 'b');
  await ask(session, 3);
  console.log(
    `${flags.clients} clients of tenant A (${flags.work}; lists of ${flags.pods}+ pods), in a process of nice 19; ` +
      'tenant B: one request every few ms, a quarter each of creates and small lists, the rest gets',
  );
  const ratios: number[] = [];
  for (let round = 1; round <= Number(flags.rounds); round++) {
    const quiet = await ask(session, seconds);
    const other = child('hammer');
    other.send(access);
    await once(other, 'message');
    await sleep(1000);
    const startMs = performance.now();
    const busy = await ask(session, seconds);
    const tookSeconds = (performance.now() - startMs) / 1000;
    const answer = once(other, 'message');
    other.send('stop');
    const [counts] = (await answer) as [Record<string, number>];
    other.disconnect();
    await once(other, 'exit');
    const show = (times: number[]) =>
      `p50 ${quantile(times, 0.5).toFixed(2)}  p90 ${quantile(times, 0.9).toFixed(2)}  p99 ${quantile(times, 0.99).toFixed(2)} ms`;
    const ratio = quantile(busy, 0.99) / quantile(quiet, 0.99);
    ratios.push(ratio);
    const rates = Object.entries(counts).map(([kind, count]) => `${kind} ${Math.round(count / (tookSeconds + 1))}/s`);
    console.log(
      `quiet: ${show(quiet)}   beside A: ${show(busy)}   p99 ratio ${ratio.toFixed(2)}   A: ${rates.join(', ')}`,
    );
  }
  ratios.sort((a, b) => a - b);
  console.log(`p99 of tenant B beside A, times its quiet value: ${quantile(ratios, 0.5).toFixed(2)} (budget 2)`);
  session.destroy();
  server.disconnect();
  await once(server, 'exit');
}

if (flags.role === 'server') await serve();
else if (flags.role === 'hammer') await hammer();
else await bench();
