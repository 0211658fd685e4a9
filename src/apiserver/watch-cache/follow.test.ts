import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { KubeObject } from '../../api/object.ts';
import { ManualClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store } from '../../store/store.ts';
import { createWatchCaches } from './caches.ts';
import { encodeForStore } from './encoding.ts';
import { followAgain, keepFollowing, type ObjectListener } from './follow.ts';
import { Followed } from './followed.ts';
import { storeKey } from './keys.ts';
import type { WatchCaches } from './watch-cache.ts';

const NODES = { group: '', resource: 'nodes' };

let store: Store;
let clock: ManualClock;
let caches: WatchCaches;

beforeEach(() => {
  store = openMemoryStore();
  clock = new ManualClock();
  caches = createWatchCaches({ store, clock, logger: silentLogger });
});

afterEach(async () => {
  caches.close();
  await store.close();
});

async function write(tenant: string, name: string, object?: KubeObject): Promise<void> {
  const key = storeKey(NODES, tenant, '', name);
  const { revision } = await store.commit({
    compare: [],
    operations: [object === undefined ? { type: 'delete', key } : { type: 'put', key, value: encodeForStore(object) }],
  });
  await caches.peek(NODES)?.waitForRevision(revision);
}

const node = (name: string, text = ''): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, uid: 'u', resourceVersion: '', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { text },
});

describe('what follows all tenants’ objects', () => {
  test('is told of what is there, what changes, and what went while nobody looked', async () => {
    await write('one', 'a', node('a'));
    await write('two', 'b', node('b'));
    const known = new Map<string, Map<string, unknown>>();
    const told: string[] = [];
    const listener: ObjectListener = (tenant, name, object) => {
      told.push(`${object === undefined ? '-' : '+'}${tenant}/${name}`);
      const names = known.get(tenant) ?? new Map();
      known.set(tenant, names);
      if (object === undefined) names.delete(name);
      else names.set(name, object);
    };
    const objects = { cache: () => caches.for(NODES) };
    const stop = await keepFollowing({
      resource: NODES,
      objects,
      clock,
      logger: silentLogger,
      follow: (cache, onEnd) => followAgain(cache, known, listener, onEnd),
    });
    assert.deepEqual(told.splice(0), ['+one/a', '+two/b']);
    await write('one', 'a');
    await write('one', 'c', node('c'));
    assert.deepEqual(told.splice(0), ['-one/a', '+one/c']);

    caches.drop(NODES);
    await write('two', 'b');
    clock.advance(1000);
    await caches.for(NODES);
    await new Promise(setImmediate);
    assert.deepEqual(told.splice(0), ['+one/c', '-two/b']);

    stop();
    await write('one', 'd', node('d'));
    assert.deepEqual(told, []);
  });

  test('makes of each object what it stands for when first asked, in the order of names', async () => {
    let made = 0;
    const followed = new Followed<string>(
      NODES,
      (resource) => caches.for(resource),
      function* (object, tenant) {
        made += 1;
        yield;
        return object['spec'].text.split(',').map((word: string) => `${tenant}:${word}`);
      },
    );
    await write('one', 'b', node('b', 'x,y'));
    await write('one', 'a', node('a', 'z'));
    assert.equal(followed.isLoaded, false);
    await followed.load();
    assert.deepEqual([followed.hasAny('one'), followed.hasAny('two'), made], [true, false, 0]);
    assert.deepEqual(followed.ofTenant('one'), ['one:z', 'one:x', 'one:y']);
    assert.deepEqual(followed.ofTenant('two'), []);
    await write('one', 'a', node('a', 'w'));
    assert.deepEqual(followed.ofTenant('one'), ['one:w', 'one:x', 'one:y']);
    assert.equal(made, 3);
    await write('one', 'a');
    await write('one', 'b');
    assert.equal(followed.hasAny('one'), false);

    caches.drop(NODES);
    assert.equal(followed.isLoaded, false);
    await write('two', 'c', node('c', 'v'));
    await followed.load();
    assert.deepEqual(followed.ofTenant('two'), ['two:v']);
  });
});
