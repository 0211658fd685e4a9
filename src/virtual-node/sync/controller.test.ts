import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/generated/core-v1.ts';
import { type ContainerInstance, type InstancePlacer, METERING_FINALIZER } from '../../api/pool.ts';
import {
  CONFIG_MAPS,
  CONTAINER_INSTANCES,
  EVENTS,
  HOSTS,
  NODES,
  PODS,
  RUNTIME_CLASSES,
  SECRETS,
  SERVICE_ACCOUNTS,
} from '../../api/resources.ts';
import { settled, until } from '../../base/testing/until.ts';
import { boundPod, createHost, read, running, withVirtualNode } from '../testing/virtual-node.ts';

test('a bound pod becomes an instance, held for metering, in the namespace of its tenant', () =>
  withVirtualNode(async (world) => {
    const pod = (await world.pods.create(boundPod())) as Pod;
    await until(world.hasInstance);
    const { metadata, spec } = world.instance();
    assert.equal(metadata.namespace, 'acme');
    assert.equal(metadata.name, pod.metadata.uid);
    assert.equal(metadata.clusterName, 'system');
    assert.deepEqual(metadata.finalizers, [METERING_FINALIZER]);
    assert.equal(spec.zone, 'a');
    assert.deepEqual(spec.resources, { cpu: '250m', memory: '512Mi' });
    assert.deepEqual(spec.podRef, { namespace: 'shop', name: 'web', uid: pod.metadata.uid });
  }));

test('pods of nodes that are not virtual, and unbound ones, are left alone', () =>
  withVirtualNode(async (world) => {
    await world.pods.create(boundPod({ nodeName: 'my-own-machine' }, { metadata: { name: 'own' } }));
    await world.pods.create(boundPod({ nodeName: undefined }, { metadata: { name: 'unbound' } }));
    await world.pods.create(boundPod());
    await until(world.hasInstance);
    assert.equal(world.transport.all('containerinstances').length, 1);
  }));

test('the status of the instance becomes the pod’s, the tenant’s own conditions stay and gates hold Ready back', () =>
  withVirtualNode(async (world) => {
    await world.pods.create(boundPod({ readinessGates: [{ conditionType: 'example.com/lb' }] }));
    await until(world.hasInstance);
    await world.setStatus(running);
    await until(async () => (await world.pod()).status?.phase === 'Running');
    const status = (await world.pod()).status!;
    assert.equal(status.podIP, '10.128.0.5');
    assert.deepEqual(status.hostIPs, [{ ip: '10.128.0.1' }]);
    assert.equal(status.qosClass, 'BestEffort');
    assert.equal((await read(world, 'PodScheduled'))?.status, 'True');
    const ready = await read(world, 'Ready');
    assert.deepEqual([ready?.status, ready?.reason], ['False', 'ReadinessGatesNotReady']);
    await world.pods.patch(
      'web',
      'strategic',
      { status: { conditions: [{ type: 'example.com/lb', status: 'True' }] } },
      'status',
    );
    await until(async () => (await read(world, 'Ready'))?.status === 'True');
    assert.equal((await read(world, 'Ready'))?.reason, undefined);
    assert.equal((await read(world, 'example.com/lb'))?.status, 'True');
  }));

test('an unchanged status is not written again', () =>
  withVirtualNode(async (world) => {
    await world.pods.create(boundPod());
    await until(world.hasInstance);
    await world.setStatus(running);
    await until(async () => (await world.pod()).status?.phase === 'Running');
    const writes = () => world.transport.writes.filter(({ path }) => path.endsWith('/pods/web/status')).length;
    const before = writes();
    await world.setStatus({ meteredFrom: '2026-01-01T00:00:01.000Z' });
    await world.setStatus({ message: 'hello' });
    await until(async () => (await world.pod()).status?.message === 'hello');
    assert.equal(writes(), before + 1);
  }));

