import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ContractBench } from '../contract/harness.ts';
import type { CriRuntime } from './cri-runtime.ts';
import { containerdPaths } from './paths.ts';
import { type CriTestBench, cannotRunContainers, makeCriTestBench } from './testing/test-bench.ts';

describe('a containerd of our own', { skip: cannotRunContainers() ?? false }, () => {
  let bench: ContractBench;
  let harness: CriTestBench;
  const runtime = () => bench.runtime as CriRuntime;

  before(async () => {
    harness = await makeCriTestBench();
    bench = await ContractBench.open(harness);
  });
  after(() => harness.dispose(bench.runtime));

  test('containers live on while containerd dies, is started again, and finds them', async () => {
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['sh', '-c', 'sleep 1000']);
    const killed = runtime().containerdPid!;
    process.kill(killed, 'SIGKILL');
    await bench.waitFor(async () => runtime().containerdPid !== killed && (await runtime().ready()).ready);
    assert.equal((await runtime().containerStatus(id))?.state, 'running');
    assert.equal((await runtime().listPodSandboxes())[0].state, 'ready');
    assert.equal((await runtime().execSync(id, ['sh', '-c', 'exit 4'], 10)).exitCode, 4);
    // A container started now joins the same network as those from before.
    const late = await bench.start(pod, ['sleep', '1000'], { metadata: { name: 'late', attempt: 0 } });
    const { stdout } = await runtime().execSync(late, ['readlink', '/proc/self/ns/net'], 10);
    assert.equal(String(stdout), `net:[${harness.networkInode(pod.uid)}]\n`);
    const events: string[] = [];
    runtime().onEvent(({ podUid }) => events.push(podUid));
    await runtime()
      .execSync(id, ['kill', '-9', '1'], 10)
      .catch(() => {});
    await runtime().stopContainer(id, 0);
    await bench.waitFor(async () => events.includes(pod.uid));
    await bench.removePods();
  });

  test('a host killed in the middle leaves a containerd that the next one adopts', async () => {
    const pod = await bench.runPod();
    const id = await bench.start(pod, ['sleep', '1000']);
    await bench.runtime.close();
    const script = `
      import { createCriRuntime } from ${JSON.stringify(join(import.meta.dirname, 'cri-runtime.ts'))};
      const runtime = await createCriRuntime({ dataDirectory: process.argv[1] });
      console.log(runtime.containerdPid, (await runtime.listContainers()).length);
    `;
    const host = spawn(process.execPath, ['--input-type=module-typescript', '-e', script, harness.dataDirectory]);
    const [pid, containers] = (await firstLine(host)).split(' ').map(Number);
    host.kill('SIGKILL');
    await new Promise((resolve) => host.on('exit', resolve));
    assert.equal(containers, 1);
    await bench.reopen();
    assert.equal(runtime().containerdPid, pid);
    assert.equal((await runtime().containerStatus(id))?.state, 'running');
    await bench.removePods();
  });

  test('removed pods leave no mount, namespace file, cgroup or process behind', async () => {
    const pod = await bench.runPod({ resources: { memoryLimitBytes: 64 << 20, cpuShares: 256 } });
    const id = await bench.start(pod, ['sleep', '1000']);
    const paths = containerdPaths(harness.dataDirectory);
    const mounts = () => readFileSync(`/proc/${runtime().containerdPid}/mountinfo`, 'utf8');
    assert.ok(mounts().includes(pod.sandboxId));
    assert.ok(cgroupsOf(pod.uid).length > 0);
    await bench.runtime.removePodSandbox(pod.sandboxId);
    for (const trace of [pod.sandboxId, id, 'netns/cni']) assert.ok(!mounts().includes(trace), trace);
    assert.deepEqual(readdirSync(join(paths.state, 'io.containerd.grpc.v1.cri/netns')), []);
    assert.deepEqual(readdirSync(paths.preparedNetworks), []);
    assert.deepEqual(cgroupsOf(pod.uid), []);
    assert.ok(existsSync(harness.networkPath(pod.uid)), 'the namespace is not ours to remove');
    await bench.waitFor(async () => shimsOf(pod.sandboxId).length === 0);
    await bench.removePods();
  });

  test('volumes mounted by the host later reach running containers', async () => {
    const shared = join(harness.directory, 'shared');
    const other = await makeCriTestBench({ sharedDirectory: shared });
    const otherBench = await ContractBench.open(other);
    try {
      const volume = join(shared, 'volume');
      mkdirSync(volume, { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', volume]);
      writeFileSync(join(volume, 'file'), 'in memory');
      const pod = await otherBench.runPod();
      const mounts = [{ containerPath: '/volume', hostPath: volume, readonly: false, propagation: 'private' as const }];
      const id = await otherBench.start(pod, ['sleep', '1000'], { mounts });
      const { stdout } = await otherBench.runtime.execSync(id, ['cat', '/volume/file'], 10);
      assert.equal(String(stdout), 'in memory');
      await otherBench.removePods();
    } finally {
      await other.dispose(otherBench.runtime);
    }
    assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(shared));
  });
});

function cgroupsOf(uid: string): string[] {
  return ['', ...readdirSync('/sys/fs/cgroup')]
    .map((controller) => join('/sys/fs/cgroup', controller, `skypod-test-${process.pid}`, uid))
    .filter((directory) => existsSync(directory));
}

/** Shims name their pod on their command line. */
function shimsOf(sandboxId: string): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(sandboxId);
    } catch {
      return false;
    }
  });
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    let errors = '';
    child.stderr!.on('data', (chunk) => (errors += chunk));
    child.stdout!.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n')) resolve(text.split('\n')[0]);
    });
    child.on('exit', (code) => reject(new Error(`the host ended with ${code}: ${errors}`)));
  });
}
