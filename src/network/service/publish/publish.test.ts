import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { decodeObject } from '../../../api/decode/decode.ts';
import type { Service } from '../../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../../api/generated/discovery-v1.ts';
import type { VpcService } from '../../../api/pool.ts';
import { platformResources } from '../../../api/resources/index.ts';
import { ENDPOINT_SLICES, SERVICES, VPC_SERVICES } from '../../../api/resources.ts';
import { systemClock } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/log.ts';
import { until } from '../../../base/testing/until.ts';
import { Client, SYSTEM_TENANT } from '../../../client/client.ts';
import { runController } from '../../../client/controller.ts';
import { createInformerFactory } from '../../../client/informer-factory.ts';
import { FakeTransport } from '../../../client/testing/fake-transport.ts';
import { serviceElements } from '../table/elements.ts';
import { createServicePublisher } from './index.ts';
import { vpcServiceSpec } from './vpc-service.ts';

const metadata = (name: string, more = {}) => ({ name, namespace: 'default', ...more });
const serviceOf = (name: string, spec: object): Service => ({ metadata: metadata(name) as any, spec: spec as any });
const sliceOf = (service: string, name: string, more: object): EndpointSlice => ({
  metadata: metadata(name, { labels: { 'kubernetes.io/service-name': service } }) as any,
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  ...more,
});

test('all that is told of a service is part of its kind', () => {
  const service = serviceOf('web', {
    type: 'LoadBalancer',
    clusterIPs: ['10.96.0.5'],
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 30001,
    sessionAffinity: 'ClientIP',
    publishNotReadyAddresses: true,
    ports: [{ name: 'http', port: 80, nodePort: 30080 }],
  });
  service.metadata.labels = { 'service.kubernetes.io/service-proxy-name': 'other' };
  const endpoints = ['a', 'b'].map((zone, index) => ({
    addresses: [`10.128.0.${index}`],
    hostname: zone,
    nodeName: `node-${zone}`,
    hints: { forNodes: [{ name: `node-${zone}` }] },
  }));
  const ending = { addresses: ['10.128.0.9'], conditions: { ready: false, serving: true } };
  const nodes = new Map(['a', 'b'].map((zone, index) => [`node-${zone}`, `10.112.0.${index}`]));
  const slices = [sliceOf('web', 'a', { endpoints: [...endpoints, ending] })];
  const definition = platformResources.find(({ kind }) => kind === 'VpcService')!;
  for (const labels of [service.metadata.labels, {}]) {
    const labelled = { ...service, metadata: { ...service.metadata, labels } };
    const spec = vpcServiceSpec(labelled, slices, nodes);
    assert.ok(spec.endpoints.some(({ near }) => near !== undefined));
    const object = { apiVersion: 'network.skypod.io/v1alpha1', kind: 'VpcService', metadata: metadata('a'), spec };
    const { unknownFields, errors } = decodeObject(definition, object, { strict: true });
    assert.deepEqual([unknownFields, errors], [[], []]);
  }
});

test('hints become who is near, unless each node has its own endpoints only', () => {
  const slice = sliceOf('web', 'a', {
    endpoints: ['a', 'b'].map((zone, index) => ({
      addresses: [`10.128.0.${index}`],
      hints: { forZones: [{ name: zone }] },
    })),
  });
  const nodes = new Map(['a', 'b'].map((zone, index) => [`node-${zone}`, `10.112.0.${index}`]));
  const zones = new Map(['a', 'b'].map((zone) => [`node-${zone}`, zone]));
  const nearOf = (more: object, addresses = ['10.96.0.5']) =>
    vpcServiceSpec(serviceOf('web', { clusterIPs: addresses, ...more }), [slice], nodes, zones).endpoints.map(
      ({ near }) => near,
    );
  assert.deepEqual(nearOf({}), [['10.112.0.0'], ['10.112.0.1']]);
  assert.deepEqual(nearOf({ internalTrafficPolicy: 'Local' }), [undefined, undefined]);
  assert.deepEqual(nearOf({}, ['None']), [undefined, undefined]);
});

