import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { ContainerInstance } from '../api/pool.ts';
import { CONTAINER_INSTANCES } from '../api/resources.ts';
import { serviceUnavailable } from '../api/status.ts';
import { until } from '../base/testing/until.ts';
import { SYSTEM_TENANT } from '../client/client.ts';
import { createSimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { createBench, TENANT } from './testing/bench.ts';

const container = (name: string, ...command: string[]) => ({ name, image: 'busybox:1', command });
const simulate = (words: string) => ({ podAnnotations: { 'skypod.io/simulate': words } });

describe('an instance', async () => {
  const runtime = createSimulatedRuntime();
  let away = false;
  const bench = createBench(runtime, {
    onRequest: () => {
      if (away) throw serviceUnavailable('away');
    },
  });
  after(() => bench.close());
  await bench.start();
  const statusOf = async (uid: string) => (await bench.get(uid))?.status;
  const isGone = async (uid: string) => (await bench.get(uid)) === undefined;
  const isRunning = async (uid: string) => (await statusOf(uid))?.phase === 'Running';

  it('is killed earlier when its grace period is shortened later', async () => {
    await bench.create('stubborn', { containers: [container('web')] }, simulate('term=ignore'));
    await until(() => isRunning('stubborn'));
    await bench.delete('stubborn', 3600);
    await until(async () => (await bench.events('stubborn')).some(({ reason }) => reason === 'Killing'));
    await bench.delete('stubborn', 1);
    await until(() => isGone('stubborn'), 10_000);
  });

  it('fails at its deadline', async () => {
    await bench.create('late', { activeDeadlineSeconds: 1, containers: [container('web')] });
    await until(async () => (await statusOf('late'))?.phase === 'Failed');
    const status = await statusOf('late');
    assert.equal(status?.reason, 'DeadlineExceeded');
    assert.equal(status?.message, 'Pod was active on the node longer than the specified deadline');
    await until(async () => (await statusOf('late'))?.meteredTo !== undefined);
    assert.equal((await statusOf('late'))?.containerStatuses?.[0]?.state?.terminated?.exitCode, 143);
  });

  it('says why its container cannot be configured, and starts when it can', async () => {
    await bench.create(
      'config',
      { containers: [container('web')] },
      { configErrors: { web: 'secret "db" not found' } },
    );
    const waiting = async () => (await statusOf('config'))?.containerStatuses?.[0]?.state?.waiting;
    await until(async () => (await waiting())?.reason === 'CreateContainerConfigError');
    assert.equal((await waiting())?.message, 'secret "db" not found');
    const events = await bench.events('config');
    assert.ok(events.some(({ message }) => message === 'Error: secret "db" not found'));
    const instances = bench.client.resource<ContainerInstance>(SYSTEM_TENANT, CONTAINER_INSTANCES, TENANT);
    await instances.patch('config', 'merge', { spec: { configErrors: null } });
    await until(() => isRunning('config'));
  });

  it('reports a start that fails, and a hook that does', async () => {
    await bench.create('bad-start', { containers: [container('web')] }, simulate('start="no such file"'));
    const status = async (uid: string) => (await statusOf(uid))?.containerStatuses?.[0];
    await until(async () => ((await status('bad-start'))?.restartCount ?? 0) >= 1);
    const last = (await status('bad-start'))?.lastState?.terminated;
    assert.deepEqual([last?.exitCode, last?.reason, last?.message], [128, 'StartError', 'no such file']);

    const lifecycle = { postStart: { exec: { command: ['false'] } } };
    await bench.create('bad-hook', { containers: [{ ...container('web'), lifecycle }] });
    await until(async () => (await bench.events('bad-hook')).some(({ reason }) => reason === 'FailedPostStartHook'));
    await until(async () => ((await status('bad-hook'))?.restartCount ?? 0) >= 1);
  });

  it('starts over as a whole when a rule of an exit says so', async () => {
    const rule = { action: 'RestartAllContainers' as const, exitCodes: { operator: 'In' as const, values: [42] } };
    await bench.create(
      'over',
      {
        restartPolicy: 'Never',
        initContainers: [container('init', 'true'), { ...container('beside'), restartPolicy: 'Always' }],
        containers: [
          { ...container('source'), restartPolicy: 'Never', restartPolicyRules: [rule] },
          container('other'),
        ],
      },
      { podAnnotations: { 'skypod.io/simulate.source': 'exit=42 after=1s' } },
    );
    const statuses = async () => {
      const status = await statusOf('over');
      return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
    };
    await until(async () => {
      const all = await statuses();
      return all.length === 4 && all.every(({ restartCount }) => restartCount >= 2);
    }, 20_000);
    assert.deepEqual(
      (await statuses()).map(({ name, lastState }) => [name, lastState?.terminated?.reason]),
      ['init', 'beside', 'other', 'source'].map((name) => [name, 'RestartingAllContainers']),
    );
    const conditions = (await statusOf('over'))!.conditions!;
    assert.ok(conditions.some(({ type }) => type === 'AllContainersRestarting'));
    assert.ok(!['Failed', 'Succeeded'].includes((await statusOf('over'))!.phase));
    await bench.delete('over', 0);
    await until(() => isGone('over'), 10_000);
  });

  it('retries its sandbox, and gets a new one when it dies', async () => {
    bench.network.failures.push(new Error('no address left'));
    await bench.create('boxed', { containers: [container('web')] });
    await until(() => isRunning('boxed'), 10_000);
    const messages = (await bench.events('boxed')).map(({ message }) => message);
    assert.ok(messages.includes('Failed to create pod sandbox: no address left'), messages.join());
    const [sandbox] = (await runtime.listPodSandboxes()).filter(({ metadata }) => metadata.uid === 'boxed');
    await runtime.stopPodSandbox(sandbox!.id);
    await until(async () => {
      const status = await statusOf('boxed');
      return status?.containerStatuses?.[0]?.restartCount === 1 && status.containerStatuses[0].ready;
    }, 10_000);
    assert.ok((await bench.events('boxed')).some(({ reason }) => reason === 'SandboxChanged'));
  });

  it('with sidecars succeeds when its main containers do, the sidecars after them', async () => {
    await bench.create('carried', {
      restartPolicy: 'Never',
      initContainers: [{ ...container('proxy'), restartPolicy: 'Always' }, container('setup', 'true')],
      containers: [container('main', 'sh', '-c', 'sleep 0.1')],
    });
    await until(async () => (await statusOf('carried'))?.meteredTo !== undefined);
    const status = await statusOf('carried');
    assert.equal(status?.phase, 'Succeeded');
    const [proxy] = status?.initContainerStatuses ?? [];
    assert.ok(proxy!.state!.terminated!.finishedAt! >= status!.containerStatuses![0]!.state!.terminated!.finishedAt!);
  });

  it('goes on while the API server is away, and is reported when it is back', async () => {
    await bench.create('offline', { restartPolicy: 'Never', containers: [container('main', 'sh', '-c', 'sleep 0.3')] });
    await until(() => isRunning('offline'));
    away = true;
    bench.transport.breakWatches();
    await until(async () => {
      const records = (await runtime.listContainers()).filter(({ podUid }) => podUid === 'offline');
      return records[0]?.state === 'exited';
    });
    away = false;
    await until(async () => (await statusOf('offline'))?.phase === 'Succeeded', 10_000);
  });

  it('may not share the machine’s namespaces nor change its kernel', async () => {
    await bench.create('spy', { hostPID: true, containers: [container('web')] });
    await bench.create('tuner', {
      securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] },
      containers: [container('web')],
    });
    await until(async () => (await statusOf('spy'))?.phase === 'Failed');
    await until(async () => (await statusOf('tuner'))?.phase === 'Failed');
    assert.equal((await statusOf('tuner'))?.reason, 'SysctlForbidden');
    const made = (await runtime.listPodSandboxes()).map(({ metadata }) => metadata.uid);
    assert.ok(!made.includes('spy') && !made.includes('tuner'));
  });

  it('does not run with less isolation than it asks for', async () => {
    await bench.create('grouped', {
      securityContext: { supplementalGroupsPolicy: 'Strict' },
      containers: [container('web')],
    });
    await until(async () => (await statusOf('grouped'))?.phase === 'Failed');
    assert.equal((await statusOf('grouped'))?.reason, 'SupplementalGroupsPolicyNotSupported');
    await bench.create('mapped', { hostUsers: false, containers: [container('web')] });
    const refusal = /spec.hostUsers: false`, runtime does not support user namespaces$/;
    await until(async () => (await bench.events('mapped')).some(({ message = '' }) => refusal.test(message)));
    await until(async () => (await statusOf('mapped'))?.phase === 'Pending');
    const made = (await runtime.listPodSandboxes()).map(({ metadata }) => metadata.uid);
    assert.ok(!made.includes('grouped') && !made.includes('mapped'));
  });

  it('is held by its finalizer without being worked on again', async () => {
    const instances = bench.client.resource<ContainerInstance>(SYSTEM_TENANT, CONTAINER_INSTANCES, TENANT);
    await bench.create('held', { containers: [container('web')] });
    await instances.patch('held', 'merge', { metadata: { finalizers: ['metering.skypod.io/ledger'] } });
    await until(() => isRunning('held'));
    await bench.delete('held', 1);
    await until(async () => (await bench.get('held'))?.metadata.deletionGracePeriodSeconds === 0);
    const before = new Set(bench.transport.writes);
    await instances.patch('held', 'merge', { metadata: { labels: { touched: 'yes' } } });
    await bench.kill();
    await bench.start();
    await until(
      async () =>
        (await bench.client.resource(SYSTEM_TENANT, { group: '', version: 'v1', resource: 'events' }, TENANT).list())
          .items.length > 0,
    );
    const later = bench.transport.writes.filter(
      (write) =>
        !before.has(write) &&
        write.path.includes('/containerinstances/held') &&
        !JSON.stringify(write.body ?? null).includes('touched'),
    );
    assert.deepEqual(later, []);
    await instances.patch('held', 'merge', { metadata: { finalizers: null } });
    await until(() => isGone('held'));
  });
});
