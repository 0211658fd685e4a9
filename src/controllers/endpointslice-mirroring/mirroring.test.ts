import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoints, Service } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '../../api/resources.ts';
import { until } from '../../client/testing/until.ts';
import { createHarness, testNamespace, testTenant } from '../testing/harness.ts';
import { createEndpointSliceMirroringController } from './index.ts';

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
