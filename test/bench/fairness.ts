import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { ClientHttp2Session } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Scheduler } from '../../src/apiserver/fairness/scheduler.ts';
import { startTestServer } from '../../src/apiserver/testing/test-server.ts';
import { openLmdbStore } from '../../src/store/lmdb/lmdb-store.ts';
import { openSession, send } from './http.lib.ts';
import { benchPod } from './pod.lib.ts';

/**
 * What one tenant feels of another: tenant B asks now and then, alone and beside tenant A's 50 clients, which ask as
 * fast as they are answered (creates, gets, LISTs of thousands of pods). The API server runs over lmdb in a process of
 * its own; so do A's clients. Quiet and hammered stretches alternate; what counts is the median of their ratios.
 *
 * Time in which the server's or the asker's main thread was ready to run and other processes had the processors is
 * measured (Linux) and taken off each request. Other threads' (lmdb's writer, the garbage collector's helpers) is not:
 * where the server waited for much more than a tenth of the time, the tails are the machine's, not the server's.
 *
 *     --work mix|create|get|list   what A does
 *     --unfair                     requests start as they arrive: what tenants would do to one another
 */
const { values: flags } = parseArgs({
  options: {
    role: { type: 'string', default: 'bench' },
    clients: { type: 'string', default: '50' },
    pods: { type: 'string', default: '3000' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '7' },
    work: { type: 'string', default: 'mix' },
    unfair: { type: 'boolean', default: false },
  },
});
const podsPath = '/api/v1/namespaces/default/pods';

interface Access {
  url: string;
  ca: string;
  users: Record<string, { cert: string; key: string }>;
}

async function serve(): Promise<void> {
  // In memory where there is such a place: a disk shared with others would be what is measured.
  const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'skypod-fairness-'));
  if (flags.unfair) startAtOnce();
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
            body: benchPod(`pod-${index + offset}`),
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

/** Without the scheduler; long lists still come in pieces. */
function startAtOnce(): void {
  const turn = {
    startedMs: 0,
    hurried: false,
    resume: () => undefined,
    charge() {},
    answered() {},
    end() {},
    slice: () => new Promise((resolve) => setImmediate(resolve)),
  };
  Scheduler.prototype.admit = async () => turn as never;
}

/** Tenant A: hammers from `start` until `stop`, again and again. */
async function hammer(): Promise<void> {
  const [{ url, ca, users }] = (await once(process, 'message')) as [Access];
  process.once('disconnect', () => process.exit());
  const sessions: ClientHttp2Session[] = [];
  for (let index = 0; index < Number(flags.clients); index++) {
    sessions.push(await openSession(url, { ca, ...users['a']! }));
  }
  process.send!('connected');
  let created = 0;
  for (;;) {
    const [order] = await once(process, 'message');
    if (order !== 'start') break;
    const counts: Record<string, number> = {};
    let stop = false;
    const startMs = performance.now();
    const clients = sessions.map(async (session, client) => {
      for (let round = client; !stop; round++) {
        const kind = flags.work === 'mix' ? ['create', 'get', 'get', 'list'][round % 4]! : flags.work!;
        const name = `pod-${(round * 7919) % Number(flags.pods)}`;
        const { code } =
          kind === 'create'
            ? await send(session, 'POST', podsPath, benchPod(`new-${created++}`))
            : kind === 'get'
              ? await send(session, 'GET', `${podsPath}/${name}`)
              : await send(session, 'GET', podsPath);
        const key = code < 400 ? kind : String(code);
        counts[key] = (counts[key] ?? 0) + 1;
        if (code === 429) await sleep(1000);
      }
    });
    await once(process, 'message');
    stop = true;
    const seconds = (performance.now() - startMs) / 1000;
    const now = { ...counts };
    await Promise.all(clients);
    process.send!(Object.fromEntries(Object.entries(now).map(([kind, count]) => [kind, count / seconds])));
  }
  for (const session of sessions) session.destroy();
  process.disconnect();
}

/** Milliseconds per request, sorted: as the asker saw them, and without what processes waited for processors. */
interface Times {
  raw: number[];
  corrected: number[];
}