test('deletion: the instance first, with the pod’s grace, then the pod', () =>
  withVirtualNode(async (world) => {
    await createHost(world);
    await world.pods.create(boundPod());
    await until(world.hasInstance);
    const { name } = world.instance().metadata;
    const instances = world.client.resource('system', CONTAINER_INSTANCES, 'acme');
    await instances.createSubresource(name, 'binding', { target: { name: 'host-1' } });
    await world.setStatus(running);
    await world.pods.delete('web', { gracePeriodSeconds: 12 });
    await until(() => world.instance().metadata.deletionGracePeriodSeconds === 12);
    await world.setStatus({ phase: 'Succeeded', meteredTo: '2026-01-01T00:00:09.000Z' });
    await until(async () => (await world.pod()).status?.phase === 'Succeeded');
    await instances.delete(name, { gracePeriodSeconds: 0 });
    assert.equal(world.transport.all('pods').length, 1, 'metering still holds the instance');
    await instances.patch(name, 'merge', { metadata: { finalizers: null } });
    await until(() => world.transport.all('pods').length === 0);
  }));

test('an instance without a host goes at once', () =>
  withVirtualNode(async (world) => {
    await world.pods.create(boundPod());
    await until(world.hasInstance);
    await world.pods.delete('web');
    await until(() => world.instance().metadata.deletionGracePeriodSeconds === 0);
  }));

test('a pod removed by force takes its instance along', () =>
  withVirtualNode(async (world) => {
    await world.pods.create(boundPod());
    await until(world.hasInstance);
    await world.pods.delete('web', { gracePeriodSeconds: 0 });
    await until(() => world.instance().metadata.deletionTimestamp !== undefined);
  }));

test('a missing volume source keeps the pod creating, with an event, until it appears', () =>
  withVirtualNode(async (world) => {
    await world.pods.create(boundPod({ volumes: [{ name: 'conf', configMap: { name: 'settings' } }] }));
    await until(async () => (await world.pod()).status?.containerStatuses !== undefined);
    const { containerStatuses } = (await world.pod()).status!;
    assert.equal(containerStatuses![0]!.state!.waiting!.reason, 'ContainerCreating');
    await until(() => world.transport.all('events').length > 0);
    const event = world.transport.all('events')[0]!;
    assert.equal(event['reason'], 'FailedMount');
    assert.equal(event['message'], 'MountVolume.SetUp failed for volume "conf" : configmap "settings" not found');
    assert.deepEqual(event['source'], { component: 'kubelet', host: 'virtual-node-a' });
    const configMaps = world.client.resource('acme', CONFIG_MAPS, 'shop');
    await configMaps.create({ metadata: { name: 'settings' }, data: { color: 'blue' } });
    await until(world.hasInstance);
    const files = () => world.instance().spec.volumeFiles!['conf']!;
    assert.deepEqual(files(), [{ path: 'color', data: Buffer.from('blue').toString('base64'), mode: 0o644 }]);
    await configMaps.patch('settings', 'merge', { data: { color: 'green' } });
    await until(() => Buffer.from(files()[0]!.data, 'base64').toString() === 'green');
    await configMaps.delete('settings');
    await configMaps.create({ metadata: { name: 'settings' }, data: { color: 'red' } });
    await until(() => Buffer.from(files()[0]!.data, 'base64').toString() === 'red');
  }));

test('a container whose secret is missing is told so, and configured when it comes', () =>
  withVirtualNode(async (world) => {
    const valueFrom = { secretKeyRef: { name: 'db', key: 'password' } };
    await world.pods.create(boundPod({ containers: [{ name: 'main', env: [{ name: 'PASSWORD', valueFrom }] }] }));
    await until(world.hasInstance);
    assert.deepEqual(world.instance().spec.configErrors, { main: 'secret "db" not found' });
    const secrets = world.client.resource('acme', SECRETS, 'shop');
    await secrets.create({ metadata: { name: 'db' }, data: {} });
    const message = "couldn't find key password in Secret shop/db";
    await until(() => world.instance().spec.configErrors!['main'] === message);
    await secrets.patch('db', 'merge', { data: { password: Buffer.from('s3').toString('base64') } });
    await until(() => world.instance().spec.configErrors?.['main'] === undefined);
    assert.deepEqual(world.instance().spec.pod.containers[0]!.env, [{ name: 'PASSWORD', value: 's3' }]);
  }));

