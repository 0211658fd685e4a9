import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject } from '../../api/object.ts';
import { StatusError } from '../../api/status.ts';
import { encodeForStore } from './encoding.ts';
import { Entry } from './entry.ts';
import { storeKey } from './keys.ts';
import { cache, caches, clock, labelled, PODS, pod, put, remove, store, watch } from './testing/pod-cache.ts';
import type { CacheEvent, CacheWatchRequest, ObjectFilter } from './watch-cache.ts';

describe('objects', () => {
  test('a write is read back, with its revision and tenant, and is not parsed again', async () => {
    const written = pod('default', 'a', { app: 'x' });
    const revision = await put('t', written);
    const entry = cache.get('t', 'default', 'a')!;
    assert.equal(entry.revision, revision);
    assert.equal(entry.object.metadata.resourceVersion, String(revision));
    assert.equal(entry.object.metadata.clusterName, 't');
    assert.equal(entry.object.spec, written.spec, 'the very object that was written');
    assert.equal(cache.get('other', 'default', 'a'), undefined);
    assert.equal(cache.size, 1);
  });

  test('served bytes show the revision, and the tenant only to the platform', async () => {
    const revision = await put('t', pod('default', 'a', { é: '"metadata":{' }));
    const entry = cache.get('t', 'default', 'a')!;
    const forTenant = JSON.parse(entry.bytes('tenant').toString());
    const forPlatform = JSON.parse(entry.bytes('platform').toString());
    assert.equal(forTenant.metadata.clusterName, undefined);
    assert.equal(forTenant.metadata.resourceVersion, String(revision));
    assert.deepEqual(forPlatform, entry.object);
    assert.deepEqual(
      { ...forPlatform, metadata: { ...forPlatform.metadata, clusterName: undefined } },
      {
        ...forTenant,
        metadata: { ...forTenant.metadata, clusterName: undefined },
      },
    );
    assert.equal(entry.bytes('tenant'), entry.bytes('tenant'), 'made once');
  });

  test('neither revision nor tenant is stored', () => {
    const object = pod('default', 'a');
    object.metadata.resourceVersion = '7';
    object.metadata.clusterName = 't';
    const stored = encodeForStore(object).toString();
    assert.match(stored, /^\{"kind":"Pod","apiVersion":"v1","metadata":\{"name"/);
    assert.doesNotMatch(stored, /resourceVersion|clusterName/);
  });

  test('the bytes of a spec that stayed as it is are taken over, and no others', () => {
    const entryOf = (object: KubeObject, revision: number, before?: Entry) => {
      const bytes = encodeForStore(object, before?.encodedSpec(object['spec']));
      const entry = new Entry('/core/pods/', 'acme', 'default', 'a', revision, bytes);
      void entry.object;
      return entry;
    };
    const spec = { text: 'grüße "x" \u2028', list: [1, { metadata: {} }] };
    let entry = entryOf({ kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a' }, spec, other: 'é' } as any, 1);
    for (let revision = 2; revision < 8; revision++) {
      // Served or not: the bytes that are kept are others then.
      if (revision % 2 === 0) entry.bytes('platform');
      const status = { revision, text: 'ä'.repeat(revision) };
      const changed = revision === 5 ? { new: true } : entry.object['spec'];
      const after = { ...entry.object, metadata: { ...entry.object.metadata }, spec: changed, status };
      assert.equal(entry.encodedSpec(changed) === undefined, revision === 5);
      const later = entryOf(after, revision, entry);
      entry.release();
      assert.equal(entry.encodedSpec(changed), undefined);
      entry = later;
      const { metadata, ...rest } = JSON.parse(entry.bytes('platform').toString());
      assert.deepEqual(metadata, { resourceVersion: String(revision), clusterName: 'acme', name: 'a' });
      const wanted = revision < 5 ? spec : { new: true };
      assert.deepEqual(rest, { kind: 'Pod', apiVersion: 'v1', spec: wanted, other: 'é', status });
    }
    const bare = entryOf({ kind: 'A', apiVersion: 'v1', metadata: { name: 'a' }, data: {} } as any, 1);
    assert.equal(bare.encodedSpec(undefined), undefined);
  });

  test('what another process wrote is parsed', async () => {
    const value = Buffer.from(encodeForStore(pod('default', 'a')));
    await store.commit({ compare: [], operations: [{ type: 'put', key: storeKey(PODS, 't', 'default', 'a'), value }] });
    assert.equal(cache.get('t', 'default', 'a')?.object.kind, 'Pod');
  });

  test('entryAt answers with the written state even if it changed since', async () => {
    const value = encodeForStore(pod('default', 'a', { v: '1' }));
    const key = storeKey(PODS, 't', 'default', 'a');
    const first = await store.commit({ compare: [], operations: [{ type: 'put', key, value }] });
    assert.equal(cache.entryAt(key, first.revision, value), cache.get('t', 'default', 'a'));
    await put('t', pod('default', 'a', { v: '2' }));
    const entry = cache.entryAt(key, first.revision, value);
    assert.equal(entry.object.metadata.labels?.v, '1');
    assert.equal(entry.revision, first.revision);
  });

  test('a representation is built once a revision', async () => {
    await put('t', pod('default', 'a'));
    const entry = cache.get('t', 'default', 'a')!;
    let built = 0;
    const build = (object: KubeObject) => `${object.metadata.name} ${++built}`;
    assert.equal(entry.representation('row', build), 'a 1');
    assert.equal(entry.representation('row', build), 'a 1');
  });
});

describe('freshness', () => {
  test('a revision of another resource is reflected too', async () => {
    const result = await store.commit({
      compare: [],
      operations: [{ type: 'put', key: '/core/nodes/t/a', value: Buffer.from('{}') }],
    });
    await cache.waitForRevision(result.revision);
    await cache.fresh();
    assert.equal(cache.revision, result.revision);
  });

  test('a revision that never comes is a timeout', async () => {
    const waiting = cache.waitForRevision(1000);
    clock.advance(3000);
    await assert.rejects(waiting, (error: StatusError) => {
      assert.deepEqual([error.code, error.message], [504, 'Timeout: Too large resource version: 1000, current: 1']);
      assert.equal(error.details?.causes?.[0]?.reason, 'ResourceVersionTooLarge');
      return true;
    });
  });
});

describe('watches', () => {
  test('see their tenant and namespace only', async () => {
    const all = watch({});
    const tenant = watch({ tenant: 't' });
    const namespace = watch({ tenant: 't', namespace: 'a' });
    const everywhere = watch({ namespace: 'a' });
    const r1 = await put('t', pod('a', 'x'));
    const r2 = await put('t', pod('b', 'x'));
    const r3 = await put('s', pod('a', 'x'));
    assert.deepEqual(all.describe(), [`ADDED t/x@${r1}`, `ADDED t/x@${r2}`, `ADDED s/x@${r3}`]);
    assert.deepEqual(tenant.describe(), [`ADDED t/x@${r1}`, `ADDED t/x@${r2}`]);
    assert.deepEqual(namespace.describe(), [`ADDED t/x@${r1}`]);
    assert.deepEqual(everywhere.describe(), [`ADDED t/x@${r1}`, `ADDED s/x@${r3}`]);
  });

  test('a deletion carries the last state under its own revision', async () => {
    await put('t', pod('a', 'x', { v: '1' }));
    const early = watch({ tenant: 't' });
    cache.get('t', 'a', 'x')!.bytes('tenant');
    const revision = await remove('t', 'a', 'x');
    const event = early.events[0]!;
    assert.equal(event.type, 'DELETED');
    assert.equal(event.entry.object.metadata.labels?.v, '1');
    assert.equal(event.entry.object.metadata.resourceVersion, String(revision));
    for (const variant of ['tenant', 'platform'] as const) {
      const frame = JSON.parse(event.frame(variant).toString());
      assert.equal(frame.type, 'DELETED');
      assert.equal(frame.object.metadata.resourceVersion, String(revision));
      assert.equal(frame.object.metadata.clusterName, variant === 'platform' ? 't' : undefined);
      assert.equal(frame.object.metadata.labels.v, '1');
    }
    assert.equal(cache.get('t', 'a', 'x'), undefined);
  });

  test('entering a selector is ADDED, leaving it DELETED with the state before', async () => {
    const selected = watch({ tenant: 't', filter: labelled('app', 'web') });
    await put('t', pod('a', 'x', { app: 'db' }));
    const r2 = await put('t', pod('a', 'x', { app: 'web', v: '2' }));
    const r3 = await put('t', pod('a', 'x', { app: 'web', v: '3' }));
    const r4 = await put('t', pod('a', 'x', { app: 'db', v: '4' }));
    await remove('t', 'a', 'x');
    assert.deepEqual(selected.describe(), [`ADDED t/x@${r2}`, `MODIFIED t/x@${r3}`, `DELETED t/x@${r4}`]);
    assert.equal(selected.events[2]!.entry.object.metadata.labels?.v, '3');
    assert.equal(selected.events[2]!.entry.object.metadata.resourceVersion, String(r4));
  });

  test('an indexed field narrows who is told, and is followed when it changes', async () => {
    const asked: string[] = [];
    const on = (node: string): ObjectFilter => ({
      matches: (object) => {
        asked.push(node);
        return object.spec.nodeName === node;
      },
      exactFields: { 'spec.nodeName': node },
    });
    const one = watch({ filter: on('one') });
    const two = watch({ tenant: 't', filter: on('two') });
    watch({ filter: on('three') });
    const r1 = await put('t', pod('a', 'x', {}, { nodeName: 'one' }));
    const r2 = await put('t', pod('a', 'x', {}, { nodeName: 'two' }));
    assert.deepEqual(one.describe(), [`ADDED t/x@${r1}`, `DELETED t/x@${r2}`]);
    assert.deepEqual(two.describe(), [`ADDED t/x@${r2}`]);
    assert.ok(!asked.includes('three'));
    one.close();
    two.close();
    await remove('t', 'a', 'x');
    assert.equal(two.events.length, 1);
  });

  test('everyone who sees an event alike shares its bytes', async () => {
    const first = watch({ tenant: 't' });
    const second = watch({ tenant: 't', namespace: 'a' });
    await put('t', pod('a', 'x'));
    assert.equal(first.events[0], second.events[0]);
    assert.equal(first.events[0]!.frame('tenant'), second.events[0]!.frame('tenant'));
    assert.match(first.events[0]!.frame('tenant').toString(), /^\{"type":"ADDED","object":\{.*\}\}\n$/s);
  });

  test('a watch from the past gets what it missed, no more and no less', async () => {
    const start = cache.revision;
    const r1 = await put('t', pod('a', 'x'));
    const r2 = await put('t', pod('a', 'x', { v: '2' }));
    const late = watch({ tenant: 't', afterRevision: start });
    const later = watch({ tenant: 't', afterRevision: r1 });
    const r3 = await remove('t', 'a', 'x');
    assert.deepEqual(late.describe(), [`ADDED t/x@${r1}`, `MODIFIED t/x@${r2}`, `DELETED t/x@${r3}`]);
    assert.deepEqual(later.describe(), [`MODIFIED t/x@${r2}`, `DELETED t/x@${r3}`]);
  });

  test('a watch from a revision that is still to come is told what comes after it', async () => {
    const ahead = watch({ tenant: 't', afterRevision: cache.revision + 1 });
    await put('t', pod('a', 'x'));
    const after = await put('t', pod('a', 'y'));
    assert.deepEqual(ahead.describe(), [`ADDED t/y@${after}`]);
  });

  test('a watch from before the recent changes is expired', async () => {
    const start = cache.revision;
    let last = start;
    for (let index = 0; index < 500; index++) last = await put('t', pod('a', `x${index % 5}`));
    assert.throws(
      () => watch({ afterRevision: start }),
      (error: StatusError) =>
        error.code === 410 && error.reason === 'Expired' && /^too old resource version: 1 \(\d+\)$/.test(error.message),
    );
    const kept = watch({ afterRevision: last - 200 });
    assert.equal(kept.events.length, 200);
    assert.throws(() => watch({ afterRevision: last - 201 }), StatusError);
  });

  test('a burst is forgotten after a while, but for the last changes', async () => {
    for (let index = 0; index < 190; index++) await put('t', pod('a', `x${index % 5}`));
    clock.advance(60_000);
    clock.advance(60_000);
    const last = cache.revision;
    assert.throws(() => watch({ afterRevision: last - 129 }), StatusError);
    assert.equal(watch({ afterRevision: last - 128 }).events.length, 128);
  });

  test('without a revision it starts with what is there, and says where that ends', async () => {
    await put('t', pod('a', 'x'));
    await put('t', pod('a', 'y'));
    const initial = watch({
      tenant: 't',
      afterRevision: undefined,
      bookmarks: { apiVersion: 'v1', kind: 'Pod' },
      initialEventsEnd: true,
    });
    assert.deepEqual(
      initial.events.map((event) => event.type),
      ['ADDED', 'ADDED', 'BOOKMARK'],
    );
    const bookmark = JSON.parse(initial.events[2]!.frame('tenant').toString());
    assert.deepEqual(bookmark.object, {
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(cache.revision), annotations: { 'k8s.io/initial-events-end': 'true' } },
    });
    await put('t', pod('a', 'z'));
    assert.equal(initial.events[3]!.type, 'ADDED');
  });

  test('bookmarks come now and then to those who asked', async () => {
    const asked = watch({ bookmarks: { apiVersion: 'v1', kind: 'Pod' } });
    const silent = watch({});
    await store.commit({
      compare: [],
      operations: [{ type: 'put', key: '/core/nodes/t/a', value: Buffer.from('{}') }],
    });
    clock.advance(60_000);
    clock.advance(60_000);
    assert.deepEqual(
      asked.events.map((event) => [event.type, event.revision]),
      [
        ['BOOKMARK', 2],
        ['BOOKMARK', 2],
      ],
    );
    assert.deepEqual(JSON.parse(asked.events[0]!.frame('platform').toString()).object, {
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: { resourceVersion: '2' },
    });
    assert.equal(silent.events.length, 0);
  });

  test('a consumer that throws is ended, the others go on', async () => {
    let ended = 0;
    watch({
      onEvents: () => {
        throw new Error('broken');
      },
      onEnd: () => void ended++,
    });
    const sound = watch({});
    await put('t', pod('a', 'x'));
    await put('t', pod('a', 'y'));
    assert.equal(sound.events.length, 2);
    assert.equal(ended, 1);
  });

  test('a watch that starts from within an event misses and repeats nothing', async () => {
    const inner: ReturnType<typeof watch>[] = [];
    const outer = watch({
      onEvents: (events) => void inner.push(watch({ afterRevision: events[0]!.revision - 1 })),
    });
    await put('t', pod('a', 'x'));
    outer.close();
    await put('t', pod('a', 'y'));
    assert.deepEqual(
      inner[0]!.events.map((event) => event.entry.name),
      ['x', 'y'],
    );
  });

  test('losing the store ends watches, and the next reader gets a new cache', async () => {
    const ending = watch({});
    await store.close();
    assert.equal(ending.ended(), 1);
    assert.equal(caches.peek(PODS), undefined);
    await assert.rejects(caches.for(PODS));
  });

  test('dropping a resource ends its watches', async () => {
    const ending = watch({});
    caches.drop(PODS);
    assert.equal(ending.ended(), 1);
    assert.notEqual(await caches.for(PODS), cache);
  });
});

test('whenever a watch starts, its events lead to the same state as a list', async () => {
  const random = seeded(7);
  const pick = <T>(items: T[]) => items[Math.floor(random() * items.length)]!;
  const scopes = [{}, { tenant: 't' }, { tenant: 't', namespace: 'a' }, { namespace: 'b' }];
  const filters: (ObjectFilter | undefined)[] = [
    undefined,
    labelled('app', 'web'),
    { matches: (object) => object.spec.nodeName === 'n1', exactFields: { 'spec.nodeName': 'n1' } },
    { matches: (object) => object.metadata.name === 'p1', exactFields: { 'metadata.name': 'p1' } },
  ];
  const replicas: { state: Map<string, number>; request: Partial<CacheWatchRequest> }[] = [];
  for (let step = 0; step < 600; step++) {
    const [tenant, namespace, name] = [pick(['t', 's']), pick(['a', 'b']), pick(['p1', 'p2', 'p3'])];
    if (random() < 0.3) await remove(tenant, namespace, name);
    else await put(tenant, pod(namespace, name, { app: pick(['web', 'db']) }, { nodeName: pick(['n1', 'n2']) }));
    if (step % 15 !== 0) continue;
    const scope = { tenant: undefined, ...pick(scopes), filter: pick(filters) };
    const list = await cache.list({
      ...scope,
      exactRevision: Math.max(cache.revision - Math.floor(random() * 100), 1),
    });
    const state = new Map(list.entries.map((entry) => [entry.key, entry.revision]));
    const onEvents = (events: CacheEvent[]) => {
      for (const { type, entry } of events) {
        assert.equal(state.has(entry.key), type !== 'ADDED', `${type} ${entry.key}`);
        if (type === 'DELETED') state.delete(entry.key);
        else state.set(entry.key, entry.revision);
      }
    };
    watch({ ...scope, afterRevision: list.revision, onEvents });
    replicas.push({ state, request: scope });
  }
  for (const { state, request } of replicas) {
    const list = await cache.list({ tenant: undefined, ...request });
    assert.deepEqual(
      [...state].sort(),
      list.entries.map((entry): [string, number] => [entry.key, entry.revision]).sort(),
    );
  }
});

/** A small generator, so that a failure comes again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
