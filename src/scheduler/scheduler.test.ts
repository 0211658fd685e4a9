import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod } from '../api/generated/core-v1.ts';
import type { ContainerInstance, Host, InstancePlacer } from '../api/pool.ts';
import { CONTAINER_INSTANCES, EVENTS, HOSTS, NODES, PODS } from '../api/resources.ts';
import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { until } from '../base/testing/until.ts';
import { Client } from '../client/client.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { FakeTransport } from '../client/testing/fake-transport.ts';
import { startScheduler } from './index.ts';

interface World {
  transport: FakeTransport;
  client: Client;
  pod(name: string): Promise<Pod>;
  placer: InstancePlacer;
}

async function withScheduler(run: (world: World) => Promise<void>): Promise<void> {
  const transport = new FakeTransport();
  const client = new Client(transport);
  const stop = new AbortController();
  const informers = createInformerFactory(client, { clock: systemClock, logger: silentLogger });
  const ready = Promise.withResolvers<InstancePlacer>();
  const done = startScheduler(
    {
      informers,
      clock: systemClock,
      logger: silentLogger,
      overcommit: { cpu: 1, memory: 1 },
      onPlacer: ready.resolve,
    },
    stop.signal,
  );
  informers.start(stop.signal);
  await informers.waitForSync();
  try {
    const pod = (name: string) => client.resource<Pod>('acme', PODS, 'shop').get(name);
    await run({ transport, client, pod, placer: await ready.promise });
  } finally {
    stop.abort();
    await done;
  }
}

const zoneLabel = 'topology.kubernetes.io/zone';
const node = (name: string, zone: string, more: object = {}) => ({
  metadata: { name, labels: { [zoneLabel]: zone, 'kubernetes.io/hostname': name } },
  spec: {},
  status: { allocatable: { cpu: '1000000', memory: '1Pi', pods: '1000000' } },
  ...more,
});
const pod = (name: string, spec: object = {}, labels: Record<string, string> = {}) => ({
  metadata: { name, labels },
  spec: { schedulerName: 'default-scheduler', containers: [{ name: 'main', image: 'busybox' }], ...spec },
});
const host = (name: string, cpu: string, more: object = {}) => ({
  metadata: { name },
  spec: { zone: 'a' },
  status: { conditions: [{ type: 'Ready', status: 'True' }], allocatable: { cpu, memory: '8Gi', pods: '100' } },
  ...more,
});
const pausing = (name: string, priority: number, more: object = {}) =>
  pod(name, {
    priority,
    containers: [{ name: 'main', image: 'pause', resources: { requests: { 'example.com/thing': '2' } } }],
    ...more,
  });

test('a pod sends less important ones away, as few as need be, and nobody takes its place meanwhile', async () => {
  await withScheduler(async ({ client, pod: read, transport }) => {
    const allocatable = { cpu: '100', memory: '1Ti', pods: '1000', 'example.com/thing': '5' };
    await client.resource('acme', NODES).create(node('a', 'a', { status: { allocatable } }));
    const pods = client.resource<Pod>('acme', PODS, 'shop');
    await pods.create(pausing('low', 1) as any);
    await pods.create(pausing('medium', 10) as any);
    await until(async () => Boolean((await read('low')).spec.nodeName && (await read('medium')).spec.nodeName));
    const before = transport.writes.length;
    await pods.create(pausing('polite', 50, { preemptionPolicy: 'Never' }) as any);
    await pods.create(pausing('high', 100) as any);
    await until(async () => (await read('low')).metadata.deletionTimestamp !== undefined);
    await until(() => transport.writes.some(({ body }) => (body as Pod)?.status?.nominatedNodeName === 'a'));
    await pods.delete('low', { gracePeriodSeconds: 0 });
    await until(async () => Boolean((await read('high').catch(() => undefined))?.spec.nodeName));
    const gone = transport.writes
      .slice(before)
      .filter(({ method }) => method === 'DELETE')
      .map(({ path }) => path.split('/').at(-1));
    assert.deepEqual([...new Set(gone)], ['low']);
    const { status } = transport.writes.find(({ path }) => path.endsWith('/pods/low/status'))!.body as Pod;
    assert.equal(status!.conditions![0]!.reason, 'PreemptionByScheduler');
    const nomination = transport.writes.find(
      ({ path, body }) => path.endsWith('/pods/high/status') && (body as Pod).status?.nominatedNodeName,
    );
    assert.equal((nomination!.body as Pod).status!.nominatedNodeName, 'a');
    assert.equal((await read('polite')).spec.nodeName, undefined);
  });
});

