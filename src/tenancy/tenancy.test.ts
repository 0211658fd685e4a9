import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TENANT_FINALIZER, type Tenant } from '../api/pool.ts';
import { tenantNameFindings } from '../api/resources/tenant-strategy.ts';
import { CONFIG_MAPS, CONTAINER_INSTANCES, DEPLOYMENTS, NAMESPACES, PODS, TENANTS } from '../api/resources.ts';
import { ManualClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { settled, until } from '../base/testing/until.ts';
import { Client } from '../client/client.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { FakeTransport } from '../client/testing/fake-transport.ts';
import { startTenancy } from './index.ts';
import { removable } from './lifecycle/remove-content.ts';

const all = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const resources = [
  { ...PODS, verbs: all },
  { ...NAMESPACES, verbs: all },
  { ...CONFIG_MAPS, verbs: all },
  { ...DEPLOYMENTS, verbs: all },
  { group: 'authentication.k8s.io', version: 'v1', resource: 'tokenreviews', verbs: ['create'] },
];

interface World {
  transport: FakeTransport;
  client: Client;
  clock: ManualClock;
  /** Lets time pass until the condition holds. */
  passUntil(condition: () => unknown): Promise<void>;
}

async function withTenancy(run: (world: World) => Promise<void>): Promise<void> {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const transport = new FakeTransport({ now: () => clock.now() });
  const client = new Client(transport);
  const stop = new AbortController();
  const informers = createInformerFactory(client, { clock, logger: silentLogger });
  const done = startTenancy({ informers, clock, logger: silentLogger, resources }, stop.signal);
  informers.start(stop.signal);
  await informers.waitForSync();
  const passUntil = (condition: () => unknown) =>
    until(async () => {
      clock.advance(1000);
      return await condition();
    });
  try {
    await client
      .resource<Tenant>('system', TENANTS)
      .create({ metadata: { name: 'acme', finalizers: [TENANT_FINALIZER] } } as any);
    await run({ transport, client, clock, passUntil });
  } finally {
    stop.abort();
    await done;
  }
}

test('a new tenant is active', () =>
  withTenancy(async ({ transport }) => {
    await until(() => transport.all('tenants')[0]!['status']?.phase === 'Active');
  }));

test('deleting a tenant empties it, waits for its instances and leaves other tenants alone', () =>
  withTenancy(async ({ transport, client, passUntil }) => {
    for (const tenant of ['acme', 'other']) {
      await client.resource(tenant, CONFIG_MAPS, 'shop').create({ metadata: { name: 'settings' } } as any);
      await client.resource(tenant, DEPLOYMENTS, 'shop').create({ metadata: { name: 'web' } } as any);
    }
    const pods = client.resource('acme', PODS, 'shop');
    await pods.create({ metadata: { name: 'web' }, spec: { nodeName: 'n', terminationGracePeriodSeconds: 5 } } as any);
    const instances = client.resource('system', CONTAINER_INSTANCES, 'acme');
    await instances.create({ metadata: { name: 'u-1', finalizers: ['metering'] }, spec: {} } as any);
    await client.resource('system', TENANTS).delete('acme');
    await passUntil(() => transport.all('configmaps').every(({ metadata }) => metadata.clusterName === 'other'));
    assert.equal(transport.all('tenants')[0]!['status'].phase, 'Terminating');
    await passUntil(() => transport.all('pods')[0]!.metadata.deletionTimestamp !== undefined);
    await pods.delete('web', { gracePeriodSeconds: 0 });
    await passUntil(() => transport.all('pods').length === 0);
    assert.equal(transport.all('tenants').length, 1, 'its instance is not billed yet');
    await instances.patch('u-1', 'merge', { metadata: { finalizers: null } });
    await instances.delete('u-1');
    await passUntil(() => transport.all('tenants').length === 0);
    assert.equal(transport.all('configmaps').length, 1);
    assert.equal(transport.all('deployments').length, 1);
  }));

test('an object whose finalizer nobody removes does not hold its tenant for ever', () =>
  withTenancy(async ({ transport, client, clock, passUntil }) => {
    const startMs = clock.now();
    await client
      .resource('acme', CONFIG_MAPS, 'shop')
      .create({ metadata: { name: 'stuck', finalizers: ['example.com/nobody'] } } as any);
    await client.resource('system', TENANTS).delete('acme');
    await passUntil(() => transport.all('tenants').length === 0);
    assert.ok(clock.now() - startMs > 60_000);
    assert.equal(transport.all('configmaps').length, 0);
  }));

test('objects of the shared layer do not count', () =>
  withTenancy(async ({ transport, client, passUntil }) => {
    const uid = '01234567-89ab-8def-8123-456789abcdef';
    const original = transport.request.bind(transport);
    transport.request = async (request: any): Promise<any> => {
      const answer: any = await original(request);
      if (request.method !== 'GET' || !request.path.endsWith('/clusters/acme/api/v1/namespaces')) return answer;
      return { ...answer, items: [...answer.items, { metadata: { name: 'default', uid } }] };
    };
    await client.resource('system', TENANTS).delete('acme');
    await passUntil(() => transport.all('tenants').length === 0);
    assert.ok(!transport.writes.some(({ path }) => path.endsWith('/namespaces/default')));
  }));

test('workloads go before pods, namespaces last, what holds no objects not at all', () => {
  const group = 'admissionregistration.k8s.io';
  assert.deepEqual(
    removable([...resources, { group, version: 'v1', resource: 'validatingwebhookconfigurations', verbs: all }]).map(
      ({ resource }) => resource,
    ),
    ['validatingwebhookconfigurations', 'deployments', 'pods', 'configmaps', 'namespaces'],
  );
});

test('the system tenant is never emptied', () =>
  withTenancy(async ({ transport, client, clock }) => {
    await client
      .resource<Tenant>('system', TENANTS)
      .create({ metadata: { name: 'system', finalizers: [TENANT_FINALIZER] } } as any);
    await client.resource('system', CONFIG_MAPS, 'shop').create({ metadata: { name: 'settings' } } as any);
    await client.resource('system', TENANTS).delete('system');
    clock.advance(10_000);
    await settled();
    assert.equal(transport.all('configmaps').length, 1);
    assert.equal(transport.all('tenants').length, 2);
  }));

test('names of tenants', () => {
  for (const name of ['acme', 'a', 'team-1', 'default', 'x'.repeat(63)]) assert.deepEqual(tenantNameFindings(name), []);
  for (const name of ['', '*', 'Acme', 'a.b', '-a', 'a-', 'a/b', 'x'.repeat(64), 'skypod-hosts', 'kube-system']) {
    assert.notDeepEqual(tenantNameFindings(name), [], name);
  }
});
