import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Host } from '../api/pool.ts';
import { HOSTS } from '../api/resources.ts';
import { until } from '../base/testing/until.ts';
import { SYSTEM_TENANT } from '../client/client.ts';
import { createSimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { createBench } from './testing/bench.ts';

const container = (name: string, ...command: string[]) => ({ name, image: 'busybox:1', command });

describe('the host agent on the simulated runtime', async () => {
  const runtime = createSimulatedRuntime();
  const bench = createBench(runtime);
  after(() => bench.close());
  const agent = await bench.start();

  it('registers its host, takes the index it was given and reports a status', async () => {
    const hosts = bench.client.resource<Host>(SYSTEM_TENANT, HOSTS);
    await until(async () => (await hosts.get('host-1')).status?.conditions?.[0]?.status === 'True');
    const host = await hosts.get('host-1');
    assert.equal(host.spec.index, 0);
    assert.equal(agent.hostIndex, 0);
    assert.deepEqual(host.status?.streaming, { address: '127.0.0.1', port: agent.address.port });
    assert.equal(host.status?.runtime?.name, 'simulated');
  });

  it('runs a pod, reports it ready, and removes it when it is deleted', async () => {
    await bench.create('uid-1', { containers: [container('web')] });
    await until(async () => (await bench.get('uid-1'))?.status?.phase === 'Running');
    const { status } = (await bench.get('uid-1'))!;
    assert.equal(status?.podIP, '10.128.0.1');
    assert.equal(status?.hostIP, '10.128.0.1');
    assert.equal(status?.qosClass, 'BestEffort');
    const [web] = status?.containerStatuses ?? [];
    assert.equal(web?.ready, true);
    assert.equal(web?.started, true);
    assert.equal(web?.restartCount, 0);
    assert.match(web?.containerID ?? '', /^containerd:\/\//);
    assert.deepEqual(
      status?.conditions?.map(({ type, status: value }) => `${type}=${value}`),
      ['PodReadyToStartContainers=True', 'Initialized=True', 'Ready=True', 'ContainersReady=True', 'PodScheduled=True'],
    );
    assert.ok(status?.meteredFrom);
    assert.equal(status?.meteredTo, undefined);

    await bench.delete('uid-1', 30);
    await until(async () => (await bench.get('uid-1')) === undefined);
    assert.deepEqual(await runtime.listPodSandboxes(), []);
    assert.deepEqual(await runtime.listContainers(), []);
    assert.equal(bench.network.attached.size, 0);
    const last = bench.transport.writes.findLast(
      ({ path, method }) => method === 'PATCH' && path.endsWith('/uid-1/status'),
    );
    const final = (last!.body as any).status;
    assert.equal(final.phase, 'Failed');
    assert.equal(final.containerStatuses[0].state.terminated.exitCode, 143);
    assert.ok(final.meteredTo >= final.meteredFrom);
    const reasons = (await bench.events('uid-1')).map(({ reason }) => reason);
    assert.deepEqual(reasons.sort(), ['Created', 'Killing', 'Pulled', 'Pulling', 'Started']);
  });

  it('runs init containers in order, then the others, to Succeeded', async () => {
    await bench.create('uid-2', {
      restartPolicy: 'Never',
      initContainers: [container('one', 'sh', '-c', 'sleep 0.05'), container('two', 'true')],
      containers: [container('main', 'sh', '-c', 'sleep 0.05; exit 0')],
    });
    await until(async () => (await bench.get('uid-2'))?.status?.meteredTo !== undefined);
    const { status } = (await bench.get('uid-2'))!;
    assert.equal(status?.phase, 'Succeeded');
    const [one, two] = status?.initContainerStatuses ?? [];
    assert.ok(one!.state!.terminated!.finishedAt! <= two!.state!.terminated!.startedAt!);
    assert.deepEqual([one?.ready, two?.ready], [true, true]);
    assert.equal(status?.conditions?.find(({ type }) => type === 'Ready')?.reason, 'PodCompleted');
    await bench.delete('uid-2', 0);
    await until(async () => (await bench.get('uid-2')) === undefined);
  });

  it('restarts with back-off and keeps the last state', async () => {
    await bench.create('uid-3', { containers: [container('crash', 'sh', '-c', 'exit 3')] });
    await until(async () => {
      const [status] = (await bench.get('uid-3'))?.status?.containerStatuses ?? [];
      return status?.restartCount === 1 && status.state?.waiting?.reason === 'CrashLoopBackOff';
    });
    const [status] = (await bench.get('uid-3'))!.status!.containerStatuses!;
    assert.equal(
      status?.state?.waiting?.message,
      'back-off 10s restarting failed container=crash pod=pod-uid-3_default(uid-3)',
    );
    assert.equal(status?.lastState?.terminated?.exitCode, 3);
    assert.equal((await bench.get('uid-3'))?.status?.phase, 'Running');
    const before = (await bench.get('uid-3'))?.status?.containerStatuses;
    await bench.kill();
    await bench.start();
    await bench.create('uid-3b', { containers: [container('web')] });
    await until(async () => (await bench.get('uid-3b'))?.status?.phase === 'Running');
    assert.deepEqual((await bench.get('uid-3'))?.status?.containerStatuses, before, 'the pace survives the agent');
    for (const uid of ['uid-3', 'uid-3b']) {
      await bench.delete(uid, 0);
      await until(async () => (await bench.get(uid)) === undefined);
    }
  });

  it('adopts what runs after a crash, and removes what has no instance', async () => {
    await bench.create('uid-4', { containers: [container('web')] });
    await bench.create('uid-5', { containers: [container('web')] });
    for (const uid of ['uid-4', 'uid-5']) await until(async () => (await bench.get(uid))?.status?.phase === 'Running');
    const before = (await bench.get('uid-4'))!;
    await bench.kill();
    // As if its deletion had been completed by force while no agent ran.
    const instances = bench.client.resource(
      SYSTEM_TENANT,
      { group: 'pool.skypod.io', version: 'v1alpha1', resource: 'containerinstances' },
      'acme',
    );
    await instances.delete('uid-5', { gracePeriodSeconds: 0 });
    const writes = bench.transport.writes.length;
    await bench.start();
    await until(async () => (await runtime.listPodSandboxes()).length === 1);
    await until(() => bench.network.attached.size === 1);
    assert.equal((await runtime.listContainers()).length, 1);
    const afterwards = (await bench.get('uid-4'))!;
    assert.deepEqual(afterwards.status, before.status);
    const statusWrites = bench.transport.writes.slice(writes).filter(({ path }) => path.endsWith('uid-4/status'));
    assert.deepEqual(statusWrites, []);
    await bench.delete('uid-4', 0);
    await until(async () => (await bench.get('uid-4')) === undefined);
  });
});
