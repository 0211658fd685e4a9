import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoints, Pod, Service } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { ENDPOINT_SLICES, ENDPOINTS, NODES, PODS, SERVICES } from '../../api/resources.ts';
import { until } from '../../base/testing/until.ts';
import { createEndpointsController } from '../endpoints/index.ts';
import { createHarness, type Harness, runningStatus, testNamespace, testTenant } from '../testing/harness.ts';
import { createEndpointSliceController } from './index.ts';

const service: any = {
  metadata: { name: 'web', labels: { team: 'a' } },
  spec: {
    clusterIP: '10.96.0.7',
    ipFamilies: ['IPv4'],
    selector: { app: 'web' },
    ports: [{ name: 'http', port: 80, targetPort: 'web', protocol: 'TCP' }],
  },
};
const pod = (name: string, ip: string, status: object = {}): any => ({
  metadata: { name, labels: { app: 'web' } },
  spec: {
    nodeName: 'node-a',
    containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 8080, protocol: 'TCP' }] }],
  },
  status: { ...runningStatus(0, ip), ...status },
});

async function start(t: any): Promise<Harness> {
  const harness = createHarness(t);
  await harness.client.resource(testTenant, NODES).create({
    metadata: { name: 'node-a', labels: { 'topology.kubernetes.io/zone': 'zone-a' } },
  });
  await harness.run(
    createEndpointSliceController(harness.dependencies),
    createEndpointsController(harness.dependencies),
  );
  return harness;
}
const slices = (harness: Harness) => harness.all<EndpointSlice>(ENDPOINT_SLICES);
const endpointCount = (harness: Harness) => slices(harness).reduce((sum, slice) => sum + slice.endpoints!.length, 0);

test('a service has an empty slice, and then its pods', async (t) => {
  const harness = await start(t);
  await harness.create<Service>(SERVICES, service);
  await until(() => slices(harness).length === 1 && harness.get(ENDPOINTS, 'web') !== undefined);
  assert.deepEqual(slices(harness)[0]!.endpoints, []);
  await harness.create<Pod>(PODS, pod('a', '10.0.0.1'));
  await until(() => endpointCount(harness) === 1);
  const [slice] = slices(harness);
  assert.equal(slices(harness).length, 1, 'the empty one is used');
  assert.match(slice!.metadata.name, /^web-.{5}$/);
  assert.deepEqual(slice!.metadata.labels, {
    team: 'a',
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  });
  assert.deepEqual(slice!.ports, [{ name: 'http', protocol: 'TCP', port: 8080 }]);
  assert.deepEqual(slice!.endpoints![0]!.conditions, { ready: true, serving: true, terminating: false });
  assert.equal(slice!.endpoints![0]!.zone, 'zone-a');
  assert.equal(slice!.endpoints![0]!.nodeName, 'node-a');
  await until(() => harness.get<Endpoints>(ENDPOINTS, 'web')?.subsets?.length === 1);
  const endpoints = harness.get<Endpoints>(ENDPOINTS, 'web')!;
  assert.equal(endpoints.subsets![0]!.addresses![0]!.ip, '10.0.0.1');
  assert.equal(endpoints.metadata.labels!['endpoints.kubernetes.io/managed-by'], 'endpoint-controller');
});

test('a pod that is not ready, terminates or ends shows as such', async (t) => {
  const harness = await start(t);
  await harness.create<Service>(SERVICES, service);
  await harness.create<Pod>(PODS, pod('a', '10.0.0.1'));
  await until(() => endpointCount(harness) === 1);
  const pods = harness.client.resource(testTenant, PODS, testNamespace);
  const conditions = () => slices(harness)[0]!.endpoints?.[0]?.conditions;
  await pods.patch('a', 'merge', { status: { conditions: [{ type: 'Ready', status: 'False' }] } }, 'status');
  await until(() => conditions()?.ready === false);
  await until(() => harness.get<Endpoints>(ENDPOINTS, 'web')?.subsets?.[0]?.notReadyAddresses?.length === 1);
  await pods.patch('a', 'merge', { status: { conditions: [{ type: 'Ready', status: 'True' }] } }, 'status');
  await until(() => conditions()?.ready === true);
  await pods.delete('a');
  await until(() => conditions()?.terminating === true);
  assert.deepEqual(conditions(), { ready: false, serving: true, terminating: true });
  await until(() => harness.get<Endpoints>(ENDPOINTS, 'web')?.subsets === undefined);
  await pods.delete('a', { gracePeriodSeconds: 0 });
  await until(() => endpointCount(harness) === 0 && slices(harness).length === 1);
});