/** Tenant B. */
async function ask(session: ClientHttp2Session, serverPid: number, seconds: number): Promise<Times> {
  const corrected: number[] = [];
  const raw: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  for (let round = 0; performance.now() < endMs; round++) {
    const waitedBefore = waitedMs(serverPid) + waitedMs(process.pid);
    const startMs = performance.now();
    const kind = round % 4;
    const { code } =
      kind === 0
        ? await send(session, 'POST', podsPath, benchPod(`b-${created++}`))
        : kind === 1
          ? await send(session, 'GET', `${podsPath}?limit=20`)
          : await send(session, 'GET', `${podsPath}/pod-${round % 20}`);
    if (code >= 400) throw new Error(`tenant B was refused: ${code}`);
    const tookMs = performance.now() - startMs;
    raw.push(tookMs);
    corrected.push(Math.max(0, tookMs - (waitedMs(serverPid) + waitedMs(process.pid) - waitedBefore)));
    await sleep(4);
  }
  raw.sort((a, b) => a - b);
  return { raw, corrected: corrected.sort((a, b) => a - b) };
}
let created = 0;

const quantile = (sorted: number[], q: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!;
const p99 = (sorted: number[]) => quantile(sorted, 0.99);
const median = (values: number[]) =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );

/** What /proc tells of a process' main thread: milliseconds it ran, and those it was ready and others ran. */
function processorTimes(pid: number): { ranMs: number; waitedMs: number } {
  try {
    const [ran, waited] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ').map(Number);
    return { ranMs: ran! / 1e6, waitedMs: waited! / 1e6 };
  } catch {
    return { ranMs: 0, waitedMs: 0 };
  }
}
const waitedMs = (pid: number) => processorTimes(pid).waitedMs;

/** V8's; the launcher's (`skypod`) when unset. */
const serverFlags = (process.env['SERVER_NODE_OPTIONS'] ?? '--max-semi-space-size=8').split(' ').filter(Boolean);

async function bench(): Promise<void> {
  const child = (role: string): ChildProcess =>
    fork(import.meta.filename, [...process.argv.slice(2), '--role', role], {
      // A's machines are not the server's: its clients take what it leaves of the processors (SCHED_IDLE).
      ...(role === 'hammer' && { execPath: 'chrt' }),
      execArgv: role === 'server' ? serverFlags : ['--idle', '0', process.execPath],
    });
  const server = child('server');
  const [access] = (await once(server, 'message')) as [Access];
  const seconds = Number(flags.seconds);
  const session = await openSession(access.url, { ca: access.ca, ...access.users['b']! });
  const other = child('hammer');
  other.send(access);
  await once(other, 'message');
  console.log(
    `${flags.clients} clients of tenant A (${flags.work}; lists of ${flags.pods}+ pods); tenant B: one request every ` +
      `few ms, a quarter each of creates and small lists, the rest gets${flags.unfair ? '; without fairness' : ''}`,
  );
  const ratios: number[] = [];
  const rawRatios: number[] = [];
  const quiets: number[] = [];
  const busies: number[] = [];
  const show = ({ corrected }: Times) =>
    [0.5, 0.9, 0.99].map((q) => `p${q * 100} ${quantile(corrected, q).toFixed(2).padStart(5)}`).join(' ');
  // The first stretch warms the server up.
  for (let round = 0; round <= Number(flags.rounds); round++) {
    const quiet = await ask(session, server.pid!, seconds);
    other.send('start');
    await sleep(500);
    const before = processorTimes(server.pid!);
    const busy = await ask(session, server.pid!, seconds);
    const after = processorTimes(server.pid!);
    const answer = once(other, 'message');
    other.send('stop');
    const [rates] = (await answer) as [Record<string, number>];
    if (round === 0) continue;
    ratios.push(p99(busy.corrected) / p99(quiet.corrected));
    rawRatios.push(p99(busy.raw) / p99(quiet.raw));
    quiets.push(p99(quiet.corrected));
    busies.push(p99(busy.corrected));
    const ranPercent = (after.ranMs - before.ranMs) / seconds / 10;
    const waitedPercent = (after.waitedMs - before.waitedMs) / seconds / 10;
    console.log(
      `quiet ${show(quiet)}   beside A ${show(busy)} ms   ratio ${ratios.at(-1)!.toFixed(2)}   A: ` +
        Object.entries(rates)
          .sort()
          .map(([kind, rate]) => `${kind} ${Math.round(rate)}/s`)
          .join(' ') +
        `   server ran ${ranPercent.toFixed(0)} %, waited for a processor ${waitedPercent.toFixed(0)} %`,
    );
  }
  console.log(
    `medians of ${flags.rounds} rounds: quiet p99 ${median(quiets).toFixed(2)} ms, beside A ` +
      `${median(busies).toFixed(2)} ms, ratio ${median(ratios).toFixed(2)} (budget 2); with the waits for processors ` +
      median(rawRatios).toFixed(2),
  );
  session.destroy();
  const exits = Promise.all([once(server, 'exit'), once(other, 'exit')]);
  other.send('end');
  server.disconnect();
  await exits;
}

if (flags.role === 'server') await serve();
else if (flags.role === 'hammer') await hammer();
else await bench();
