import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import type { AddTest } from './add-test.ts';

/** RFC 3339 with nanoseconds less their trailing zeros, stream, P(artial) or F(ull), text: the CRI log format. */
const LOG_LINE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d) (stdout|stderr) ([PF]) (.*)$/;

export function containerTests(add: AddTest): void {
  add('a container goes from created to running to exited', async (bench) => {
    const pod = await bench.runPod();
    const labels = { tier: 'web' };
    const annotations = { 'example.com/hash': '12' };
    const before = Date.now() - 1000;
    const id = await bench.create(pod, { command: ['sleep', '1000'], labels, annotations });
    const created = await bench.runtime.containerStatus(id);
    assert.equal(created?.state, 'created');
    assert.equal(created?.sandboxId, pod.sandboxId);
    assert.equal(created?.podUid, pod.uid);
    assert.equal(created?.name, 'main');
    assert.equal(created?.attempt, 0);
    assert.equal(created?.exitCode, undefined);
    assert.equal(created?.startedAt, undefined);
    assert.deepEqual({ ...created?.labels }, labels);
    assert.deepEqual({ ...created?.annotations }, annotations);
    assert.match(created!.imageRef, /@sha256:[0-9a-f]{64}$/);
    assert.equal(created?.logPath, `${pod.config.logDirectory}/main/0.log`);
    await bench.runtime.startContainer(id);
    const [running] = await bench.runtime.listContainers();
    assert.equal(running.state, 'running');
    assert.ok(running.startedAt! >= before);
    await bench.runtime.stopContainer(id, 0);
    const [exited] = await bench.runtime.listContainers();
    assert.equal(exited.state, 'exited');
    assert.equal(exited.exitCode, 137);
    assert.equal(exited.reason, 'Error');
    assert.ok(exited.finishedAt! >= running.startedAt!);
    await bench.runtime.removeContainer(id);
    assert.deepEqual(await bench.runtime.listContainers(), []);
  });

  add('exit codes and reasons are those of the command', async (bench) => {
    const pod = await bench.runPod();
    const succeeded = await bench.runToEnd(pod, ['true']);
    assert.deepEqual([succeeded.exitCode, succeeded.reason], [0, 'Completed']);
    const failed = await bench.runToEnd(pod, ['sh', '-c', 'exit 3'], { metadata: { name: 'main', attempt: 1 } });
    assert.deepEqual([failed.exitCode, failed.reason, failed.attempt], [3, 'Error', 1]);
  });

  add('a command that does not exist fails the start and says so in the state', async (bench) => {
    const pod = await bench.runPod();
    const annotations = { 'skypod.io/simulate': 'start="/does-not-exist: no such file or directory"' };
    const id = await bench.create(pod, { command: ['/does-not-exist'], annotations });
    await assert.rejects(bench.runtime.startContainer(id), /does-not-exist/);
    const state = await bench.waitForExit(id);
    assert.deepEqual([state.exitCode, state.reason], [128, 'StartError']);
    assert.match(state.message ?? '', /does-not-exist/);
  });

  add('an image that is not there fails the creation', async (bench) => {
    const pod = await bench.runPod();
    await assert.rejects(bench.create(pod, { image: 'example.invalid/never/pulled:1', command: ['true'] }));
  });

  add('logs are in CRI format, by stream', async (bench) => {
    const pod = await bench.runPod();
    const envs = [{ key: 'WHO', value: 'world' }];
    const script = 'echo "hello $WHO"; echo oops >&2; printf "no newline"';
    const { logPath } = await bench.runToEnd(pod, ['sh', '-c', script], { envs });
    const rows = await bench.waitForLog(logPath, (found) => found.length >= 3);
    const parsed = rows.map((row) => LOG_LINE.exec(row)?.slice(1));
    const on = (stream: string) => parsed.filter((row) => row?.[0] === stream).map((row) => row?.slice(1).join(' '));
    assert.deepEqual(on('stdout'), ['F hello world', 'P no newline']);
    assert.deepEqual(on('stderr'), ['F oops']);
  });

  add('a rotated log goes on in a new file', async (bench) => {
    const pod = await bench.runPod();
    const annotations = { 'skypod.io/simulate': 'log=tick every=20ms' };
    const script = 'while true; do echo tick; sleep 0.02; done';
    const id = await bench.start(pod, ['sh', '-c', script], { annotations });
    const { logPath } = (await bench.runtime.containerStatus(id))!;
    await bench.waitFor(async () => existsSync(logPath) && readFileSync(logPath, 'utf8').includes('tick'));
    renameSync(logPath, `${logPath}.1`);
    await bench.runtime.reopenContainerLog(id);
    assert.ok(existsSync(logPath));
    await bench.waitFor(async () => readFileSync(logPath, 'utf8').includes('tick'));
  });

  add('stopping waits for SIGTERM to be heeded, then kills', async (bench) => {
    const pod = await bench.runPod();
    const polite = await bench.start(pod, ['sh', '-c', 'trap "exit 9" TERM; while true; do sleep 0.05; done'], {
      annotations: { 'skypod.io/simulate': 'term=9' },
    });
    const deaf = await bench.start(pod, ['sleep', '1000'], {
      metadata: { name: 'deaf', attempt: 0 },
      annotations: { 'skypod.io/simulate': 'term=ignore run' },
    });
    // The trap is set by the time the shell runs its loop.
    await bench.waitFor(async () => (await bench.runtime.containerStatus(polite))?.state === 'running');
    await new Promise((resolve) => setTimeout(resolve, 200));
    await Promise.all([bench.runtime.stopContainer(polite, 30), bench.runtime.stopContainer(deaf, 1)]);
    assert.equal((await bench.runtime.containerStatus(polite))?.exitCode, 9);
    assert.equal((await bench.runtime.containerStatus(deaf))?.exitCode, 137);
  });

  add('a container that uses up its memory is OOMKilled', async (bench) => {
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['sh', '-c', 'tail /dev/zero'], {
      resources: { memoryLimitBytes: 16 << 20 },
      annotations: { 'skypod.io/simulate': 'oom after=50ms' },
    });
    const state = await bench.waitFor(async () => {
      const now = await bench.runtime.containerStatus(id);
      return now?.state === 'exited' && now.reason === 'OOMKilled' ? now : undefined;
    });
    assert.equal(state.exitCode, 137);
  });

  add('stats tell CPU time and memory of what runs', async (bench) => {
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['sleep', '1000']);
    await bench.runToEnd(pod, ['true'], { metadata: { name: 'done', attempt: 0 } });
    const row = await bench.waitFor(async () => {
      const rows = await bench.runtime.stats();
      assert.ok(rows.every((candidate) => candidate.containerId === id));
      return rows.find((candidate) => candidate.cpuUsageCoreNanoSeconds > 0n && candidate.memoryWorkingSetBytes > 0);
    });
    assert.deepEqual([row.podUid, row.name], [pod.uid, 'main']);
    assert.ok(Math.abs(row.timestamp - Date.now()) < 60_000);
    const later = await bench.waitFor(async () => {
      const [candidate] = await bench.runtime.stats();
      return candidate.timestamp > row.timestamp ? candidate : undefined;
    });
    assert.ok(later.cpuUsageCoreNanoSeconds >= row.cpuUsageCoreNanoSeconds);
  });
}
