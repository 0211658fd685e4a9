import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '../../api/generated/core-v1.ts';
import type { IPAddress } from '../../api/generated/networking-v1.ts';
import { IP_ADDRESSES, SERVICES } from '../../api/resources.ts';
import { ipAddressLabels } from '../../api/service-addresses.ts';
import { ManualClock } from '../../base/clock.ts';
import { until } from '../../base/testing/until.ts';
import { createHarness, testNamespace, testTenant } from '../testing/harness.ts';
import { createIpAddressRepairController } from './index.ts';

async function setup(t: Parameters<typeof createHarness>[0]) {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const harness = createHarness(t, { clock });
  const services = harness.client.resource<Service>(testTenant, SERVICES, testNamespace);
  const addresses = harness.client.resource<IPAddress>(testTenant, IP_ADDRESSES);
  return {
    clock,
    harness,
    services,
    addresses,
    start: () => harness.run(createIpAddressRepairController(harness.dependencies)),
    parentOf: (name: string) => harness.get<IPAddress>(IP_ADDRESSES, name)?.spec?.parentRef?.name,
    serve: (name: string, address: string, spec: object = {}) =>
      services.create({
        metadata: { name },
        spec: { type: 'ClusterIP', clusterIP: address, clusterIPs: [address], ...spec },
      }),
    claim: (name: string, service: string, labels = ipAddressLabels('IPv4'), resource = 'services') =>
      addresses.create({
        metadata: { name, labels },
        spec: { parentRef: { resource, namespace: testNamespace, name: service } },
      }),
  };
}

test('a service whose address is not claimed claims it, also when its claim is deleted', async (t) => {
  const { start, serve, parentOf, addresses, harness } = await setup(t);
  await start();
  await serve('web', '10.96.1.1');
  await until(() => parentOf('10.96.1.1') === 'web');
  await addresses.delete('10.96.1.1');
  await until(() => parentOf('10.96.1.1') === 'web');
  const message = 'ClusterIPNotAllocated: Cluster IP [IPv4]: 10.96.1.1 is not allocated; repairing';
  await until(() => harness.events().includes(message));
});

test('an address of no range is told of, `kubernetes` and services without address are left alone', async (t) => {
  const { start, serve, harness } = await setup(t);
  await serve('kubernetes', '10.96.0.1');
  await serve('headless', 'None');
  await serve('outside', '192.168.0.9', { type: 'ExternalName' });
  await serve('far', '192.168.0.1');
  await start();
  const message =
    'ClusterIPOutOfRange: Cluster IP [IPv4]: 192.168.0.1 is not within any configured Service CIDR; please recreate service';
  await until(() => harness.events().length > 0);
  assert.deepEqual(harness.events(), [message]);
  assert.deepEqual(harness.all(IP_ADDRESSES), []);
});

test('claims for the wrong parent or with the wrong labels are made anew', async (t) => {
  const { start, serve, claim, parentOf, harness } = await setup(t);
  await serve('gone-parent', '10.96.1.1');
  await claim('10.96.1.1', 'nobody');
  await serve('other-kind', '10.96.1.2');
  await claim('10.96.1.2', 'other-kind', ipAddressLabels('IPv4'), 'gateways');
  await serve('no-labels', '10.96.1.3');
  const { uid } = (await claim('10.96.1.3', 'no-labels', {})).metadata;
  await start();
  await until(() => parentOf('10.96.1.1') === 'gone-parent');
  await until(() => harness.get<IPAddress>(IP_ADDRESSES, '10.96.1.2')?.spec?.parentRef?.resource === 'services');
  await until(() => {
    const claimed = harness.get(IP_ADDRESSES, '10.96.1.3');
    return claimed !== undefined && claimed.metadata.uid !== uid;
  });
  const wrong = (address: string, name: string) =>
    `ClusterIPNotAllocated: the ClusterIP [IPv4]: ${address} for Service default/${name} has a wrong reference; repairing`;
  await until(() => harness.events().length >= 2);
  assert.deepEqual(harness.events().toSorted(), [wrong('10.96.1.1', 'gone-parent'), wrong('10.96.1.2', 'other-kind')]);
});

test('an address of two services stays with the one that claims it', async (t) => {
  const { start, serve, claim, parentOf, harness } = await setup(t);
  await serve('first', '10.96.1.1');
  await serve('second', '10.96.1.1');
  await claim('10.96.1.1', 'first');
  await start();
  const message =
    'ClusterIPAlreadyAllocated: Cluster IP [IPv4]:10.96.1.1 was assigned to multiple services; please recreate service';
  await until(() => harness.events().includes(message));
  assert.equal(parentOf('10.96.1.1'), 'first');
});

test('claims without their service go after a while; others’ addresses are left alone', async (t) => {
  const { start, serve, claim, clock, parentOf, harness } = await setup(t);
  await claim('10.96.1.1', 'nobody');
  await claim('10.96.1.2', 'nobody', {});
  await claim('10.96.1.3', 'web');
  await claim('10.96.1.4', 'web', ipAddressLabels('IPv4'), 'gateways');
  await serve('web', '10.96.1.9');
  await claim('10.96.1.9', 'web');
  await start();
  await until(() => parentOf('10.96.1.3') === undefined);
  await until(() => parentOf('10.96.1.4') === undefined);
  assert.equal(parentOf('10.96.1.1'), 'nobody');
  await until(() => {
    clock.advance(10_000);
    return parentOf('10.96.1.1') === undefined;
  });
  assert.ok(clock.now() - Date.parse('2026-01-01T00:00:00Z') > 60_000);
  assert.deepEqual([parentOf('10.96.1.2'), parentOf('10.96.1.9')], ['nobody', 'web']);
  await until(() => harness.events().length >= 3);
  assert.deepEqual(harness.events().toSorted(), [
    'IPAddressNotAllocated: IPAddress 10.96.1.4 appears to have been modified, not referencing a Service &ParentReference{Group:,Resource:gateways,Namespace:default,Name:web,}: cleaning up',
    'IPAddressNotAllocated: IPAddress: 10.96.1.1 for Service default/nobody appears to have leaked: cleaning up',
    'IPAddressWrongReference: IPAddress: 10.96.1.3 for Service default/web has a wrong reference; cleaning up',
  ]);
});
