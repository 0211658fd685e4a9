import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../api/object.ts';
import { CONFIG_MAPS } from '../api/resources.ts';
import { ManualClock, systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { until } from '../base/testing/until.ts';
import { ALL_TENANTS, Client } from './client.ts';
import { createInformerFactory } from './informer-factory.ts';
import { FakeTransport } from './testing/fake-transport.ts';

const draft = (name: string, labels: Record<string, string> = {}) => ({ metadata: { name, labels }, data: {} });

function setUp(t: { after(hook: () => void): void }, options: { hasTenants?: boolean } = {}) {
  const transport = new FakeTransport(options);
  const client = new Client(transport);
  const stop = new AbortController();
  t.after(() => stop.abort());
  const informers = createInformerFactory(client, { logger: silentLogger, clock: systemClock });
  return { transport, client, informers, stop };
}

function record(log: string[]) {
  return {
    added: (object: KubeObject) => void log.push(`+${object.metadata.name}`),
    updated: (_: KubeObject, after: KubeObject) => void log.push(`~${after.metadata.name}`),
    deleted: (object: KubeObject) => void log.push(`-${object.metadata.name}`),
  };
}

test('one informer serves all tenants and is shared', async (t) => {
  const { transport, client, informers, stop } = setUp(t);
  await client.resource('a', CONFIG_MAPS, 'x').create(draft('one'));
  await client.resource('b', CONFIG_MAPS, 'x').create(draft('one', { app: 'web' }));
  const informer = informers.informer(CONFIG_MAPS, { tenant: ALL_TENANTS });
  assert.equal(informers.informer(CONFIG_MAPS, { tenant: ALL_TENANTS }), informer);
  informers.start(stop.signal);
  await informers.waitForSync();
  assert.equal(informer.size, 2);
  assert.equal(informer.get('b/x/one')?.metadata.labels?.['app'], 'web');

  const log: string[] = [];
  informer.addHandlers(record(log));
  assert.deepEqual(log, ['+one', '+one'], 'a late subscriber hears of what is there');
  informers.informer(CONFIG_MAPS, {
    tenant: ALL_TENANTS,
    indexes: { app: (object: KubeObject) => [object.metadata.labels?.['app'] ?? ''] },
  });
  assert.equal(informer.byIndex('app', 'web').length, 1);
  await client.resource('b', CONFIG_MAPS, 'x').patch('one', 'merge', { metadata: { labels: { app: 'db' } } });
  await until(() => log.length === 3);
  assert.equal(informer.byIndex('app', 'web').length, 0);
  assert.equal(informer.byIndex('app', 'db').length, 1);
  await client.resource('b', CONFIG_MAPS, 'x').delete('one');
  await until(() => log.length === 4);
  assert.deepEqual(log.slice(2), ['~one', '-one']);
  assert.equal(transport.all('configmaps').length, 1);
});

test('after 410 it lists again and tells only what differs', async (t) => {
  const { transport, client, informers, stop } = setUp(t);
  const maps = client.resource('a', CONFIG_MAPS, 'x');
  for (const name of ['kept', 'changed', 'deleted', 'replaced']) await maps.create(draft(name));
  const informer = informers.informer(CONFIG_MAPS, { tenant: 'a' });
  informers.start(stop.signal);
  await informer.synced();
  const log: string[] = [];
  informer.addHandlers(record(log));
  log.length = 0;
  await until(() => transport.watcherCount === 1);
  transport.breakWatches();
  await maps.patch('changed', 'merge', { data: { a: '1' } });
  await maps.delete('deleted');
  await maps.delete('replaced');
  await maps.create(draft('replaced'));
  await maps.create(draft('new'));
  transport.compact();
  await until(() => log.length >= 5, 10_000);
  assert.deepEqual(log.sort(), ['+new', '+replaced', '-deleted', '-replaced', '~changed']);
});

test('a broken watch goes on where it ended, without a list', async (t) => {
  const { transport, client, informers, stop } = setUp(t);
  const maps = client.resource('a', CONFIG_MAPS, 'x');
  const informer = informers.informer(CONFIG_MAPS, { tenant: 'a' });
  informers.start(stop.signal);
  await informer.synced();
  await until(() => transport.watcherCount === 1);
  await maps.create(draft('one'));
  await until(() => informer.size === 1);
  const requests = transport.requestCount;
  transport.breakWatches();
  await maps.create(draft('two'));
  await until(() => informer.size === 2, 10_000);
  assert.equal(transport.requestCount, requests + 1, 'the create alone');
});

test('bookmarks move the resume point past compaction', async (t) => {
  const { transport, client, informers, stop } = setUp(t);
  const informer = informers.informer(CONFIG_MAPS, { tenant: 'a' });
  informers.start(stop.signal);
  await informer.synced();
  await until(() => transport.watcherCount === 1);
  await client.resource('b', CONFIG_MAPS, 'x').create(draft('elsewhere'));
  transport.sendBookmarks();
  transport.compact();
  const requests = transport.requestCount;
  transport.breakWatches();
  await until(() => transport.watcherCount === 1, 10_000);
  assert.equal(transport.requestCount, requests);
});

test('objects of a server without tenants get the tenant asked for', async (t) => {
  const { client, informers, stop } = setUp(t, { hasTenants: false });
  await client.resource('a', CONFIG_MAPS, 'x').create(draft('one'));
  const informer = informers.informer(CONFIG_MAPS, { tenant: 'a' });
  informers.start(stop.signal);
  await informer.synced();
  assert.equal(informer.get('a/x/one')?.metadata.clusterName, 'a');
});

test('a list that fails is tried again after a growing pause', async (t) => {
  let failures = 0;
  const transport = new FakeTransport({
    onRequest: () => {
      if (failures++ < 3) throw new Error('no connection');
    },
  });
  const clock = new ManualClock();
  const stop = new AbortController();
  t.after(() => stop.abort());
  const informers = createInformerFactory(new Client(transport), { logger: silentLogger, clock });
  const informer = informers.informer(CONFIG_MAPS, { tenant: 'a' });
  informers.start(stop.signal);
  for (const longest of [1600, 3200, 6400]) {
    const before = transport.requestCount;
    await until(() => transport.requestCount > 0);
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(longest / 2 - 1);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(transport.requestCount, Math.max(before, 1), 'not before the pause');
    clock.advance(longest / 2 + 1);
    await until(() => transport.requestCount > Math.max(before, 1));
  }
  await informer.synced();
});
