import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IPAddress, ServiceCIDR } from '../../api/generated/networking-v1.ts';
import { IP_ADDRESSES, SERVICE_CIDRS } from '../../api/resources.ts';
import { ipAddressLabels, SERVICE_CIDR_FINALIZER } from '../../api/service-addresses.ts';
import { ManualClock } from '../../base/clock.ts';
import { until } from '../../base/testing/until.ts';
import { createHarness, testTenant } from '../testing/harness.ts';
import { createServiceCidrController } from './index.ts';

const blocked =
  'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR';

async function setup(t: Parameters<typeof createHarness>[0]) {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const harness = createHarness(t, { clock });
  await harness.run(createServiceCidrController(harness.dependencies));
  const cidrs = harness.client.resource<ServiceCIDR>(testTenant, SERVICE_CIDRS);
  const addresses = harness.client.resource<IPAddress>(testTenant, IP_ADDRESSES);
  const readyOf = (name: string) => harness.get<ServiceCIDR>(SERVICE_CIDRS, name)?.status?.conditions?.[0];
  return {
    clock,
    harness,
    cidrs,
    readyOf,
    isGone: (name: string) => harness.get(SERVICE_CIDRS, name) === undefined,
    create: (name: string, ...ranges: string[]) => cidrs.create({ metadata: { name }, spec: { cidrs: ranges } }),
    claim: (name: string, labels = ipAddressLabels('IPv4')) =>
      addresses.create({
        metadata: { name, labels },
        spec: { parentRef: { resource: 'services', namespace: 'default', name: 'web' } },
      }),
    release: (name: string) => addresses.delete(name),
    goes: (name: string) =>
      until(() => {
        clock.advance(1000);
        return harness.get(SERVICE_CIDRS, name) === undefined;
      }),
    isReady: (name: string) => until(() => readyOf(name)?.status === 'True'),
    isBlocked: (name: string) => until(() => readyOf(name)?.reason === 'Terminating'),
  };
}

test('a new range gets a finalizer and is ready', async (t) => {
  const { create, isReady, readyOf, harness } = await setup(t);
  await create('far', '192.168.0.0/24');
  await isReady('far');
  const cidr = harness.get<ServiceCIDR>(SERVICE_CIDRS, 'far')!;
  assert.deepEqual(cidr.metadata.finalizers, [SERVICE_CIDR_FINALIZER]);
  assert.deepEqual(readyOf('far'), {
    type: 'Ready',
    status: 'True',
    reason: '',
    message: 'Kubernetes Service CIDR is ready',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });
});

test('a range without addresses goes after a while', async (t) => {
  const { create, isReady, goes, cidrs, clock } = await setup(t);
  await create('far', '192.168.0.0/24');
  await isReady('far');
  await cidrs.delete('far');
  await goes('far');
  assert.ok(clock.now() - Date.parse('2026-01-01T00:00:00Z') >= 10_000);
});

test('addresses of this range alone keep it, until they go or another range has them', async (t) => {
  const { create, isReady, goes, isGone, isBlocked, readyOf, cidrs, claim, release } = await setup(t);
  for (const name of ['one', 'two']) {
    const range = name === 'one' ? '192.168.1.0/24' : '192.168.2.0/24';
    await create(name, range);
    await isReady(name);
  }
  await claim('192.168.1.7');
  await claim('192.168.2.7');
  await claim('192.168.1.9', {});
  await cidrs.delete('one');
  await cidrs.delete('two');
  await isBlocked('one');
  await isBlocked('two');
  assert.deepEqual([readyOf('one')?.status, readyOf('one')?.message], ['False', blocked]);
  await release('192.168.1.7');
  await goes('one');
  assert.equal(isGone('two'), false);
  await create('wide', '192.168.0.0/16');
  await goes('two');
});

test('a range within another, the default one too, goes whatever its addresses', async (t) => {
  const { create, isReady, goes, cidrs, claim } = await setup(t);
  await create('part', '10.96.8.0/24');
  await isReady('part');
  await claim('10.96.8.1');
  await cidrs.delete('part');
  await goes('part');
});

test('the default range stays as long as `kubernetes` has its address of no other', async (t) => {
  const { create, isBlocked, goes, cidrs, isReady } = await setup(t);
  await create('kubernetes', '10.96.0.0/12');
  await isReady('kubernetes');
  await cidrs.delete('kubernetes');
  await isBlocked('kubernetes');
  await create('same', '10.96.0.0/12');
  await goes('kubernetes');
});
