import assert from 'node:assert/strict';
import type { AddTest } from './add-test.ts';

export function sandboxTests(add: AddTest): void {
  add('says what it is and that it is ready', async ({ runtime }) => {
    const { runtimeName, runtimeVersion } = await runtime.version();
    assert.notEqual(runtimeName, '');
    assert.notEqual(runtimeVersion, '');
    assert.deepEqual(await runtime.ready(), { ready: true });
  });

  add('lists a sandbox as it was asked for, until it is removed', async (bench) => {
    const labels = { app: 'shop' };
    const annotations = { 'example.com/note': 'kept "as is"' };
    const before = Date.now();
    const pod = await bench.runPod({ labels, annotations });
    const [sandbox] = await bench.runtime.listPodSandboxes();
    assert.equal(sandbox.id, pod.sandboxId);
    assert.deepEqual({ ...sandbox.metadata }, pod.config.metadata);
    assert.equal(sandbox.state, 'ready');
    assert.deepEqual({ ...sandbox.labels }, labels);
    assert.deepEqual({ ...sandbox.annotations }, annotations);
    assert.ok(sandbox.createdAt >= before - 1000 && sandbox.createdAt <= Date.now() + 1000);
    await bench.runtime.stopPodSandbox(pod.sandboxId);
    assert.equal((await bench.runtime.listPodSandboxes())[0].state, 'notReady');
    await bench.runtime.removePodSandbox(pod.sandboxId);
    assert.deepEqual(await bench.runtime.listPodSandboxes(), []);
  });

  add('stopping a sandbox ends its containers and admits no new one', async (bench) => {
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['sleep', '1000']);
    await bench.runtime.stopPodSandbox(pod.sandboxId);
    assert.equal((await bench.waitForExit(id)).exitCode, 137);
    await assert.rejects(bench.start(pod, ['sleep', '1000'], { metadata: { name: 'late', attempt: 0 } }));
  });

  add('removing a sandbox removes its containers', async (bench) => {
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['sleep', '1000']);
    await bench.runtime.removePodSandbox(pod.sandboxId);
    assert.equal(await bench.runtime.containerStatus(id), undefined);
    assert.deepEqual(await bench.runtime.listContainers(), []);
  });

  add('stopping and removing what is gone succeeds', async (bench) => {
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['sleep', '1000']);
    for (let time = 0; time < 2; time++) {
      await bench.runtime.stopContainer(id, 0);
      await bench.runtime.removeContainer(id);
      await bench.runtime.stopPodSandbox(pod.sandboxId);
      await bench.runtime.removePodSandbox(pod.sandboxId);
    }
    const unknown = 'f'.repeat(64);
    await bench.runtime.stopContainer(unknown, 1);
    await bench.runtime.removeContainer(unknown);
    await bench.runtime.stopPodSandbox(unknown);
    await bench.runtime.removePodSandbox(unknown);
    assert.equal(await bench.runtime.containerStatus(unknown), undefined);
  });

  add('a pod may have a second sandbox after its first', async (bench) => {
    const first = await bench.runPod();
    await bench.runtime.stopPodSandbox(first.sandboxId);
    const metadata = { ...first.config.metadata, attempt: 1 };
    const second = await bench.runPod({ metadata, networkNamespacePath: first.config.networkNamespacePath });
    assert.notEqual(second.sandboxId, first.sandboxId);
    const attempts = (await bench.runtime.listPodSandboxes()).map((sandbox) => sandbox.metadata.attempt);
    assert.deepEqual(attempts.sort(), [0, 1]);
    await bench.runtime.removePodSandbox(first.sandboxId);
    const id = await bench.start(second, ['sleep', '1000']);
    assert.equal((await bench.runtime.containerStatus(id))?.state, 'running');
  });

  add('a restarted host finds sandboxes, containers and what happened meanwhile', async (bench) => {
    const pod = await bench.runPod({ labels: { app: 'shop' } });
    const running = await bench.start(pod, ['sleep', '1000'], { labels: { tier: 'web' } });
    const ending = await bench.start(pod, ['sh', '-c', 'sleep 0.3; exit 5'], { metadata: { name: 'job', attempt: 2 } });
    await bench.reopen();
    const [sandbox] = await bench.runtime.listPodSandboxes();
    assert.equal(sandbox.id, pod.sandboxId);
    assert.deepEqual({ ...sandbox.metadata }, pod.config.metadata);
    const states = new Map((await bench.runtime.listContainers()).map((state) => [state.id, state]));
    assert.equal(states.get(running)?.state, 'running');
    assert.equal(states.get(running)?.podUid, pod.uid);
    assert.equal(states.get(running)?.labels.tier, 'web');
    const ended = await bench.waitForExit(ending);
    assert.equal(ended.exitCode, 5);
    assert.equal(ended.attempt, 2);
    assert.equal((await bench.runtime.execSync(running, ['sh', '-c', 'exit 4'], 10)).exitCode, 4);
    await bench.runtime.stopContainer(running, 0);
  });

  add('tells of every change with the uid of the pod', async (bench) => {
    const uids: string[] = [];
    const unsubscribe = bench.runtime.onEvent(({ podUid }) => uids.push(podUid));
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['sh', '-c', 'sleep 0.2; exit 0']);
    // The event of the end comes by itself, and the state is there to be read when it does.
    await bench.waitFor(async () => (await bench.runtime.containerStatus(id))?.state === 'running');
    uids.length = 0;
    await bench.waitFor(async () => uids.length > 0);
    assert.equal(uids[0], pod.uid);
    assert.equal((await bench.waitForExit(id)).exitCode, 0);
    unsubscribe();
    uids.length = 0;
    await bench.runtime.removePodSandbox(pod.sandboxId);
    assert.deepEqual(uids, []);
  });
}