test('the next start of a container finds its sources as they are then', () =>
  withVirtualNode(async (world) => {
    const valueFrom = { configMapKeyRef: { name: 'settings', key: 'color' } };
    const annotation = { fieldRef: { fieldPath: "metadata.annotations['size']" } };
    const env = [
      { name: 'COLOR', valueFrom },
      { name: 'SIZE', valueFrom: annotation },
    ];
    const configMaps = world.client.resource('acme', CONFIG_MAPS, 'shop');
    await configMaps.create({ metadata: { name: 'settings' }, data: { color: 'blue' } });
    await world.pods.create(boundPod({ containers: [{ name: 'main', env }] }));
    await until(world.hasInstance);
    const values = () => world.instance().spec.pod.containers[0]!.env!.map(({ value }) => value);
    assert.deepEqual(values(), ['blue', '']);
    await configMaps.patch('settings', 'merge', { data: { color: 'green' } });
    await until(() => values()[0] === 'green');
    await world.pods.patch('web', 'merge', { metadata: { annotations: { size: 'small' } } });
    await until(() => values()[1] === 'small');
    await configMaps.delete('settings');
    await until(() => world.instance().spec.configErrors?.['main'] === 'configmap "settings" not found');
    assert.deepEqual(values(), ['green', 'small']);
  }));

test('tokens are asked for once and renewed at 80 % of their life', () =>
  withVirtualNode(async (world) => {
    await world.client.resource('acme', SERVICE_ACCOUNTS, 'shop').create({ metadata: { name: 'default' } });
    const sources = [{ serviceAccountToken: { path: 'token', expirationSeconds: 3600 } }];
    await world.pods.create(boundPod({ volumes: [{ name: 'api', projected: { sources } }] }));
    await until(world.hasInstance);
    const token = () => Buffer.from(world.instance().spec.volumeFiles!['api']![0]!.data, 'base64').toString();
    assert.equal(token(), 'token-1');
    await world.setStatus(running);
    await until(async () => (await world.pod()).status?.phase === 'Running');
    await world.pods.patch('web', 'merge', { metadata: { labels: { app: 'other' } } });
    world.clock.advance(40 * 60_000);
    await settled();
    assert.equal(world.tokens.count, 1);
    world.clock.advance(10 * 60_000);
    await until(() => token() === 'token-2');
    world.clock.advance(49 * 60_000);
    await until(() => token() === 'token-3');
  }));

test('tokens are renewed in time at whatever second they are due, and again once their service account is back', () =>
  withVirtualNode(async (world) => {
    const accounts = world.client.resource('acme', SERVICE_ACCOUNTS, 'shop');
    await accounts.create({ metadata: { name: 'default' } });
    world.clock.advance(12_345);
    const sources = [{ serviceAccountToken: { path: 'token', expirationSeconds: 600 } }];
    await world.pods.create(boundPod({ volumes: [{ name: 'api', projected: { sources } }] }));
    await until(world.hasInstance);
    const token = () => Buffer.from(world.instance().spec.volumeFiles!['api']![0]!.data, 'base64').toString();
    const passes = async (seconds: number) => {
      for (let second = 0; second < seconds; second += 5) {
        world.clock.advance(5000);
        await settled();
      }
    };
    await world.setStatus(running);
    for (const wanted of ['token-2', 'token-3']) {
      await passes(495);
      await until(() => token() === wanted);
    }
    await accounts.delete('default');
    await passes(495);
    assert.equal(token(), 'token-3');
    await accounts.create({ metadata: { name: 'default' } });
    await passes(60);
    await until(() => token() === 'token-4');
  }));

test('no room in the pool: the pod stays Pending and its event says why', () =>
  withVirtualNode(async (world) => {
    await world.pods.create(boundPod());
    await until(world.hasInstance);
    const message = '0/1 hosts are available: 1 Insufficient cpu.';
    await world.setStatus({
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
    });
    await until(() => world.transport.all('events').some((event) => event['reason'] === 'OutOfCapacity'));
    await until(async () => (await world.pod()).status?.containerStatuses !== undefined);
    assert.equal((await world.pod()).status!.phase, 'Pending');
    assert.equal((await read(world, 'PodReadyToStartContainers'))?.message, message);
  }));

test('a host that stops reporting takes Ready from its pods, and gives it back', () =>
  withVirtualNode(async (world) => {
    const hosts = world.client.resource('system', HOSTS);
    const ready = (status: string) => ({ status: { conditions: [{ type: 'Ready', status }] } });
    await createHost(world);
    await world.pods.create(boundPod());
    await until(world.hasInstance);
    const instances = world.client.resource('system', CONTAINER_INSTANCES, 'acme');
    await instances.createSubresource(world.instance().metadata.name, 'binding', { target: { name: 'host-1' } });
    await world.setStatus(running);
    await until(async () => (await read(world, 'Ready'))?.status === 'True');
    await hosts.patch('host-1', 'merge', ready('Unknown'), 'status');
    await until(async () => (await read(world, 'Ready'))?.status === 'False');
    await hosts.patch('host-1', 'merge', ready('True'), 'status');
    await until(async () => (await read(world, 'Ready'))?.status === 'True');
  }));

