import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { StatusError } from '../../src/api/status.ts';
import { openEtcdStore } from '../../src/store/etcd/etcd-store.ts';
import { etcdMissing } from '../../src/store/etcd/testing/etcd-cluster.ts';
import type { Store } from '../../src/store/store.ts';
import {
  type ControlPlane,
  type ControlPlanes,
  leaderTerms,
  leaseDurationMs,
  patienceMs,
  startControlPlanes,
  stepDowns,
} from '../lib/control-planes.ts';
import { eventually } from '../lib/eventually.ts';
import {
  checkJournal,
  checkList,
  checkRecorder,
  checkSession,
  type Operation,
  observe,
  type PagedList,
  page,
  type Recorder,
  recordHistory,
  type WatchSession,
  write,
} from '../lib/history.ts';

/** Only faults whose names match. */
const wanted = new RegExp(process.env['SKYPOD_FAULTS'] ?? '');
/** Rounds of faults go on until so much time has passed; each kind comes once at least. */
const faultsMs = Number(process.env['SKYPOD_FAULTS_SECONDS'] ?? 30) * 1000;
/** Shuffles the faults of each round; without one they come as they are written. */
const seed = process.env['SKYPOD_FAULTS_SEED'];
const deployment = '/apis/apps/v1/namespaces/default/deployments/steady';
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('several control planes on an etcd cluster', { skip: etcdMissing }, () => {
  it('any one of them and of etcd’s members may die: nothing acknowledged is lost, no watch has a gap', async (context) => {
    const cluster = await startControlPlanes();
    const stop = new AbortController();
    const store = await openEtcdStore({ endpoints: cluster.etcd.endpoints });
    try {
      await run(cluster, store, stop, (line) => context.diagnostic(line));
    } catch (error) {
      for (const line of cluster.lastWords()) context.diagnostic(line);
      throw error;
    } finally {
      stop.abort();
      await store.close();
      await cluster.destroy();
    }
  });
});

