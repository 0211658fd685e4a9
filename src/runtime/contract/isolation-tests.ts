import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { ContainerConfig } from '../sandbox-runtime.ts';
import type { AddTest } from './add-test.ts';
import type { ContractBench, TestPod } from './harness.ts';

type Security = Partial<ContainerConfig['security']>;

export function isolationTests(add: AddTest): void {
  add(
    'hostname, DNS and environment are as asked for',
    async (bench) => {
      const pod = await bench.runPod();
      const envs = [{ key: 'GREETING', value: 'a "b" $c\n' }];
      const script = 'hostname; cat /etc/resolv.conf; printf "%s" "$GREETING"; pwd';
      const output = await outputOf(bench, pod, script, { envs, workingDir: '/tmp' });
      assert.match(output, /^contract-host\n/);
      for (const line of ['nameserver 10.96.0.10', 'search shop.svc.cluster.local', 'options ndots:5']) {
        assert.ok(output.includes(`${line}\n`), output);
      }
      assert.ok(output.endsWith('a "b" $c\n/tmp\n'), output);
    },
    'processes',
  );

  add(
    'containers run in the prepared network namespace',
    async (bench) => {
      const pod = await bench.runPod();
      const inode = statSync(pod.config.networkNamespacePath!).ino;
      const output = await outputOf(bench, pod, 'readlink /proc/self/ns/net');
      assert.equal(output, `net:[${inode}]\n`);
    },
    'processes',
  );

  add(
    'a container is privileged where its sandbox lets it be',
    async (bench) => {
      const security = { ...bench.containerConfig().security, privileged: true };
      const capabilities = 'grep CapEff /proc/self/status';
      const pod = await bench.runPod({ privileged: true });
      const { size } = new Set(
        await Promise.all([
          outputOf(bench, pod, capabilities, { metadata: { name: 'all', attempt: 0 }, security }),
          outputOf(bench, pod, capabilities, { metadata: { name: 'few', attempt: 0 } }),
        ]),
      );
      assert.equal(size, 2);
      const plain = await bench.runPod();
      await assert.rejects(bench.create(plain, { command: ['true'], security }), /privileged/);
    },
    'processes',
  );

  add('command replaces the entry point, args the arguments', async (bench) => {
    const pod = await bench.runPod();
    const { logPath } = await bench.runToEnd(pod, ['echo', 'one'], { args: ['two', 'three four'] });
    const [row] = await bench.waitForLog(logPath, (rows) => rows.length > 0);
    assert.match(row, / F one two three four$/);
  });

  add(
    'volumes are mounted, writable or not',
    async (bench) => {
      const pod = await bench.runPod();
      const volume = `${bench.harness.directory}/volume`;
      mkdirSync(volume, { recursive: true });
      writeFileSync(`${volume}/greeting`, 'hello');
      const mounts = [
        { containerPath: '/data', hostPath: volume, readonly: false, propagation: 'private' as const },
        { containerPath: '/fixed', hostPath: volume, readonly: true, propagation: 'private' as const },
        {
          containerPath: '/etc/greeting',
          hostPath: `${volume}/greeting`,
          readonly: true,
          propagation: 'private' as const,
        },
      ];
      const script = 'cat /etc/greeting; echo written > /data/file; echo x > /fixed/file || echo refused';
      const output = await outputOf(bench, pod, script, { mounts });
      assert.match(output, /^hello/);
      assert.match(output, /refused\n$/);
      assert.equal(readFileSync(`${volume}/file`, 'utf8'), 'written\n');
    },
    'processes',
  );

  add(
    'user, groups and capabilities are as asked for',
    async (bench) => {
      const pod = await bench.runPod();
      const asUser: Security = { runAsUser: 1234, runAsGroup: 2345, supplementalGroups: [3456] };
      const ids = 'id -u; id -g; cat /proc/self/status';
      const user = await outputOf(bench, pod, ids, { security: asUser });
      assert.match(user, /^1234\n2345\n/);
      assert.match(user, /Groups:\s(.*\s)?3456\b/);
      assert.match(user, /CapEff:\s0{16}\n/);
      assert.match(user, /Seccomp:\s2\n/);
      assert.match(user, /NoNewPrivs:\s0\n/);
      const bit = (name: string, capability: number, text: string) => {
        const mask = BigInt(`0x${new RegExp(`${name}:\\s([0-9a-f]+)`).exec(text)?.[1]}`);
        return (mask >> BigInt(capability)) & 1n;
      };
      const changed: Security = {
        addCapabilities: ['NET_ADMIN'],
        dropCapabilities: ['CAP_CHOWN'],
        noNewPrivileges: true,
        seccompProfile: { type: 'Unconfined' },
      };
      const root = await outputOf(bench, pod, ids, { security: changed });
      assert.match(root, /^0\n0\n/);
      assert.deepEqual([bit('CapEff', 12, root), bit('CapEff', 0, root), bit('CapEff', 1, root)], [1n, 0n, 1n]);
      assert.match(root, /NoNewPrivs:\s1\n/);
      assert.match(root, /Seccomp:\s0\n/);
    },
    'processes',
  );

  add(
    'a read-only root directory refuses writes',
    async (bench) => {
      const pod = await bench.runPod();
      const security: Security = { readonlyRootfs: true };
      assert.equal(await outputOf(bench, pod, 'echo x > /file || echo refused', { security }), 'refused\n');
    },
    'processes',
  );

  add(
    'containers see one another only in a shared process namespace',
    async (bench) => {
      const apart = await bench.runPod();
      const together = await bench.runPod({ shareProcessNamespace: true });
      const other = { metadata: { name: 'other', attempt: 0 } };
      await bench.start(apart, ['sleep', '4321'], other);
      await bench.start(together, ['sleep', '4321'], { ...other, ...withSecurity({ pidNamespace: 'pod' }) });
      const script = 'ps -o args | grep -c "[s]leep 4321"';
      assert.equal(await outputOf(bench, apart, script), '0\n');
      assert.equal(await outputOf(bench, together, script, { security: { pidNamespace: 'pod' } }), '1\n');
    },
    'processes',
  );

  add(
    'limits reach the kernel and can be changed',
    async (bench) => {
      const pod = await bench.runPod({ resources: { memoryLimitBytes: 128 << 20, cpuShares: 512 } });
      const resources = { memoryLimitBytes: 64 << 20, cpuQuota: 50_000, cpuPeriod: 100_000, cpuShares: 256 };
      const id = await bench.start(pod, ['sleep', '1000'], { resources });
      const limit = async () => {
        const script =
          'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max; ' +
          'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d" " -f1 /sys/fs/cgroup/cpu.max';
        return String((await bench.runtime.execSync(id, ['sh', '-c', script], 10)).stdout);
      };
      assert.equal(await limit(), `${64 << 20}\n50000\n`);
      await bench.runtime.updateContainerResources(id, { ...resources, memoryLimitBytes: 96 << 20, cpuQuota: 70_000 });
      assert.equal(await limit(), `${96 << 20}\n70000\n`);
    },
    'processes',
  );
}

/** Runs a shell script as a container and answers with its output, both streams. */
async function outputOf(
  bench: ContractBench,
  pod: TestPod,
  script: string,
  changes: Partial<Omit<ContainerConfig, 'security'>> & { security?: Security } = {},
): Promise<string> {
  const attempt = (await bench.runtime.listContainers()).length;
  const { logPath } = await bench.runToEnd(pod, ['sh', '-c', `(${script}) 2>/dev/null; echo; echo end-of-output`], {
    metadata: { name: 'script', attempt },
    ...(changes as Partial<ContainerConfig>),
  });
  const rows = await bench.waitForLog(logPath, (found) => found.at(-1)?.endsWith(' end-of-output') ?? false);
  const texts = rows.map((row) => row.split(' ').slice(3).join(' ') + (row.split(' ')[2] === 'F' ? '\n' : ''));
  return texts.join('').slice(0, -'\nend-of-output\n'.length);
}

function withSecurity(security: Security): Partial<ContainerConfig> {
  return { security: security as ContainerConfig['security'] };
}