test('an instance lost under a running pod fails the pod instead of starting it twice', () =>
  withVirtualNode(async (world) => {
    await world.pods.create(boundPod());
    await until(world.hasInstance);
    await world.setStatus(running);
    await until(async () => (await world.pod()).status?.phase === 'Running');
    const { name } = world.instance().metadata;
    const instances = world.client.resource('system', CONTAINER_INSTANCES, 'acme');
    await instances.patch(name, 'merge', { metadata: { finalizers: null } });
    await instances.delete(name);
    await until(async () => (await world.pod()).status?.phase === 'Failed');
    assert.equal((await world.pod()).status!.reason, 'InstanceLost');
    assert.equal(world.transport.all('containerinstances').length, 0);
  }));

test('a host removed from the pool: its pods fail, so that others may take their place', () =>
  withVirtualNode(async (world) => {
    await createHost(world);
    await world.pods.create(boundPod());
    await until(world.hasInstance);
    const instances = world.client.resource('system', CONTAINER_INSTANCES, 'acme');
    await instances.createSubresource(world.instance().metadata.name, 'binding', { target: { name: 'host-1' } });
    await world.setStatus(running);
    await until(async () => (await world.pod()).status?.phase === 'Running');
    await world.client.resource('system', HOSTS).delete('host-1');
    await until(async () => (await world.pod()).status?.phase === 'Failed');
    assert.match((await world.pod()).status!.message!, /host-1\) was removed/);
    await until(() => world.instance().metadata.deletionGracePeriodSeconds === 0);
  }));

test('the instance carries the address of its virtual node', () =>
  withVirtualNode(async (world) => {
    await world.pods.create(boundPod({ nodeName: 'virtual-node-b' }));
    await until(world.hasInstance);
    assert.equal(world.instance().spec.vpc.nodeAddress, '10.112.0.2');
  }));

test('the handler of the pod’s RuntimeClass reaches the instance; without the class the pod waits, and says why', () =>
  withVirtualNode(async (world) => {
    await world.pods.create(boundPod({ runtimeClassName: 'safe' }));
    const told = async () => (await world.client.resource<any>('acme', EVENTS, 'shop').list()).items;
    await until(async () => (await told()).length > 0);
    const [{ reason, message }] = await told();
    assert.equal(reason, 'FailedCreatePodSandBox');
    assert.equal(message, 'Failed to create pod sandbox: runtimeclass.node.k8s.io "safe" not found');
    assert.equal((await world.pod()).status?.phase, 'Pending');
    assert.ok(!world.hasInstance());
    const runtimeClass: any = { metadata: { name: 'safe' }, handler: 'runsc' };
    await world.client.resource('acme', RUNTIME_CLASSES).create(runtimeClass);
    await until(() => {
      world.clock.advance(1000);
      return world.hasInstance();
    });
    assert.equal(world.instance().spec.runtimeHandler, 'runsc');
  }));

test('a pod bound to a node whose port is taken fails at once', async () => {
  await withVirtualNode(async (world) => {
    const ports = (hostIP?: string) => ({
      containers: [
        { name: 'main', image: 'i', ports: [{ containerPort: 80, hostPort: 8080, ...(hostIP && { hostIP }) }] },
      ],
    });
    const named = (name: string, spec: object) => ({ ...boundPod(spec), metadata: { name } });
    await world.pods.create(named('first', ports('127.0.0.1')));
    await until(() => world.hasInstance());
    world.clock.advance(2000);
    await world.pods.create(named('elsewhere', ports('10.112.0.1')));
    await until(() => world.transport.all('containerinstances').length === 2);
    await world.pods.create(named('second', ports()));
    await until(async () => (await world.pod('second')).status?.phase === 'Failed');
    const { status } = await world.pod('second');
    assert.equal(status!.reason, 'NodePorts');
    assert.match(status!.message!, /^Pod was rejected: Predicate NodePorts failed/);
    assert.equal(world.transport.all('containerinstances').length, 2);
  });
});