async function run(
  cluster: ControlPlanes,
  store: Store,
  stop: AbortController,
  say: (line: string) => void,
): Promise<void> {
  const { planes, etcd } = cluster;
  const journal: Operation[] = [];
  const problems: string[] = [];
  const sessions: WatchSession[] = [];
  const lists: PagedList[] = [];
  const recorder = recordHistory(store);
  const { contexts } = parse(readFileSync(join(planes[1]!.dataDir, 'kubeconfig'), 'utf8'));
  const others = [0, 2].map((index) => `skypod-default@${new URL(planes[index]!.url).host}`);
  assert.deepEqual(
    contexts.map((each: { name: string }) => each.name),
    ['skypod-default', ...others],
    'a context for each control plane',
  );
  await onAny(planes, 'POST', deployment.replace('/steady', ''), newDeployment());
  await eventually('the deployment runs', async () => (await readyReplicas(planes)) === 2, { retryErrors: true });

  const writers = [0, 1, 2, 3].map((id) => write(id, planes, journal, problems, stop.signal));
  const observers = [0, 1, 2, 3, 4, 5].map((first) => observe(first, planes, sessions, stop.signal));
  const pagers = [0, 1].map(() => page(planes, lists, problems, stop.signal));
  const acknowledged = () => journal.filter(({ outcome }) => outcome === 'acknowledged').length;
  const progress = (what: string, writes = 30) => {
    const goal = acknowledged() + writes;
    return eventually(`writes go on ${what}`, () => acknowledged() >= goal, { timeoutMs: patienceMs });
  };
  let replicas = 2;
  const scale = async (what: string, through = planes) => {
    replicas = replicas === 5 ? 2 : replicas + 1;
    await onAny(through, 'PATCH', deployment, { spec: { replicas } });
    await eventually(
      `the deployment scales to ${replicas} ${what}`,
      async () => (await readyReplicas(through)) === replicas,
      {
        retryErrors: true,
        timeoutMs: patienceMs,
      },
    );
  };
  const restart = async (plane: ControlPlane, what: string) => {
    await plane.kill();
    await progress(`after ${what} died`);
    plane.start();
    await plane.ready();
  };

  const faults: [string, () => Promise<void>][] = [
    [
      'kill -9 of the leader',
      async () => {
        const leader = await eventually('there is a leader', () => cluster.leader());
        await leader.kill();
        await scale('after the leader’s death');
        leader.start();
        await leader.ready();
      },
    ],
    ...[0, 1, 2].map((member): [string, () => Promise<void>] => [
      `kill -9 of etcd member ${member}`,
      async () => {
        await etcd.kill(member);
        await progress(`without etcd member ${member}`);
        if (member === 1) await scale('without an etcd member');
        etcd.start(member);
        await progress(`with etcd member ${member} back`);
      },
    ]),
    [
      'two of etcd’s three members die',
      async () => {
        await Promise.all([etcd.kill(0), etcd.kill(1)]);
        // What was under way may have been acknowledged before.
        await pause(3_000);
        const before = acknowledged();
        await pause(2_000);
        if (acknowledged() !== before) problems.push('a write was acknowledged without a quorum');
        etcd.start(0);
        await progress('when there is a quorum again');
        etcd.start(1);
        await scale('afterwards');
      },
    ],
    [
      'kill -9 of the control plane the host speaks to',
      async () => {
        await planes[0]!.kill();
        await progress('without control plane 0');
        await scale('without the host’s control plane');
        planes[0]!.start();
        await planes[0]!.ready();
      },
    ],
    [
      'an etcd member hangs',
      async () => {
        const member = Math.floor(Math.random() * 3);
        await etcd.pause(member);
        await progress(`while etcd member ${member} hangs`);
        await pause(2_000);
        etcd.resume(member);
        await progress('afterwards');
      },
    ],
    [
      'the leader sleeps through the end of its lease',
      async () => {
        const leader = await eventually('there is a leader', () => cluster.leader());
        const lostBefore = timesLost(leader);
        leader.signal('SIGSTOP');
        leader.ends.push(Date.now());
        await scale(
          'while the leader sleeps',
          planes.filter((plane) => plane !== leader),
        );
        leader.signal('SIGCONT');
        await leader.ready();
        await scale('after it woke up');
        await eventually('it has stepped down', () => timesLost(leader) > lostBefore);
      },
    ],
    [
      'the leader is stopped in good order',
      async () => {
        const leader = await eventually('there is a leader', () => cluster.leader());
        leader.signal('SIGTERM');
        await eventually('another leads', () => ![undefined, leader].includes(cluster.leader()));
        await scale('under the next');
        await leader.kill();
        leader.start();
        await leader.ready();
      },
    ],
    ...[1, 2].map((index): [string, () => Promise<void>] => [
      `kill -9 of control plane ${index}`,
      () => restart(planes[index]!, `control plane ${index}`),
    ]),
  ];
  faults.push(
    [
      'all of etcd’s members die at once',
      async () => {
        await Promise.all([0, 1, 2].map((member) => etcd.kill(member)));
        await pause(1_000);
        for (const member of [0, 1, 2]) etcd.start(member);
        await progress('when etcd is back');
        await scale('afterwards');
      },
    ],
    [
      'the leader is cut off from etcd for longer than its lease, and what it sent arrives late',
      async () => {
        const leader = await eventually('there is a leader', () => cluster.leader());
        const others = planes.filter((plane) => plane !== leader);
        leader.partition();
        await eventually(
          'another leads',
          () => others.some((plane) => leaderTerms(plane).at(-1)?.endMs === Number.POSITIVE_INFINITY),
          { timeoutMs: patienceMs },
        );
        await scale('without the one that is cut off', others);
        await leader.heal();
        await scale('through any, when it is back');
        await leader.ready();
      },
    ],
    [
      'a control plane that follows is cut off for a moment',
      async () => {
        const leader = await eventually('there is a leader', () => cluster.leader());
        const follower = planes.find((plane) => plane !== leader)!;
        follower.partition();
        await progress('through the others', 10);
        await eventually('it says that it is not ready', async () => (await codeOf(follower, '/readyz')) === 500);
        await eventually('and answers', async () => (await codeOf(follower, deployment)) === 503);
        await follower.heal();
        await follower.ready();
        await eventually('it is ready again', async () => (await codeOf(follower, '/readyz')) !== 500);
      },
    ],
    [
      'history is compacted while a control plane is cut off',
      async () => {
        const leader = await eventually('there is a leader', () => cluster.leader());
        const follower = planes.find((plane) => plane !== leader)!;
        follower.partition();
        await progress('through the others', 10);
        await store.compact(recorder.revision);
        await follower.heal();
        await progress('after the compaction');
        await follower.ready();
      },
    ],
    [
      'history is compacted under watches and lists',
      async () => {
        for (let round = 0; round < 5; round++) {
          await store.compact(recorder.revision);
          await progress('while history is compacted');
        }
      },
    ],
    [
      'etcd’s members stutter, as on a slow disk',
      async () => {
        for (let round = 0; round < 12; round++) {
          const member = round % 3;
          await etcd.pause(member);
          await pause(250);
          etcd.resume(member);
          await pause(50);
        }
        await progress('afterwards');
      },
    ],
  );
  faults.push(
    [
      'kill -9 of the leader in the middle of a renewal of its lease, which arrives late',
      async () => {
        const leader = await eventually('there is a leader', () => cluster.leader());
        leader.partition();
        await eventually('a renewal is under way', () => leader.sends('/kube-system/skypod-control-plane'));
        await leader.kill();
        await eventually('another leads', () => ![undefined, leader].includes(cluster.leader()));
        await leader.heal();
        await scale('under the next leader');
        leader.start();
        await leader.ready();
      },
    ],
    [
      'kill -9 of leaders as they begin',
      async () => {
        const killed: ControlPlane[] = [];
        while (killed.length < 2) {
          const next = await eventually('there is a leader', () => cluster.leader(), { intervalMs: 2 });
          await next.kill();
          killed.push(next);
        }
        for (const plane of killed) plane.start();
        for (const plane of killed) await plane.ready();
        await scale('after leaders died as they began');
      },
    ],
    [
      'kill -9 while watches of etcd begin anew',
      async () => {
        for (const plane of planes) {
          plane.cut();
          await pause(Math.random() * 60);
          await restart(plane, `control plane ${plane.index}, while its watch began anew,`);
        }
      },
    ],
    [
      'each of etcd’s members hangs for seconds, the one that leads among them',
      async () => {
        for (const member of [0, 1, 2]) {
          await etcd.pause(member);
          await pause(3_000);
          await progress(`while etcd member ${member} hangs for long`, 10);
          etcd.resume(member);
          await progress(`when etcd member ${member} goes on`, 10);
        }
      },
    ],
    [
      'clocks are set while they lead and follow',
      async () => {
        for (const what of ['forward', 'back', 'right']) {
          for (const plane of planes) plane.setClock();
          await scale(`with clocks set ${what}`);
          await progress(`with clocks set ${what}`);
        }
      },
    ],
  );
  const endMs = Date.now() + faultsMs;
  for (let round = 0; round === 0 || Date.now() < endMs; round++) {
    if (seed !== undefined) shuffle(faults, `${seed}/${round}`);
    for (const [name, fault] of faults) {
      if (!wanted.test(name)) continue;
      const startedMs = Date.now();
      await fault();
      say(`${name}: over after ${Date.now() - startedMs} ms, ${acknowledged()} writes acknowledged`);
    }
  }
  stop.abort();
  await Promise.all([...writers, ...observers, ...pagers]);

  const { history } = await wholeHistory(recorder, store);
  problems.push(...(await checkRecorder(recorder, store)), ...checkJournal(journal, history));
  for (const session of sessions) problems.push(...checkSession(session, history));
  for (const list of lists) problems.push(...checkList(list, history));
  problems.push(...checkTerms(planes));
  const unknown = journal.filter(({ outcome }) => outcome === 'unknown');
  const events = sessions.reduce((sum, session) => sum + session.events.length, 0);
  say(
    `${journal.length} writes (${acknowledged()} acknowledged, ${unknown.length} unknown), ${history.length} changes, ` +
      `${sessions.length} lists, ${lists.length} in pages, ${events} watch events, ${planes.flatMap(leaderTerms).length} terms`,
  );
  const ends = planes.map(stepDowns);
  say(
    `leaders that lost their lease led on for ${ends.flatMap(({ tookMs }) => tookMs).join(', ') || 'no'} ms; ` +
      `${ends.reduce((sum, { forced }) => sum + forced, 0)} had to end themselves`,
  );
  assert.deepEqual(problems.slice(0, 20), [], `${problems.length} problems`);
  assert.ok(acknowledged() > 100, 'there was something to check');
  assert.ok(events > 500, 'and to watch');
  assert.ok(
    lists.some(({ pages }) => pages > 1),
    'and to list',
  );
}

