import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoints, Service } from '../../api/generated/core-v1.ts';
import type { Endpoint, EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '../../api/resources.ts';
import { until } from '../../base/testing/until.ts';
import { createHarness, testNamespace, testTenant } from '../testing/harness.ts';
import { createEndpointSliceMirroringController } from './index.ts';
import { planMirror } from './mirror.ts';

test('Endpoints written by hand become slices, and follow', async (t) => {
  const harness = createHarness(t);
  await harness.run(createEndpointSliceMirroringController(harness.dependencies));
  await harness.create<Service>(SERVICES, { metadata: { name: 'legacy' }, spec: { ports: [{ port: 80 }] } });
  const ports = [{ port: 8080, protocol: 'TCP' }];
  const addresses = [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }, { ip: 'not an address' }];
  await harness.create<Endpoints>(ENDPOINTS, { metadata: { name: 'legacy' }, subsets: [{ addresses, ports }] });
  const slices = () => harness.all<EndpointSlice>(ENDPOINT_SLICES);
  await until(() => slices().length === 2);
  const [first] = slices().filter((slice) => slice.addressType === 'IPv4');
  assert.deepEqual(first!.endpoints, [{ addresses: ['192.0.2.1'], conditions: { ready: true } }]);
  assert.equal(first!.metadata.labels!['kubernetes.io/service-name'], 'legacy');
  await until(() => harness.events().some((event) => event.startsWith('InvalidIPAddress: Skipped 1 invalid')));

  const client = harness.client.resource(testTenant, ENDPOINTS, testNamespace);
  await client.patch('legacy', 'merge', { subsets: [{ notReadyAddresses: [{ ip: '192.0.2.2' }], ports }] });
  await until(() => slices().length === 1 && slices()[0]!.endpoints![0]!.addresses[0] === '192.0.2.2');
  assert.equal(slices()[0]!.metadata.name, first!.metadata.name);
  assert.equal(slices()[0]!.endpoints![0]!.conditions!.ready, false);
  await harness.client
    .resource(testTenant, SERVICES, testNamespace)
    .patch('legacy', 'merge', { spec: { selector: { app: 'web' } } });
  await until(() => slices().length === 0);
});

const sliceOf = (subsets: Endpoints['subsets']) => {
  const metadata = { name: 'legacy', namespace: 'default', uid: 'u' };
  return planMirror({ metadata, subsets } as unknown as Endpoints, []);
};
const many = (count: number, of: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => ({ ip: of(index) }));
const port = (name: string, number: number) => ({ name, port: number, protocol: 'TCP' });

test('subsets of the same addresses are one; whoever is not ready somewhere is not', () => {
  const plan = sliceOf([
    { addresses: [{ ip: '192.0.2.2' }, { ip: '192.0.2.1' }], ports: [port('a', 80)] },
    { addresses: [{ ip: '192.0.2.1' }], ports: [port('b', 443)] },
    { addresses: [{ ip: '192.0.2.2' }], notReadyAddresses: [{ ip: '192.0.2.1' }], ports: [port('c', 90)] },
    { addresses: [{ ip: '192.0.2.1' }], ports: [port('c', 90)] },
    { addresses: [{ ip: '192.0.2.2' }], ports: [port('b', 443)] },
  ]);
  const shape = plan.create.map(({ ports, endpoints }) => [
    ports!.map((each: { name?: string }) => each.name).join(),
    endpoints.map((each: Endpoint) => `${each.addresses[0]} ${each.conditions!.ready}`).join(', '),
  ]);
  assert.deepEqual(shape, [
    ['a,b', '192.0.2.1 true, 192.0.2.2 true'],
    ['c', '192.0.2.2 true, 192.0.2.1 false'],
  ]);
});

test('a thousand addresses of both families are mirrored, not-ready ones last', () => {
  const four = many(600, (index) => `192.0.${Math.floor(index / 256)}.${index % 256}`);
  const six = many(600, (index) => `2001:db8::${index.toString(16)}`);
  const plan = sliceOf([{ addresses: four, notReadyAddresses: [...six, { ip: 'none' }], ports: [port('a', 80)] }]);
  assert.deepEqual(
    plan.create.map(({ addressType, endpoints }) => `${addressType} ${endpoints.length}`),
    ['IPv4 600', 'IPv6 400'],
  );
  assert.equal(plan.skipped, 201);
});
