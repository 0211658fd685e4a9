import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startTestServer } from '../../src/apiserver/testing/test-server.ts';
import { openLmdbStore } from '../../src/store/lmdb/lmdb-store.ts';
import { openSession } from './http.lib.ts';
import { stallCases } from './stalls/cases.lib.ts';
import { type Measured, StallMeter } from './stalls/meter.lib.ts';
import type { Ask, Asked, StallCase } from './stalls/requests.lib.ts';
import { sweep } from './stalls/sweep.lib.ts';

/**
 * How long one request of a tenant holds the event loop: the dearest requests the limits allow, one at a time, each at
 * an API server over lmdb in a process of its own. Printed are the longest time between two turns of the loop (processor
 * time of the main thread, so that other processes' load does not count), what the heap grew by, and the answers.
 *
 *     --only REGEX     cases by name
 *     --rounds N       each so often (the first finds code that was never run)
 *     --profile        what the longest time between two turns was spent on
 *     --sweep REGEX    instead: every list, map and string of the kinds that match, filled to 3 MiB, one at a time
 */
const { values: flags } = parseArgs({
  options: {
    role: { type: 'string', default: 'bench' },
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    profile: { type: 'boolean', default: false },
    sweep: { type: 'string' },
    /** Seconds a case may take. */
    patience: { type: 'string', default: '60' },
    /** Of a sweep: shown when longer. */
    slow: { type: 'string', default: '50' },
  },
});

interface Access {
  url: string;
  ca: string;
  cert: string;
  key: string;
}

async function serve(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'skypod-stalls-'));
  const server = await startTestServer(openLmdbStore(directory), { tenants: ['hostile'] });
  const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
  const user = await server.authority.issueTenantUser('hostile', 'mallory', ['system:masters']);
  const meter = new StallMeter(collect);
  process.on('message', async (order: 'begin' | 'end') => {
    if (order === 'begin') {
      await meter.begin(flags.profile);
      process.send!('begun');
    } else process.send!(await meter.end());
  });
  process.send!({
    url: `https://127.0.0.1:${port}`,
    ca: server.authority.certificatePem,
    cert: user.certificatePem,
    key: user.keyPem,
  } satisfies Access);
  // Where it may hang for minutes it is killed, and cannot tidy up after itself.
  rmSync(directory, { recursive: true, force: true });
  await once(process, 'disconnect');
  process.exit(0);
}

/** What requests are sent with; the connection is made anew when the server closed it. */
async function asker(access: Access): Promise<Ask> {
  let session = await openSession(access.url, access);
  return async ({ method, path, headers = {}, body }: Asked) => {
    if (session.closed || session.destroyed) session = await openSession(access.url, access);
    return new Promise((resolve) => {
      const stream = session.request({
        ':method': method,
        ':path': path,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      });
      let code = 0;
      const chunks: Buffer[] = [];
      stream.on('response', (given) => (code = Number(given[':status'])));
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', () => {});
      stream.on('close', () => resolve({ code, text: Buffer.concat(chunks).toString() }));
      stream.end(body);
    });
  };
}

interface Running {
  ask: Ask;
  measured<T>(work: () => Promise<T>): Promise<[T, Measured]>;
  end(): void;
}

async function start(): Promise<Running> {
  const server: ChildProcess = fork(import.meta.filename, [...process.argv.slice(2), '--role', 'server']);
  const [access] = (await once(server, 'message')) as [Access];
  return {
    ask: await asker(access),
    async measured(work) {
      server.send('begin');
      await once(server, 'message');
      const result = await work();
      server.send('end');
      return [result, ((await once(server, 'message')) as [Measured])[0]];
    },
    end: () => server.kill('SIGKILL'),
  };
}

async function bench(): Promise<void> {
  let running = await start();
  if (flags.sweep !== undefined) {
    await sweep({ kinds: new RegExp(flags.sweep), slowMs: Number(flags.slow), ...running });
  } else {
    console.log('longest turn (ms of processor time), by round; heap growth; answers');
    for (const one of stallCases) {
      if (!new RegExp(flags.only).test(one.name)) continue;
      const late = sleep(Number(flags.patience) * 1000, 'late' as const, { ref: false });
      const outcome = await Promise.race([late, runCase(running, one).catch((error: Error) => error)]);
      if (outcome === undefined) continue;
      console.log(`${one.name}: ${outcome === 'late' ? `no answer within ${flags.patience} s` : outcome.message}`);
      if (outcome !== 'late') continue;
      running.end();
      running = await start();
    }
  }
  running.end();
}

async function runCase({ ask, measured }: Running, one: StallCase): Promise<void> {
  const namespace = `case-${stallCases.indexOf(one)}`;
  const make = (path: string, name: string) =>
    ask({ method: 'POST', path, body: JSON.stringify({ metadata: { name } }) });
  await make('/api/v1/namespaces', namespace);
  await make(`/api/v1/namespaces/${namespace}/serviceaccounts`, 'default');
  await make(`/api/v1/namespaces/${namespace}/configmaps`, 'kube-root-ca.crt');
  await one.prepare?.(ask, namespace);
  const turns: number[] = [];
  let last: Measured | undefined;
  const codes: string[] = [];
  for (let round = 0; round < Number(flags.rounds); round++) {
    const requests = one.requests(round, namespace);
    const [answers, found] = await measured(async () => {
      const all = [];
      for (const request of requests) all.push(await ask(request));
      return all;
    });
    for (const { code, text } of answers) codes.push(`${code}${code >= 400 ? ` ${reasonOf(text)}` : ''}`);
    turns.push(found.longestMs);
    last = found;
  }
  await one.cleanUp?.(ask, namespace);
  console.log(
    `${turns.map((ms) => ms.toFixed(0).padStart(5)).join(' ')}  ${last!.heapGrowthMib.toFixed(0).padStart(4)} MiB  ` +
      `${one.name}: ${[...new Set(codes)].join(', ').replace(/\n.*/gs, '').slice(0, 150)}`,
  );
  for (const line of last!.profile ?? []) console.log(`        ${line}`);
}

function reasonOf(text: string): string {
  try {
    return String(JSON.parse(text).message).slice(0, 70);
  } catch {
    return text.slice(0, 70);
  }
}

await (flags.role === 'server' ? serve() : bench());
process.exit(0);