test('a service with its slices, whatever their order', () => {
  const service = serviceOf('web', {
    type: 'NodePort',
    clusterIP: '10.96.0.5',
    clusterIPs: ['10.96.0.5', 'fd00::5'],
    sessionAffinity: 'ClientIP',
    ports: [
      { name: 'http', port: 80, targetPort: 'http', nodePort: 30080, protocol: 'TCP' },
      { name: 'dns', port: 53, protocol: 'UDP', targetPort: 5353 },
    ],
  });
  const slices = [
    sliceOf('web', 'a', {
      endpoints: [
        { addresses: ['10.128.0.3'], conditions: { ready: true } },
        { addresses: ['10.128.0.2'], conditions: { ready: false, serving: false }, hostname: 'web-0' },
      ],
    }),
    sliceOf('web', 'b', {
      ports: [{ name: 'dns', port: 5353, protocol: 'UDP' }],
      endpoints: [{ addresses: ['10.128.0.3'], conditions: {} }],
    }),
    sliceOf('web', 'six', { addressType: 'IPv6', endpoints: [{ addresses: ['fd00::9'] }] }),
  ];
  const spec = vpcServiceSpec(service, slices);
  assert.deepEqual(spec, {
    serviceRef: { namespace: 'default', name: 'web' },
    type: 'NodePort',
    clusterIPs: ['10.96.0.5'],
    sessionAffinitySeconds: 10800,
    ports: [
      { name: 'http', protocol: 'TCP', port: 80, nodePort: 30080 },
      { name: 'dns', protocol: 'UDP', port: 53 },
    ],
    endpoints: [
      { address: '10.128.0.2', ready: false, hostname: 'web-0', ports: { http: 8080 } },
      { address: '10.128.0.3', ready: true, ports: { dns: 5353, http: 8080 } },
    ],
  });
  assert.equal(JSON.stringify(vpcServiceSpec(service, slices.toReversed())), JSON.stringify(spec));
});

test('headless and external services have no address; endpoints that still serve stand in when none is ready', () => {
  const ending = sliceOf('web', 'a', {
    endpoints: [{ addresses: ['10.128.0.2'], conditions: { ready: false, serving: true, terminating: true } }],
  });
  const headless = vpcServiceSpec(serviceOf('web', { clusterIP: 'None', clusterIPs: ['None'], ports: [] }), [ending]);
  assert.deepEqual(headless.clusterIPs, []);
  assert.equal(headless.endpoints[0]?.ready, false);
  const normal = vpcServiceSpec(serviceOf('web', { clusterIPs: ['10.96.0.5'], ports: [] }), [ending]);
  assert.equal(normal.endpoints[0]?.ready, true);
  const external = vpcServiceSpec(serviceOf('web', { type: 'ExternalName', externalName: 'example.com' }), [ending]);
  assert.deepEqual([external.externalName, external.clusterIPs, external.endpoints], ['example.com', [], []]);
});

test('with a local policy endpoints name their virtual nodes, and those that still serve are told', () => {
  const nodes = new Map([
    ['node-a', '10.112.0.1'],
    ['node-b', '10.112.0.2'],
  ]);
  const ending = { ready: false, serving: true, terminating: true };
  const slice = sliceOf('web', 'a', {
    endpoints: [
      { addresses: ['10.128.0.2'], conditions: { ready: true }, nodeName: 'node-a' },
      { addresses: ['10.128.0.3'], conditions: ending, nodeName: 'node-b' },
      { addresses: ['10.128.0.4'], conditions: { ready: false }, nodeName: 'other' },
    ],
  });
  const specOf = (externalTrafficPolicy: string, type = 'NodePort') =>
    vpcServiceSpec(serviceOf('web', { type, externalTrafficPolicy, clusterIPs: ['10.96.0.5'] }), [slice], nodes);
  const local = specOf('Local');
  assert.deepEqual([local.externalLocal, local.internalLocal], [true, undefined]);
  assert.deepEqual(local.localAt, ['10.112.0.1', '10.112.0.2']);
  assert.deepEqual(local.endpoints, [
    { address: '10.128.0.2', ready: true, node: '10.112.0.1', ports: { http: 8080 } },
    { address: '10.128.0.3', ready: false, serving: true, node: '10.112.0.2', ports: { http: 8080 } },
    { address: '10.128.0.4', ready: false, ports: { http: 8080 } },
  ]);
  for (const spec of [specOf('Cluster'), specOf('Local', 'ClusterIP')]) {
    assert.equal(spec.localAt, undefined);
    assert.ok(spec.endpoints.every((endpoint) => !('node' in endpoint) && !('serving' in endpoint)));
  }
});