const sized = (cpu: string, memory = '1Gi') => ({
  containers: [{ name: 'main', image: 'i', resources: { requests: { cpu, memory } } }],
});

test('a pod bound by hand to a node that it does not fit fails with the kubelet’s reason, and holds nothing', async () => {
  await withVirtualNode(async (world) => {
    const allocatable = { cpu: '4', memory: '8Gi', pods: '3' };
    const metadata = { name: 'virtual-node-a', labels: { zone: 'a' } };
    await world.client.resource('acme', NODES).create({ metadata, status: { allocatable } });
    // Another tenant's do not count.
    const elsewhere = world.client.resource('other', PODS, 'shop');
    await elsewhere.create(boundPod(sized('4'), { metadata: { name: 'theirs' } }));
    const named = (name: string, spec: object) => boundPod(spec, { metadata: { name, generation: 1 } });
    const bind = (name: string, spec: object) => world.pods.create(named(name, spec));
    const failure = async (name: string, spec: object) => {
      await bind(name, spec);
      await until(async () => (await world.pod(name)).status?.phase === 'Failed');
      const { reason, message, qosClass, observedGeneration, startTime } = (await world.pod(name)).status!;
      assert.deepEqual([qosClass, observedGeneration], ['BestEffort', 1]);
      assert.ok(startTime);
      return [reason, message];
    };
    const instances = () => (world.transport.all('containerinstances') as ContainerInstance[]).length;
    const lacks = (what: string) => `Pod was rejected: Node didn't have enough resource: ${what}`;
    await bind('first', sized('3'));
    await until(() => instances() === 2);
    assert.deepEqual(await failure('huge', sized('1000000000000')), [
      'OutOfcpu',
      lacks('cpu, requested: 1000000000000000, used: 3000, capacity: 4000'),
    ]);
    assert.deepEqual(await failure('second', sized('1', '7681Mi')), [
      'OutOfmemory',
      lacks('memory, requested: 8054112256, used: 1073741824, capacity: 8589934592'),
    ]);
    assert.deepEqual(await failure('picky', { nodeSelector: { zone: 'b' } }), [
      'NodeAffinity',
      "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    ]);
    assert.equal((await failure('foreign', { os: { name: 'windows' } }))[0], 'PodOSNotSupported');
    // What was refused takes no room.
    await bind('third', { ...sized('1'), nodeSelector: { zone: 'a' } });
    await bind('fourth', {});
    await until(() => instances() === 4);
    const [reason, message] = await failure('fifth', {});
    assert.deepEqual([reason, message], ['OutOfpods', lacks('pods, requested: 1, used: 3, capacity: 3')]);
    // Room is there again once a pod has gone, also by force.
    await world.pods.delete('first', { gracePeriodSeconds: 0 });
    await bind('sixth', sized('3'));
    await until(async () =>
      (await world.client.resource('system', CONTAINER_INSTANCES, 'acme').list()).items.some(
        (instance) => (instance as ContainerInstance).spec.podRef.name === 'sixth',
      ),
    );
  });
});

test('a resize reaches the instance with its generation, and the old shape is kept for the bill', async () => {
  await withVirtualNode(async (world) => {
    await createHost(world);
    await world.pods.create(boundPod(sized('1'), { metadata: { name: 'web', generation: 1 } }));
    await until(() => world.hasInstance());
    const { name } = world.instance().metadata;
    const instances = world.client.for(CONTAINER_INSTANCES, world.instance());
    await instances.patch(name, 'merge', { spec: { hostName: 'host-1' } });
    await world.setStatus({ ...running, meteredFrom: '2026-01-01T00:00:01.000Z', observedGeneration: 1 });
    await until(async () => (await world.pod()).status?.observedGeneration === 1);
    await world.client
      .resource('system', HOSTS)
      .patch('host-1', 'merge', { status: { allocatable: { cpu: '4', memory: '8Gi' } } }, 'status');

    await world.pods.patch('web', 'merge', { metadata: { generation: 2 }, spec: sized('2') });
    await until(() => world.instance().spec.podGeneration === 2);
    const { spec } = world.instance();
    assert.equal(spec.pod.containers[0]!.resources!.requests!['cpu'], '2');
    assert.deepEqual(spec.resources, { cpu: '2', memory: '1Gi' });
    assert.deepEqual(spec.resourceHistory, [{ cpu: '1', memory: '1Gi', until: '2026-01-01T00:00:00.000Z' }]);
    assert.equal((await world.pod()).status!.observedGeneration, 1, 'the host has not seen it yet');
    const inProgress = async () =>
      (await world.pod()).status?.conditions?.find(({ type }) => type === 'PodResizeInProgress');
    await until(async () => (await inProgress())?.observedGeneration === 2);
    const eventOf = (reason: string) => world.transport.all('events').find((event) => event['reason'] === reason);
    const summary = (cpu: string, generation: number, error?: string) =>
      JSON.stringify({
        containers: [{ name: 'main', resources: { requests: { cpu, memory: '1Gi' } } }],
        generation,
        ...(error && { error }),
      });
    await until(() => eventOf('ResizeStarted') !== undefined);
    assert.equal(eventOf('ResizeStarted')!['message'], `Pod resize started: ${summary('2', 2)}`);
    assert.deepEqual((await world.pod()).status!.allocatedResources, { cpu: '2', memory: '1Gi' });
    assert.equal((await world.pod()).status!.resources!.requests!['cpu'], '1', 'what it has still');
    const refused = { type: 'PodResizeInProgress', status: 'True', reason: 'Error', message: 'cannot decrease' };
    await world.setStatus({ ...running, observedGeneration: 2, conditions: [refused] });
    await until(() => eventOf('ResizeError') !== undefined);
    assert.equal(eventOf('ResizeError')!['message'], `Pod resize error: ${summary('2', 2, 'cannot decrease')}`);
    assert.equal((await inProgress())!.message, 'cannot decrease');
    await world.setStatus({ ...running, meteredFrom: '2026-01-01T00:00:01.000Z', observedGeneration: 2 });
    await until(() => eventOf('ResizeCompleted') !== undefined);
    assert.equal(eventOf('ResizeCompleted')!['message'], `Pod resize completed: ${summary('2', 2)}`);
    await until(async () => (await world.pod()).status!.resources!.requests!['cpu'] === '2');

    await world.pods.patch('web', 'merge', { metadata: { generation: 3 }, spec: sized('16') });
    const pending = async () => (await world.pod()).status?.conditions?.find(({ type }) => type === 'PodResizePending');
    await until(async () => (await pending()) !== undefined);
    assert.equal((await pending())!.reason, 'Infeasible');
    assert.match((await pending())!.message!, /capacity: cpu, requested: 16000, capacity: 4000/);
    assert.equal((await pending())!.observedGeneration, 3);
    await until(() => eventOf('ResizeInfeasible') !== undefined);
    assert.equal(
      eventOf('ResizeInfeasible')!['message'],
      `Pod resize Infeasible: ${summary('16', 3, (await pending())!.message)}`,
    );
    assert.equal(world.instance().spec.pod.containers[0]!.resources!.requests!['cpu'], '2');

    await world.pods.patch('web', 'merge', { metadata: { generation: 4 }, spec: sized('2') });
    const deletes = { $patch: 'delete', type: 'PodResizePending' };
    await until(() =>
      world.transport.writes.some(({ body }) => JSON.stringify(body)?.includes(JSON.stringify(deletes))),
    );
  });
});

test('an instance is made on the host that is chosen for it, and the choice is settled either way', async () => {
  const settled: (string | undefined)[] = [];
  const placer: InstancePlacer = {
    place: ({ spec }) => ({
      hostName: `host-of-${spec.zone}`,
      settle: (instance) => settled.push(instance?.spec.hostName),
    }),
  };
  await withVirtualNode(async (world) => {
    await world.client.resource('acme', SERVICE_ACCOUNTS, 'shop').create({ metadata: { name: 'default' } } as any);
    const request = world.transport.request.bind(world.transport);
    let isRefused = false;
    world.transport.request = (asked) => {
      if (isRefused || asked.method !== 'POST' || !asked.path.endsWith('/containerinstances')) return request(asked);
      isRefused = true;
      return Promise.reject(new Error('the server is away'));
    };
    await world.pods.create(boundPod());
    await until(() => isRefused && settled.length === 1);
    await until(() => {
      world.clock.advance(1000);
      return world.hasInstance();
    });
    assert.equal(world.instance().spec.hostName, 'host-of-a');
    await until(() => settled.length === 2);
    assert.deepEqual(settled, [undefined, 'host-of-a']);
  }, placer);
});
