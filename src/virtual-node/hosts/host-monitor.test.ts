import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from '../../api/pool.ts';
import { HOST_LEASE_NAMESPACE } from '../../api/pool.ts';
import { CONTAINER_INSTANCES, EVENTS, HOSTS, LEASES, PODS } from '../../api/resources.ts';
import { silentLogger } from '../../base/log.ts';
import { SettableClock } from '../../base/testing/settable-clock.ts';
import { settled, until } from '../../base/testing/until.ts';
import { Client } from '../../client/client.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { FakeTransport } from '../../client/testing/fake-transport.ts';
import { startVirtualNode } from '../index.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');

async function withVirtualNode(
  run: (world: { client: Client; clock: SettableClock; transport: FakeTransport }) => Promise<void>,
): Promise<void> {
  const clock = new SettableClock(NOW);
  const transport = new FakeTransport({ now: () => clock.now() });
  const client = new Client(transport);
  const stop = new AbortController();
  const informers = createInformerFactory(client, { clock, logger: silentLogger });
  const done = startVirtualNode({ informers, clock, logger: silentLogger, zones: ['a'] }, stop.signal);
  informers.start(stop.signal);
  await informers.waitForSync();
  try {
    await run({ client, clock, transport });
  } finally {
    stop.abort();
    await done;
  }
}

async function readyHost(client: Client) {
  const hosts = client.resource<Host>('system', HOSTS);
  const leases = client.resource('system', LEASES, HOST_LEASE_NAMESPACE);
  const ready = async () => (await hosts.get('host-1')).status!.conditions![0]!.status;
  await hosts.create({
    metadata: { name: 'host-1' },
    spec: { zone: 'a' },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  } as any);
  await leases.create({ metadata: { name: 'host-1' }, spec: { renewTime: 'one' } } as any);
  return { hosts, leases, ready };
}

test('a host whose lease runs out is not ready until it renews again', () =>
  withVirtualNode(async ({ client, clock }) => {
    const { leases, ready } = await readyHost(client);
    await settled();
    clock.advance(30_000);
    await leases.patch('host-1', 'merge', { spec: { renewTime: 'two' } });
    await settled();
    clock.advance(30_000);
    await settled();
    assert.equal(await ready(), 'True');
    clock.advance(11_000);
    await until(async () => (await ready()) === 'Unknown');
    await leases.patch('host-1', 'merge', { spec: { renewTime: 'three' } });
    await until(async () => (await ready()) === 'True');
  }));

test('a clock that is set makes no host silent, and no silence longer or shorter', () =>
  withVirtualNode(async ({ client, clock, transport }) => {
    const { hosts, ready } = await readyHost(client);
    const pods = client.resource('acme', PODS, 'shop');
    const tolerations = [{ key: 'node.kubernetes.io/unreachable', operator: 'Exists', tolerationSeconds: 60 }];
    const spec = { nodeName: 'virtual-node-a', containers: [{ name: 'main' }], tolerations };
    const pod = await pods.create({ metadata: { name: 'web' }, spec } as any);
    await until(() => transport.all('containerinstances').length === 1);
    const instances = client.resource('system', CONTAINER_INSTANCES, 'acme');
    await instances.createSubresource(pod.metadata.uid!, 'binding', { target: { name: 'host-1' } });
    await settled();
    clock.advance(20_000);
    await settled();
    clock.offsetMs = 3_600_000;
    await hosts.patch('host-1', 'merge', { spec: { zone: 'b' } });
    clock.advance(10_000);
    await settled();
    assert.equal(await ready(), 'True', 'an hour forward');
    clock.offsetMs = -3_600_000;
    clock.advance(11_000);
    await until(async () => (await ready()) === 'Unknown');
    await settled();
    const isLeaving = () => transport.all('pods')[0]!.metadata.deletionTimestamp !== undefined;
    clock.offsetMs = 3_600_000;
    clock.advance(50_000);
    await settled();
    assert.equal(isLeaving(), false);
    clock.offsetMs = -3_600_000;
    clock.advance(11_000);
    await until(isLeaving);
  }));

test('what a host reports of an instance becomes an event of the pod, repetitions included', () =>
  withVirtualNode(async ({ client, transport }) => {
    await client.resource('system', CONTAINER_INSTANCES, 'acme').create({
      metadata: { name: 'u-1' },
      spec: {
        podRef: { namespace: 'shop', name: 'web', uid: 'u-1' },
        pod: { nodeName: 'virtual-node-a', containers: [] },
        hostName: 'host-1',
      },
    } as any);
    const events = client.resource('system', EVENTS, 'acme');
    await events.create({
      metadata: { name: 'u-1.17' },
      involvedObject: {
        kind: 'ContainerInstance',
        namespace: 'acme',
        name: 'u-1',
        fieldPath: 'spec.containers{main}',
      },
      reason: 'BackOff',
      message: 'Back-off restarting failed container',
      type: 'Warning',
      source: { component: 'host-agent', host: 'host-1' },
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:00Z',
      count: 1,
    } as any);
    const ofPod = () => transport.all('events').find((event) => event['involvedObject'].kind === 'Pod');
    await until(() => ofPod() !== undefined);
    const event = ofPod()!;
    assert.equal(event.metadata.clusterName, 'acme');
    assert.equal(event.metadata.namespace, 'shop');
    assert.equal(event.metadata.name, 'web.17');
    assert.deepEqual(event['source'], { component: 'kubelet', host: 'virtual-node-a' });
    assert.equal(event['involvedObject'].fieldPath, 'spec.containers{main}');
    await events.patch('u-1.17', 'merge', { count: 4, lastTimestamp: '2026-01-01T00:01:00Z' });
    await until(() => ofPod()!['count'] === 4);
    assert.equal(ofPod()!['lastTimestamp'], '2026-01-01T00:01:00Z');
  }));

test('pods leave a silent host when they have tolerated it long enough', () =>
  withVirtualNode(async ({ client, clock, transport }) => {
    await client.resource<Host>('system', HOSTS).create({
      metadata: { name: 'host-1' },
      spec: { zone: 'a' },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    } as any);
    const pods = client.resource('acme', PODS, 'shop');
    const create = async (name: string, tolerationSeconds: number | undefined) => {
      const toleration = { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' };
      const pod = await pods.create({
        metadata: { name },
        spec: {
          nodeName: 'virtual-node-a',
          containers: [{ name: 'main' }],
          tolerations: [{ ...toleration, ...(tolerationSeconds !== undefined && { tolerationSeconds }) }],
        },
      } as any);
      await until(() => transport.all('containerinstances').some(({ metadata }) => metadata.name === pod.metadata.uid));
      const instances = client.resource('system', CONTAINER_INSTANCES, 'acme');
      await instances.createSubresource(pod.metadata.uid, 'binding', { target: { name: 'host-1' } });
    };
    await create('soon', 10);
    await create('later', 300);
    await create('never', undefined);
    await settled();
    clock.advance(41_000);
    await until(() => transport.all('hosts')[0]!['status'].conditions[0].status === 'Unknown');
    const leaving = () =>
      transport
        .all('pods')
        .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
        .map(({ metadata }) => metadata.name);
    await settled();
    clock.advance(11_000);
    await until(() => leaving().length === 1);
    assert.deepEqual(leaving(), ['soon']);
    await settled();
    clock.advance(300_000);
    await until(() => leaving().length === 2);
    assert.deepEqual(leaving().sort(), ['later', 'soon']);
  }));