test('health check ports count the ready endpoints of each node', () => {
  const nodes = new Map([
    ['node-a', '10.112.0.1'],
    ['node-b', '10.112.0.2'],
  ]);
  const at = (address: string, nodeName: string, ready?: boolean) => ({
    addresses: [address],
    nodeName,
    conditions: { ready, serving: true },
  });
  const endpoints = [at('10.128.0.2', 'node-a', true), at('10.128.0.3', 'node-a'), at('10.128.0.4', 'node-b', false)];
  const slices = [sliceOf('web', 'a', { endpoints }), sliceOf('web', 'b', { endpoints: endpoints.slice(0, 1) })];
  const ports = { clusterIPs: ['10.96.0.5'], healthCheckNodePort: 30123 };
  const checkOf = (spec: object, name = 'web') => vpcServiceSpec(serviceOf(name, spec), slices, nodes).healthCheck;
  const local = { ...ports, type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
  assert.deepEqual(checkOf(local), { port: 30123, ready: { '10.112.0.1': 2 } });
  assert.equal(checkOf({ ...local, externalTrafficPolicy: 'Cluster' }), undefined);
  assert.equal(checkOf({ ...local, type: 'NodePort' }), undefined);
});

test('what is labelled for another proxy keeps its names, and leads nowhere', () => {
  const labels = { 'service.kubernetes.io/service-proxy-name': 'own' };
  const service = serviceOf('web', { clusterIPs: ['10.96.0.5'], ports: [{ name: 'http', port: 80 }] });
  const slice = sliceOf('web', 'a', { endpoints: [{ addresses: ['10.128.0.2'] }] });
  assert.equal(vpcServiceSpec(service, [slice]).proxiedElsewhere, undefined);
  service.metadata.labels = labels;
  const spec = vpcServiceSpec(service, [slice]);
  assert.deepEqual([spec.proxiedElsewhere, spec.clusterIPs], [true, ['10.96.0.5']]);
  const metadata = { ...service.metadata, name: 'default.web' };
  assert.deepEqual(serviceElements({ metadata, spec }).elements, []);
  assert.notDeepEqual(serviceElements({ metadata, spec: { ...spec, proxiedElsewhere: false } }).elements, []);
});

test('slices labelled as of a headless service count for headless services alone', () => {
  const slice = sliceOf('web', 'a', { endpoints: [{ addresses: ['10.128.0.2'] }] });
  slice.metadata.labels!['service.kubernetes.io/headless'] = '';
  const endpointsOf = (clusterIP: string) =>
    vpcServiceSpec(serviceOf('web', { clusterIPs: [clusterIP], ports: [] }), [slice]).endpoints.length;
  assert.deepEqual([endpointsOf('None'), endpointsOf('10.96.0.5')], [1, 0]);
});

describe('publishing', () => {
  const controller = new AbortController();
  const transport = new FakeTransport();
  const client = new Client(transport);
  const published = client.resource<VpcService>(SYSTEM_TENANT, VPC_SERVICES, 'red');
  let running: Promise<void>;

  before(async () => {
    await published.create({ metadata: { name: 'default.stale' }, spec: { serviceRef: {}, endpoints: [] } as any });
    const informers = createInformerFactory(client, { clock: systemClock, logger: silentLogger });
    running = runController(
      createServicePublisher({ informers }),
      { clock: systemClock, logger: silentLogger },
      controller.signal,
    );
    informers.start(controller.signal);
  });
  after(async () => {
    controller.abort();
    await running;
  });

  test('follows services and slices, writes only what changed, and clears what is stale', async () => {
    const services = client.resource<Service>('red', SERVICES, 'default');
    const slices = client.resource<EndpointSlice>('red', ENDPOINT_SLICES, 'default');
    await until(async () => (await published.list()).items.length === 0);
    const spec = { clusterIPs: ['10.96.0.5'], ports: [{ name: 'http', port: 80 }] };
    await services.create({ metadata: { name: 'web' }, spec });
    await until(async () => (await published.list()).items[0]?.spec.clusterIPs[0] === '10.96.0.5');
    const slice = sliceOf('web', 'web-1', { endpoints: [{ addresses: ['10.128.0.2'] }] });
    await slices.create(slice);
    await until(async () => (await published.get('default.web')).spec.endpoints.length === 1);
    const before = (await published.get('default.web')).metadata.resourceVersion;

    // A change that hosts need not know is not written; the second service tells when it has been looked at.
    await services.patch('web', 'merge', { metadata: { labels: { a: 'b' } } });
    await services.create({ metadata: { name: 'other' }, spec });
    await until(async () => (await published.list()).items.length === 2);
    assert.equal((await published.get('default.web')).metadata.resourceVersion, before);

    await services.delete('web');
    await services.delete('other');
    await until(async () => (await published.list()).items.length === 0);
  });
});