test('preemption spares what a disruption budget protects, and says what it did', async () => {
  await withScheduler(async ({ client, pod: read, transport }) => {
    const allocatable = { cpu: '100', memory: '1Ti', pods: '1000', 'example.com/thing': '5' };
    await client.resource('acme', NODES).create(node('a', 'a', { status: { allocatable } }));
    const budgets = { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' };
    await client.resource('acme', budgets, 'shop').create({
      metadata: { name: 'guard' },
      spec: { selector: { matchLabels: { app: 'low' } } },
      status: { disruptionsAllowed: 0 },
    } as any);
    const pods = client.resource<Pod>('acme', PODS, 'shop');
    for (const [name, priority] of [
      ['low', 1],
      ['medium', 10],
    ] as const) {
      const draft = pausing(name, priority) as any;
      await pods.create({ ...draft, metadata: { ...draft.metadata, labels: { app: name } } });
    }
    await until(async () => Boolean((await read('low')).spec.nodeName && (await read('medium')).spec.nodeName));
    await pods.create(pausing('polite', 50, { preemptionPolicy: 'Never' }) as any);
    await until(async () => (await read('polite')).status?.conditions?.[0]?.message !== undefined);
    assert.equal(
      (await read('polite')).status!.conditions![0]!.message,
      '0/1 nodes are available: 1 Insufficient example.com/thing. preemption: not eligible due to preemptionPolicy=Never.',
    );
    const { uid } = (await pods.create(pausing('high', 100) as any)).metadata;
    await until(async () => (await read('medium')).metadata.deletionTimestamp !== undefined);
    assert.equal((await read('low')).metadata.deletionTimestamp, undefined);
    const [condition] = (await read('medium')).status!.conditions!;
    assert.equal(condition!.message, 'default-scheduler: preempting to accommodate a higher priority pod');
    await until(() => transport.all('events').some((event) => event['reason'] === 'Preempted'));
    const event = transport.all('events').find((each) => each['reason'] === 'Preempted')!;
    assert.equal(event['message'], `Preempted by pod ${uid} on node a`);
    assert.equal(event['involvedObject'].name, 'medium');
  });
});

test('a host port has one owner a node', async () => {
  await withScheduler(async ({ client, pod: read }) => {
    await client.resource('acme', NODES).create(node('a', 'a'));
    const pods = client.resource<Pod>('acme', PODS, 'shop');
    const at = (name: string, hostIP?: string, protocol = 'TCP') =>
      pods.create(
        pod(name, {
          containers: [
            {
              name: 'main',
              image: 'i',
              ports: [{ containerPort: 80, hostPort: 8080, protocol, ...(hostIP && { hostIP }) }],
            },
          ],
        }) as any,
      );
    await at('one', '127.0.0.1');
    await at('two', '10.112.0.1');
    await at('udp', '10.112.0.1', 'UDP');
    for (const name of ['one', 'two', 'udp']) await until(async () => (await read(name)).spec.nodeName === 'a');
    await at('everywhere');
    await until(async () =>
      Boolean((await read('everywhere')).status?.conditions?.[0]?.message?.includes("didn't have free ports")),
    );
    await pods.delete('one', { gracePeriodSeconds: 0 });
    await pods.delete('two', { gracePeriodSeconds: 0 });
    await until(async () => (await read('everywhere')).spec.nodeName === 'a');
  });
});

const instance = (name: string, cpu = '1', zone = 'a') => ({
  metadata: { name },
  spec: {
    podRef: { namespace: 'shop', name: 'web', uid: name },
    zone,
    resources: { cpu, memory: '1Gi' },
    pod: { containers: [{ name: 'main', image: 'busybox', resources: { requests: { cpu, memory: '1Gi' } } }] },
    vpc: { serviceCidr: '', dnsAddress: '', clusterDomain: '' },
  },
});

test('pods of one controller spread over the zones, each with its event', () =>
  withScheduler(async ({ client, transport }) => {
    for (const zone of ['a', 'b']) await client.resource<Node>('acme', NODES).create(node(`node-${zone}`, zone) as any);
    for (let index = 0; index < 10; index++) {
      const draft = pod(`web-${index}`);
      Object.assign(draft.metadata, {
        ownerReferences: [{ uid: 'rs', controller: true, kind: 'ReplicaSet', name: 'web', apiVersion: 'apps/v1' }],
      });
      await client.resource<Pod>('acme', PODS, 'shop').create(draft as any);
    }
    await until(() => transport.all('pods').every((each) => each['spec'].nodeName !== undefined));
    const names = transport.all('pods').map((each) => each['spec'].nodeName);
    assert.equal(names.filter((name) => name === 'node-a').length, 5);
    await until(() => transport.all('events').length === 10);
    const event = transport.all('events').find((each) => each['involvedObject'].name === 'web-0')!;
    assert.equal(event['reason'], 'Scheduled');
    assert.match(event['message'], /^Successfully assigned shop\/web-0 to node-[ab]$/);
    assert.deepEqual(event['source'], { component: 'default-scheduler' });
  }));

test('a pod that fits nowhere says so as upstream does, and goes when a node comes that helps', () =>
  withScheduler(async ({ client, pod: get }) => {
    for (const zone of ['a', 'b']) await client.resource<Node>('acme', NODES).create(node(`node-${zone}`, zone) as any);
    await client.resource<Pod>('acme', PODS, 'shop').create(pod('web', { nodeSelector: { disk: 'ssd' } }) as any);
    const message =
      "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. " +
      'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
    await until(async () => (await get('web')).status?.conditions?.[0]?.message === message);
    const [condition] = (await get('web')).status!.conditions!;
    assert.deepEqual(
      [condition!.type, condition!.status, condition!.reason],
      ['PodScheduled', 'False', 'Unschedulable'],
    );
    const events = client.resource('acme', EVENTS, 'shop');
    await until(async () => (await events.list()).items.some((event) => event['reason'] === 'FailedScheduling'));
    await client.resource<Node>('acme', NODES).create({
      ...node('node-c', 'c'),
      metadata: { name: 'node-c', labels: { disk: 'ssd' } },
    } as any);
    await until(async () => (await get('web')).spec.nodeName === 'node-c');
  }));

test('a tenant sees only its own nodes', () =>
  withScheduler(async ({ client, pod: get }) => {
    await client.resource<Node>('other', NODES).create(node('node-a', 'a') as any);
    await client.resource<Pod>('acme', PODS, 'shop').create(pod('web') as any);
    await until(async () => (await get('web')).status?.conditions?.[0]?.message !== undefined);
    assert.equal((await get('web')).status!.conditions![0]!.message, 'no nodes available to schedule pods');
  }));

test('gated pods and those of other schedulers are left alone', () =>
  withScheduler(async ({ client, pod: get }) => {
    await client.resource<Node>('acme', NODES).create(node('node-a', 'a') as any);
    const pods = client.resource<Pod>('acme', PODS, 'shop');
    await pods.create(pod('gated', { schedulingGates: [{ name: 'example.com/wait' }] }) as any);
    await pods.create(pod('foreign', { schedulerName: 'mine' }) as any);
    await pods.create(pod('plain') as any);
    await until(async () => (await get('plain')).spec.nodeName !== undefined);
    assert.equal((await get('gated')).spec.nodeName, undefined);
    assert.equal((await get('foreign')).spec.nodeName, undefined);
    await pods.patch('gated', 'merge', { spec: { schedulingGates: [] } });
    await until(async () => (await get('gated')).spec.nodeName !== undefined);
  }));

test('anti-affinity holds between pods decided in the same breath', () =>
  withScheduler(async ({ client, transport }) => {
    for (const zone of ['a', 'b']) await client.resource<Node>('acme', NODES).create(node(`node-${zone}`, zone) as any);
    const term = { topologyKey: zoneLabel, labelSelector: { matchLabels: { app: 'db' } } };
    const spec = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
    const pods = client.resource<Pod>('acme', PODS, 'shop');
    await Promise.all([0, 1, 2].map((index) => pods.create(pod(`db-${index}`, spec, { app: 'db' }) as any)));
    await until(() => transport.all('pods').filter((each) => each['spec'].nodeName !== undefined).length === 2);
    const nodes = new Set(transport.all('pods').map((each) => each['spec'].nodeName ?? 'none'));
    assert.deepEqual([...nodes].sort(), ['node-a', 'node-b', 'none']);
    const placed = transport.all('pods').find((each) => each['spec'].nodeName === 'node-a')!;
    await pods.delete(placed.metadata.name, { gracePeriodSeconds: 0 });
    await until(() => transport.all('pods').every((each) => each['spec'].nodeName !== undefined));
  }));

test('instances fill the hosts up to what they have and wait for room', () =>
  withScheduler(async ({ client, transport }) => {
    await client.resource<Host>('system', HOSTS).create(host('small', '2') as any);
    await client.resource<Host>('system', HOSTS).create(host('large', '3') as any);
    const instances = client.resource<ContainerInstance>('system', CONTAINER_INSTANCES, 'acme');
    await Promise.all(Array.from({ length: 6 }, (_, index) => instances.create(instance(`i-${index}`) as any)));
    const placed = () => transport.all('containerinstances').filter((each) => each['spec'].hostName !== undefined);
    await until(() => placed().length === 5);
    assert.equal(placed().filter((each) => each['spec'].hostName === 'small').length, 2);
    const waiting = transport.all('containerinstances').find((each) => each['spec'].hostName === undefined)!;
    await until(async () => (await instances.get(waiting.metadata.name)).status?.conditions !== undefined);
    const [condition] = (await instances.get(waiting.metadata.name)).status!.conditions!;
    assert.equal(condition!.message, '0/2 hosts are available: 2 Insufficient cpu.');
    await instances.patch(placed()[0]!.metadata.name, 'merge', { status: { phase: 'Succeeded' } }, 'status');
    await until(() => placed().length === 6);
  }));

test('an instance goes to its zone and to a ready host only', () =>
  withScheduler(async ({ client }) => {
    const hosts = client.resource<Host>('system', HOSTS);
    await hosts.create(host('gone', '8', { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }) as any);
    await hosts.create(host('cordoned', '8', { spec: { zone: 'a', unschedulable: true } }) as any);
    await hosts.create(host('elsewhere', '8', { spec: { zone: 'b' } }) as any);
    const instances = client.resource<ContainerInstance>('system', CONTAINER_INSTANCES, 'acme');
    await instances.create(instance('one') as any);
    await until(async () => (await instances.get('one')).status?.conditions !== undefined);
    assert.equal(
      (await instances.get('one')).status!.conditions![0]!.message,
      '0/3 hosts are available: 1 host(s) were not in zone a, 1 host(s) were not ready, 1 host(s) were unschedulable.',
    );
    await hosts.create(host('both', '8', { spec: { zone: 'b', zones: ['b', 'a'] } }) as any);
    await until(async () => (await instances.get('one')).spec.hostName === 'both');
  }));

test('an instance gets its host before it is written, and counts there once', () =>
  withScheduler(async ({ client, transport, placer }) => {
    await client.resource<Host>('system', HOSTS).create(host('one', '3') as any);
    const instances = client.resource<ContainerInstance>('system', CONTAINER_INSTANCES, 'acme');
    const draft = (name: string, cpu = '1') => {
      const made = { ...instance(name, cpu), apiVersion: 'pool.skypod.io/v1alpha1', kind: 'ContainerInstance' };
      return { ...made, metadata: { name, namespace: 'acme' } };
    };
    const write = async (name: string) => {
      const made = draft(name);
      const placement = placer.place(made)!;
      const written = await instances.create({ ...made, spec: { ...made.spec, hostName: placement.hostName } } as any);
      placement.settle(written);
      return placement;
    };
    await until(() => {
      const placement = placer.place(draft('probe', '3'));
      placement?.settle(undefined);
      return placement?.hostName === 'one';
    });
    await Promise.all(['a', 'b'].map(write));
    const third = placer.place(draft('c'))!;
    assert.equal(placer.place(draft('d')), undefined, 'room is kept for what is on its way');
    third.settle(undefined);
    const fourth = placer.place(draft('e'))!;
    assert.equal(placer.place(draft('f')), undefined);
    fourth.settle(undefined);
    assert.equal(transport.writes.filter(({ path }) => path.endsWith('/binding')).length, 0);
    // What waits for its turn is not overtaken; room that comes free by a write that failed is told.
    const last = placer.place(draft('g'))!;
    await instances.create(instance('waits') as any);
    await until(async () => (await instances.get('waits')).status?.conditions !== undefined);
    last.settle(undefined);
    await until(async () => (await instances.get('waits')).spec.hostName === 'one');
    await instances.delete('a', { gracePeriodSeconds: 0 });
    await until(() => {
      const placement = placer.place(draft('h'));
      placement?.settle(undefined);
      return placement !== undefined;
    });
  }));