test('250 pods fill three slices, and no endpoint is there twice', async (t) => {
  const harness = await start(t);
  await harness.create<Service>(SERVICES, service);
  await Promise.all(
    Array.from({ length: 250 }, (_, index) => harness.create<Pod>(PODS, pod(`p${index}`, `10.0.1.${index}`))),
  );
  await until(() => endpointCount(harness) === 250);
  const addresses = slices(harness).flatMap((slice) => slice.endpoints!.map((endpoint) => endpoint.addresses[0]));
  assert.equal(new Set(addresses).size, 250);
  assert.ok(slices(harness).every((slice) => slice.endpoints!.length <= 100));
  assert.ok(slices(harness).length <= 4);
});

test('a service of two families has a slice for each, of the addresses of that family', async (t) => {
  const harness = await start(t);
  const both = { ...service, spec: { ...service.spec, ipFamilies: ['IPv4', 'IPv6'] } };
  await harness.create<Service>(SERVICES, both);
  await harness.create<Pod>(PODS, pod('a', '10.0.0.1', { podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] }));
  await until(() => endpointCount(harness) === 2);
  const found = slices(harness).map(({ addressType, endpoints }) => [addressType, endpoints![0]!.addresses]);
  assert.deepEqual(found.toSorted(), [
    ['IPv4', ['10.0.0.1']],
    ['IPv6', ['fd00::1']],
  ]);
});

test('the Endpoints object goes with its service', async (t) => {
  const harness = await start(t);
  await harness.create<Service>(SERVICES, service);
  await until(() => harness.get(ENDPOINTS, 'web') !== undefined);
  await harness.client.resource(testTenant, SERVICES, testNamespace).delete('web');
  await until(() => harness.get(ENDPOINTS, 'web') === undefined);
});

test('traffic distribution becomes hints on ready endpoints, and goes with it', async (t) => {
  const harness = await start(t);
  await harness.create<Service>(SERVICES, {
    ...service,
    spec: { ...service.spec, trafficDistribution: 'PreferSameNode' },
  });
  await harness.create<Pod>(PODS, pod('a', '10.0.0.1'));
  await harness.create<Pod>(PODS, pod('b', '10.0.0.2', { conditions: [{ type: 'Ready', status: 'False' }] }));
  await until(() => endpointCount(harness) === 2);
  const hints = (ip: string) =>
    slices(harness)
      .flatMap(({ endpoints }) => endpoints ?? [])
      .find(({ addresses }) => addresses[0] === ip)?.hints;
  assert.deepEqual(hints('10.0.0.1'), { forZones: [{ name: 'zone-a' }], forNodes: [{ name: 'node-a' }] });
  assert.equal(hints('10.0.0.2'), undefined);
  const services = harness.client.resource(testTenant, SERVICES, testNamespace);
  await services.patch('web', 'merge', { spec: { trafficDistribution: 'PreferClose' } });
  await until(() => hints('10.0.0.1')?.forNodes === undefined);
  assert.deepEqual(hints('10.0.0.1'), { forZones: [{ name: 'zone-a' }] });
  await services.patch('web', 'merge', { spec: { trafficDistribution: null } });
  await until(() => hints('10.0.0.1') === undefined);
});

test('a service that asks for it gets hints by the size of zones, and both are told of', async (t) => {
  const harness = await start(t);
  const nodes = harness.client.resource(testTenant, NODES);
  for (const zone of ['a', 'b']) {
    const name = `sized-${zone}`;
    await nodes.create({ metadata: { name, labels: { 'topology.kubernetes.io/zone': `zone-${zone}` } } });
    const status = { allocatable: { cpu: '8' }, conditions: [{ type: 'Ready', status: 'True' }] };
    await nodes.patch(name, 'merge', { status }, 'status');
  }
  const annotations = { 'service.kubernetes.io/topology-mode': 'Auto' };
  await harness.create<Service>(SERVICES, { ...service, metadata: { ...service.metadata, annotations } });
  for (let index = 0; index < 4; index++) await harness.create<Pod>(PODS, pod(`p${index}`, `10.0.0.${index}`));
  const zones = () =>
    slices(harness)
      .flatMap(({ endpoints }) => endpoints ?? [])
      .map(({ hints }) => hints?.forZones?.[0]?.name)
      .sort();
  // All stand in one zone: half of them serve the other.
  await until(() => zones().join() === 'zone-a,zone-a,zone-b,zone-b');
  const message = 'TopologyAwareHintsEnabled: Topology Aware Hints has been enabled, addressType: IPv4';
  await until(() => harness.events().includes(message));
  const services = harness.client.resource(testTenant, SERVICES, testNamespace);
  await services.patch('web', 'merge', { metadata: { annotations: null } });
  await until(() => zones().every((zone) => zone === undefined));
  await until(() => harness.events().some((event) => event.startsWith('TopologyAwareHintsDisabled: Topology Aware')));
});
