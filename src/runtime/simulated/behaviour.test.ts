import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ManualClock } from '../../base/clock.ts';
import type { ContainerConfig, PodSandboxConfig, SandboxRuntime } from '../sandbox-runtime.ts';
import { behaviourWords, imageWords, parseBehaviour } from './behaviour.ts';
import { planProgram } from './program.ts';
import { createSimulatedRuntime } from './simulated-runtime.ts';

const directory = mkdtempSync(join(tmpdir(), 'skypod-behaviour-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('the annotation of a container wins over that of the pod, which wins over the image', () => {
  const annotations = { 'skypod.io/simulate': 'exit=1', 'skypod.io/simulate.web': 'exit=2' };
  assert.equal(behaviourWords('web', 'example/simulate:exit-3', annotations), 'exit=2');
  assert.equal(behaviourWords('db', 'example/simulate:exit-3', annotations), 'exit=1');
  assert.equal(behaviourWords('db', 'example/simulate:exit-3_after-2s', {}), 'exit=3 after=2s');
  assert.equal(imageWords('example/other:exit-3'), '');
});

test('words say when and how it ends', () => {
  assert.deepEqual(parseBehaviour('exit=1 after=2s').end, { atMs: 2000, exitCode: 1, reason: 'Error' });
  assert.deepEqual(parseBehaviour('exit=0').end, { atMs: 0, exitCode: 0, reason: 'Completed' });
  assert.deepEqual(parseBehaviour('oom after=1m').end, { atMs: 60_000, exitCode: 137, reason: 'OOMKilled' });
  assert.equal(parseBehaviour('run').end, undefined);
  assert.deepEqual(parseBehaviour('log="a b" log=c').logLines, ['a b', 'c']);
  assert.throws(() => parseBehaviour('exits=1'), /unknown word "exits"/);
  assert.throws(() => parseBehaviour('exit=soon'), /not a whole number/);
  assert.throws(() => parseBehaviour('exit=1 after=later'), /not a duration/);
  assert.throws(() => parseBehaviour('pull=never'), /not a kind of failure/);
});

test('simple commands are understood, anything else runs for ever', () => {
  const context = { environment: { WHO: 'you' }, hostname: 'here' };
  const plan = (script: string) => planProgram(['sh', '-c', script], context);
  assert.deepEqual(plan('echo "hi $WHO"; sleep 2; echo \'$WHO\' >&2; exit 3'), {
    outputs: [
      { atMs: 0, stream: 'stdout', text: 'hi you\n' },
      { atMs: 2000, stream: 'stderr', text: '$WHO\n' },
    ],
    end: { atMs: 2000, exitCode: 3 },
  });
  assert.equal(plan('false && exit 4 || exit 5').end?.exitCode, 5);
  assert.equal(plan('true; false').end?.exitCode, 1);
  for (const server of ['nginx -g "daemon off;"', 'while true; do date; done', 'sleep infinity', 'cat /x | grep y']) {
    assert.equal(plan(server).end, undefined, server);
  }
  assert.equal(planProgram([], context).end, undefined);
  assert.equal(planProgram(['sleep', '5'], context).end?.atMs, 5000);
});

test('latencies and ends follow the clock', async () => {
  const clock = new ManualClock(1_000_000);
  const runtime = createSimulatedRuntime({ clock, latencies: { sandboxMs: 100, pullMs: 1000 } });
  const pull = track(runtime.pullImage('busybox'));
  clock.advance(999);
  assert.equal(await pull(), undefined);
  clock.advance(1);
  assert.equal((await pull())?.repoTags[0], 'busybox');
  const sandbox = track(runtime.runPodSandbox(sandboxConfig('pod')));
  clock.advance(100);
  const id = await startContainer(runtime, (await sandbox())!, {
    'skypod.io/simulate': 'exit=7 after=3s log=x every=1s',
  });
  clock.advance(2999);
  assert.equal((await runtime.containerStatus(id))?.state, 'running');
  clock.advance(1);
  const state = (await runtime.containerStatus(id))!;
  assert.deepEqual([state.state, state.exitCode, state.finishedAt], ['exited', 7, 1_004_100]);
  assert.equal(readFileSync(state.logPath, 'utf8').split('\n').length - 1, 4);
  await runtime.close();
});

test('what ended while no host ran is told in retrospect, and no log line twice', async () => {
  const clock = new ManualClock(5_000_000);
  const stateDirectory = join(directory, 'state');
  const first = createSimulatedRuntime({ clock, stateDirectory });
  await first.pullImage('busybox');
  const sandboxId = await first.runPodSandbox(sandboxConfig('kept'));
  const id = await startContainer(first, sandboxId, { 'skypod.io/simulate': 'exit=0 after=10s log=tick every=4s' });
  clock.advance(5000);
  await first.close();
  clock.advance(60_000);
  const second = createSimulatedRuntime({ clock, stateDirectory });
  const state = (await second.containerStatus(id))!;
  assert.deepEqual([state.state, state.reason, state.finishedAt], ['exited', 'Completed', 5_010_000]);
  assert.equal(readFileSync(state.logPath, 'utf8').split('\n').length - 1, 3);
  assert.equal((await second.imageStatus('busybox'))?.repoTags[0], 'busybox');
  await second.removePodSandbox(sandboxId);
  await second.close();
  assert.deepEqual(await createSimulatedRuntime({ clock, stateDirectory }).listPodSandboxes(), []);
});

/** Answers with the value once there is one, and does not wait for it. */
function track<Value>(promise: Promise<Value>): () => Promise<Value | undefined> {
  return () => Promise.race([promise, new Promise<undefined>((resolve) => setImmediate(resolve, undefined))]);
}

function sandboxConfig(uid: string): PodSandboxConfig {
  return {
    metadata: { tenant: 'acme', namespace: 'shop', name: uid, uid, attempt: 0 },
    hostname: uid,
    logDirectory: join(directory, 'logs', uid),
    dns: { servers: [], searches: [], options: [] },
    labels: {},
    annotations: {},
    cgroupParent: '/skypod',
    runtimeHandler: '',
    resources: {},
  };
}

async function startContainer(runtime: SandboxRuntime, sandboxId: string, annotations: Record<string, string>) {
  const config: Partial<ContainerConfig> = {
    metadata: { name: 'main', attempt: 0 },
    image: 'busybox',
    envs: [],
    labels: {},
    annotations,
    logPath: 'main/0.log',
  };
  const id = await runtime.createContainer(sandboxId, config as ContainerConfig, sandboxConfig('unused'));
  await runtime.startContainer(id);
  return id;
}
