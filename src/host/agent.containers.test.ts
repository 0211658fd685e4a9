import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { ContainerInstance } from '../api/pool.ts';
import { CONTAINER_INSTANCES } from '../api/resources.ts';
import { until } from '../base/testing/until.ts';
import { SYSTEM_TENANT } from '../client/client.ts';
import { cannotRunContainers, makeCriTestBench } from '../runtime/cri/testing/test-bench.ts';
import { clearHost } from './clear-host.ts';
import { createBench, TENANT } from './testing/bench.ts';
import { mountPoints } from './volumes/mounts.ts';

const skip = process.getuid?.() === 0 ? (cannotRunContainers() ?? false) : 'needs root';
const WAIT_MS = 60_000;
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('the host agent on containerd', { skip }, async () => {
  if (skip !== false) return;
  const directory = mkdtempSync(join(tmpdir(), 'skypod-agent-'));
  const dataDirectory = join(directory, 'host');
  const cri = await makeCriTestBench({ sharedDirectory: dataDirectory });
  const runtime = await cri.open();
  const bench = createBench(runtime);
  const network = bench.network;
  const { setUp, tearDown } = { setUp: network.setUp.bind(network), tearDown: network.tearDown.bind(network) };
  network.setUp = async (pod) => ({ ...(await setUp(pod)), namespacePath: await cri.makeNetwork(pod.uid) });
  network.tearDown = async (pod) => {
    await tearDown(pod);
    await cri.removeNetwork(pod.uid);
  };
  const start = () => bench.start({ simulated: false, dataDirectory });
  after(async () => {
    for (const { uid } of await network.list()) await bench.delete(uid, 0);
    await until(async () => (await runtime.listPodSandboxes()).length === 0, WAIT_MS);
    await bench.kill();
    await clearHost(dataDirectory, 'host-1');
    await cri.dispose(runtime);
    await bench.close();
    rmSync(directory, { recursive: true, force: true });
  });
  await start();

  const shell = (name: string, script: string, more: object = {}) => ({
    name,
    image: cri.image,
    command: ['sh', '-c', script],
    ...more,
  });
  const statusOf = async (uid: string) => (await bench.get(uid))?.status;
  const logOf = async (uid: string, name: string, attempt = 0) =>
    await readFile(join(dataDirectory, 'logs', uid, name, `${attempt}.log`), 'utf8').catch(() => '');
  const remove = async (uid: string) => {
    await bench.delete(uid, 1);
    await until(async () => (await bench.get(uid)) === undefined, WAIT_MS);
  };

  it('gives a pod its volumes, environment and managed files', async () => {
    const script = [
      'echo token=$(cat /secret/token) mode=$(stat -Lc %a /secret/token)',
      'echo env=$GREETING ip=$POD_IP',
      'echo hello > /shared/sub/from-one; cat /etc/hosts | grep alias; hostname',
      'grep -q "nameserver 10.96.0.10" /etc/resolv.conf && echo dns',
      'mount | grep -q "on /ram type tmpfs" && echo ram',
      'touch /secret/x 2>/dev/null || echo readonly',
      'while true; do sleep 0.1; [ "$(cat /secret/token)" = new ] && echo updated && break; done; sleep 1000',
    ].join('\n');
    const instance = await bench.create(
      'volumes-1',
      {
        containers: [
          shell('one', script, {
            env: [
              { name: 'WHO', value: 'world' },
              { name: 'GREETING', value: 'hello-$(WHO)' },
              { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
            ],
            volumeMounts: [
              { name: 'secret', mountPath: '/secret' },
              { name: 'disk', mountPath: '/shared' },
              { name: 'disk', mountPath: '/shared/sub', subPathExpr: 'deep/$(WHO)' },
              { name: 'ram', mountPath: '/ram' },
            ],
          }),
        ],
        volumes: [
          { name: 'secret', secret: { secretName: 's' } },
          { name: 'disk', emptyDir: {} },
          { name: 'ram', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
        ],
        hostAliases: [{ ip: '10.1.2.3', hostnames: ['alias'] }],
      },
      { volumeFiles: { secret: [{ path: 'token', data: base64('old'), mode: 0o400 }] } },
    );
    await until(async () => /readonly/.test(await logOf('volumes-1', 'one')), WAIT_MS);
    const log = await logOf('volumes-1', 'one');
    for (const expected of [
      'token=old mode=400',
      'env=hello-world ip=10.128.0.1',
      '10.1.2.3\talias',
      'pod-volumes-1',
      'dns',
      'ram',
    ]) {
      assert.ok(log.includes(expected), `${expected} in ${log}`);
    }
    assert.ok(existsSync(join(dataDirectory, 'pods/volumes-1/empty-dir/disk/deep/world/from-one')));

    const instances = bench.client.resource<ContainerInstance>(SYSTEM_TENANT, CONTAINER_INSTANCES, TENANT);
    await instances.patch(instance.metadata.name, 'merge', {
      spec: { volumeFiles: { secret: [{ path: 'token', data: base64('new'), mode: 0o400 }] } },
    });
    await until(async () => /updated/.test(await logOf('volumes-1', 'one')), WAIT_MS);
    await remove('volumes-1');
    assert.deepEqual(await readdir(join(dataDirectory, 'pods')), []);
    assert.deepEqual(await readdir(join(dataDirectory, 'logs')), []);
    assert.deepEqual(await readdir(join(dataDirectory, 'memory')), []);
    const left = [...(await mountPoints())].filter((path) => path.startsWith(join(dataDirectory, 'pods')));
    assert.deepEqual(left, []);
  });

  it('reports exits, messages, OOM kills and commands that do not exist', async () => {
    await bench.create('exits', {
      restartPolicy: 'Never',
      containers: [
        shell('message', 'echo because > /dev/termination-log; exit 7'),
        shell('log', 'echo from the log; exit 3', { terminationMessagePolicy: 'FallbackToLogsOnError' }),
        shell('oom', 'x=$(head -c 100000000 /dev/zero | tr "\\0" x); echo $x', {
          resources: { limits: { memory: '20Mi', cpu: '500m' } },
        }),
        { name: 'absent', image: cri.image, command: ['/no/such/command'] },
      ],
    });
    await until(async () => (await statusOf('exits'))?.meteredTo !== undefined, WAIT_MS);
    const status = (await statusOf('exits'))!;
    assert.equal(status.phase, 'Failed');
    const ended = Object.fromEntries(status.containerStatuses!.map(({ name, state }) => [name, state!.terminated!]));
    assert.deepEqual(
      [ended.message?.exitCode, ended.message?.reason, ended.message?.message],
      [7, 'Error', 'because\n'],
    );
    assert.deepEqual([ended.log?.exitCode, ended.log?.message], [3, 'from the log\n']);
    assert.deepEqual([ended.oom?.exitCode, ended.oom?.reason], [137, 'OOMKilled']);
    assert.deepEqual([ended.absent?.exitCode, ended.absent?.reason], [128, 'StartError']);
    assert.match(ended.absent?.message ?? '', /no such file or directory/i);
    await remove('exits');
  });

  it('stops containers within their grace period, hooks included, and restarts on a failed liveness probe', async () => {
    await bench.create('probes', {
      containers: [
        shell(
          'web',
          'trap "echo got term; exit 0" TERM; echo started; rm -f /tmp/dead; while true; do sleep 0.1; done',
          {
            livenessProbe: {
              exec: { command: ['test', '!', '-e', '/tmp/dead'] },
              periodSeconds: 1,
              failureThreshold: 1,
            },
            readinessProbe: { exec: { command: ['test', '-e', '/tmp/ready'] }, periodSeconds: 1 },
            lifecycle: {
              postStart: { exec: { command: ['sh', '-c', 'echo posted > /tmp/posted'] } },
              preStop: { exec: { command: ['sh', '-c', 'echo prestop > /proc/1/fd/1'] } },
            },
          },
        ),
      ],
    });
    const [uid, name] = ['probes', 'web'];
    const web = async () => (await statusOf(uid))?.containerStatuses?.[0];
    await until(async () => (await web())?.state?.running !== undefined, WAIT_MS);
    assert.equal((await web())?.ready, false);
    const id = (await web())!.containerID!.replace('containerd://', '');
    assert.equal((await runtime.execSync(id, ['cat', '/tmp/posted'], 10)).stdout.toString(), 'posted\n');
    await runtime.execSync(id, ['touch', '/tmp/ready'], 10);
    await until(async () => (await web())?.ready === true, WAIT_MS);
    await runtime.execSync(id, ['touch', '/tmp/dead'], 10);
    await until(async () => (await web())?.restartCount === 1, WAIT_MS);
    assert.match(await logOf(uid, name), /prestop.*got term/s);
    assert.equal((await web())?.lastState?.terminated?.exitCode, 0);
    const messages = (await bench.events(uid)).map((event) => event.message);
    assert.ok(messages.includes('Container web failed liveness probe, will be restarted'), messages.join('\n'));
    await remove(uid);
  });

  it('adopts containers after a kill of the agent, without restarting them', async () => {
    await bench.create('adopted', { containers: [shell('web', 'echo up; sleep 1000')] });
    await until(async () => (await statusOf('adopted'))?.phase === 'Running', WAIT_MS);
    const before = await statusOf('adopted');
    await bench.kill();
    await start();
    await bench.create('next', { containers: [shell('web', 'sleep 1000')] });
    await until(async () => (await statusOf('next'))?.phase === 'Running', WAIT_MS);
    assert.deepEqual(await statusOf('adopted'), before);
    await remove('adopted');
    await remove('next');
    assert.deepEqual(await runtime.listPodSandboxes(), []);
  });

  it('evicts a pod that fills its emptyDir beyond the limit', async () => {
    await bench.create('greedy', {
      containers: [
        shell('web', 'head -c 3000000 /dev/zero > /data/fill; sleep 1000', {
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        }),
      ],
      volumes: [{ name: 'data', emptyDir: { sizeLimit: '1Mi' } }],
      terminationGracePeriodSeconds: 1,
    });
    await until(async () => (await statusOf('greedy'))?.phase === 'Failed', WAIT_MS);
    const status = await statusOf('greedy');
    assert.deepEqual(
      [status?.reason, status?.message],
      ['Evicted', 'Usage of EmptyDir volume "data" exceeds the limit "1Mi". '],
    );
    await remove('greedy');
  });

  it('says in events and states why an image or a volume is missing', async () => {
    await bench.create('refused', {
      containers: [shell('web', 'true', { image: cri.failingImages.notFound })],
    });
    await bench.create('no-mount', {
      containers: [shell('web', 'true', { volumeMounts: [{ name: 'host', mountPath: '/host' }] })],
      volumes: [{ name: 'host', hostPath: { path: '/run/docker.sock', type: 'Socket' } }],
    });
    await until(
      async () => (await statusOf('refused'))?.containerStatuses?.[0]?.state?.waiting?.reason === 'ImagePullBackOff',
      WAIT_MS,
    );
    await until(async () => (await bench.events('no-mount')).some(({ reason }) => reason === 'FailedMount'), WAIT_MS);
    assert.equal((await statusOf('no-mount'))?.containerStatuses?.[0]?.state?.waiting?.reason, 'ContainerCreating');
    await remove('refused');
    await remove('no-mount');
  });
});