const timesLost = (plane: ControlPlane): number => plane.log().filter(({ msg }) => msg === 'lost the lease').length;

function shuffle(list: unknown[], by: string): void {
  for (let index = list.length - 1; index > 0; index--) {
    const other = createHash('sha256').update(`${by}/${index}`).digest().readUInt32BE() % (index + 1);
    [list[index], list[other]] = [list[other], list[index]];
  }
}

async function wholeHistory(recorder: Recorder, store: Store): Promise<Recorder> {
  const upTo = await store.currentRevision();
  await eventually('everything is recorded', () => {
    if (recorder.error !== undefined) throw recorder.error;
    return recorder.revision >= upTo;
  });
  return recorder;
}

/**
 * A busy machine may let a leader notice late that it is none any more; what it still tries to write by then is refused
 * by the store (`store/fenced-store.test.ts`).
 */
const noticedWithinMs = leaseDurationMs / 2;

/** Terms of different leaders must not overlap, however they ended. */
function checkTerms(planes: ControlPlane[]): string[] {
  const terms = planes
    .flatMap((plane) => leaderTerms(plane).map((term) => ({ ...term, plane: plane.index })))
    .sort((a, b) => a.startMs - b.startMs);
  const problems: string[] = [];
  for (const [index, term] of terms.slice(1).entries()) {
    const before = terms[index]!;
    if (term.startMs < before.endMs - noticedWithinMs)
      problems.push(`control plane ${term.plane} led while ${before.plane} did, by ${before.endMs - term.startMs} ms`);
  }
  return problems;
}

async function onAny(planes: ControlPlane[], method: 'GET' | 'POST' | 'PATCH', path: string, body?: unknown) {
  return eventually(
    `${method} ${path}`,
    async () => {
      const { transport } = planes[Math.floor(Math.random() * planes.length)]!;
      const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
      return transport.request<any>({ method, path, contentType, ...(body !== undefined && { body }) });
    },
    { retryErrors: true, timeoutMs: patienceMs },
  );
}

/** Of an error that a control plane answers with; undefined for anything else. */
async function codeOf({ transport }: ControlPlane, path: string): Promise<number | undefined> {
  try {
    await transport.request({ method: 'GET', path });
  } catch (error) {
    if (error instanceof StatusError) return error.code;
  }
  return undefined;
}

async function readyReplicas(planes: ControlPlane[]): Promise<number> {
  const { status } = await onAny(planes, 'GET', deployment);
  return status.replicas === status.readyReplicas ? status.readyReplicas : -1;
}

function newDeployment() {
  const labels = { app: 'steady' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'steady' },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'example.test/steady' }] } },
    },
  };
}
