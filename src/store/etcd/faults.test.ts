import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { CompactedError, prefixEnd, type Store, type StoreEvent, ValueTooLargeError } from '../store.ts';
import { Committer } from './committer.ts';
import { Connection } from './connection.ts';
import { openEtcdStore } from './etcd-store.ts';
import { Keyspace } from './keys.ts';
import { type EtcdCluster, etcdMissing, startEtcd } from './testing/etcd-cluster.ts';
import { type FaultyProxy, startProxy } from './testing/proxy.ts';

const put = (store: Store, key: string, value: string, modRevision?: number) =>
  store.commit({
    compare: modRevision === undefined ? [] : [{ key, modRevision }],
    operations: [{ type: 'put', key, value: Buffer.from(value) }],
  });
const remove = (store: Store, key: string, modRevision: number) =>
  store.commit({ compare: [{ key, modRevision }], operations: [{ type: 'delete', key }] });

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Everything that ever happened under a prefix, up to now, as another process sees it. */
async function history(store: Store, prefix: string): Promise<string[]> {
  const upTo = await store.currentRevision();
  const events: StoreEvent[] = [];
  await new Promise<void>((resolve, reject) => {
    const watch = store.watch({
      start: prefix,
      end: prefixEnd(prefix),
      afterRevision: 1,
      onEvents(some, revision) {
        events.push(...some);
        if (revision < upTo) return;
        watch.close();
        resolve();
      },
      onError: reject,
    });
  });
  return events.map((event) => (event.type === 'put' ? Buffer.from(event.value).toString() : 'deleted'));
}

describe('etcd that fails', { skip: etcdMissing, timeout: 120_000 }, () => {
  let etcd: EtcdCluster;
  let proxy: FaultyProxy;
  /** Goes through the proxy first, then straight. */
  let store: Store;
  let other: Store;
  let name = 0;
  let key: string;
  before(async () => {
    etcd = await startEtcd();
    other = await openEtcdStore(etcd);
  });
  beforeEach(async () => {
    await store?.close();
    await proxy?.close();
    proxy = await startProxy(etcd.endpoints[0]!);
    store = await openEtcdStore({ endpoints: [proxy.endpoint, ...etcd.endpoints] });
    key = `/p/${name++}`;
    // Its watch runs.
    await put(store, `${key}/first`, 'x');
  });
  after(async () => {
    await store?.close();
    await other?.close();
    await proxy?.close();
    await etcd.destroy();
  });
  /** Commits while answers are lost, and cuts the connection when it is done. */
  const losingTheAnswer = async <T>(commit: () => Promise<T>, done: () => Promise<boolean>): Promise<T> => {
    proxy.dropAnswers();
    const result = commit();
    await until(done);
    proxy.cutClients();
    return result;
  };

  it('a write whose answer was lost is found, and done once', async () => {
    const result = await losingTheAnswer(
      () => put(store, key, 'created', 0),
      async () => (await other.get(key)) !== undefined,
    );
    assert.deepEqual(result, { committed: true, revision: (await other.get(key))!.modRevision });
    assert.deepEqual(await history(other, key), ['x', 'created']);
  });

  it('so is a deletion, also when the key is there again', async () => {
    const { revision } = await put(store, key, 'created', 0);
    let again: number | undefined;
    const result = await losingTheAnswer(
      () => remove(store, key, revision),
      async () => {
        if ((await other.get(key)) !== undefined) return false;
        again = (await put(other, key, 'again', 0)).revision;
        return true;
      },
    );
    assert.equal(result.committed, true);
    assert.ok(result.revision > revision && result.revision < again!);
    assert.deepEqual(await history(other, key), ['x', 'created', 'deleted', 'again']);
  });

  it('and one that another has overwritten in between', async () => {
    const result = await losingTheAnswer(
      () => put(store, key, 'created', 0),
      async () => {
        const found = await other.get(key);
        return found !== undefined && (await put(other, key, 'overwritten', found.modRevision)).committed;
      },
    );
    assert.equal(result.committed, true);
    assert.deepEqual(await history(other, key), ['x', 'created', 'overwritten']);
  });

  it('a comparison that failed is still a failure when its answer was lost', async () => {
    await put(other, key, 'theirs', 0);
    proxy.dropAnswers();
    const committing = put(store, key, 'mine', 0);
    await until(() => proxy.lost().includes('theirs'));
    proxy.cutClients();
    const result = await committing;
    assert.equal(result.committed, false);
    assert.equal(!result.committed && Buffer.from(result.current[0]!.value).toString(), 'theirs');
    assert.deepEqual(await history(other, key), ['x', 'theirs']);
  });

  it('a request that arrives long after its sender has given it up does nothing', async () => {
    proxy.holdRequests();
    const before = proxy.held();
    const committing = put(store, key, 'created', 0);
    await until(() => proxy.held() > before);
    proxy.refuse(true);
    proxy.cutClients();
    const { revision } = await committing;
    await remove(other, key, revision);
    const atRest = await other.currentRevision();
    await proxy.deliver();
    // Its answer says what epoch it is by now.
    await until(() => proxy.lost().includes('/!epoch/'));
    assert.equal(await other.get(key), undefined, 'not brought back');
    assert.equal(await other.currentRevision(), atRest);
    assert.deepEqual(await history(other, key), ['x', 'created', 'deleted']);
  });

  it('a watch goes on where it was, however often its connection breaks', async () => {
    const seen: number[] = [];
    const watch = store.watch({
      start: `${key}/`,
      end: prefixEnd(`${key}/`),
      afterRevision: await store.currentRevision(),
      onEvents: (events) => seen.push(...events.map(({ revision }) => revision)),
      onError: assert.fail,
    });
    const written: number[] = [];
    for (let round = 0; round < 20; round++) {
      for (let index = 0; index < 10; index++) written.push((await put(other, `${key}/${index}`, `${round}`)).revision);
      if (round % 2 === 0) proxy.cutClients();
    }
    await until(() => (seen.at(-1) ?? 0) >= written.at(-1)!);
    assert.deepEqual(seen, written);
    watch.close();
  });

  it('a watch that was away while history was forgotten is told so, and the store goes on', async () => {
    const lone = await openEtcdStore({ endpoints: [proxy.endpoint] });
    try {
      const { revision: afterRevision } = await put(lone, key, '1');
      const failed = new Promise<Error>((resolve) => {
        lone.watch({ start: key, end: prefixEnd(key), afterRevision, onEvents() {}, onError: resolve });
      });
      proxy.refuse(true);
      proxy.cutClients();
      for (let index = 0; index < 5; index++) await put(other, key, `away ${index}`);
      await other.compact(await other.currentRevision());
      proxy.refuse(false);
      assert.ok((await failed) instanceof CompactedError);
      const { revision } = await put(lone, key, '2');
      await new Promise<void>((resolve, reject) => {
        lone.watch({
          start: key,
          end: prefixEnd(key),
          afterRevision: revision - 1,
          onEvents: (events) => events.length > 0 && resolve(),
          onError: reject,
        });
      });
    } finally {
      await lone.close();
    }
  });

  it('reads history of before it was opened, though its connection breaks', async () => {
    const { revision } = await put(other, `${key}/0`, '0');
    for (let index = 1; index < 700; index++) await put(other, `${key}/${index % 10}`, `${index}`);
    const late = await openEtcdStore({ endpoints: [proxy.endpoint] });
    try {
      const seen: string[] = [];
      await new Promise<void>((resolve, reject) => {
        late.watch({
          start: `${key}/`,
          end: prefixEnd(`${key}/`),
          afterRevision: revision - 1,
          onEvents(events) {
            seen.push(...events.map((event) => (event.type === 'put' ? Buffer.from(event.value).toString() : '')));
            if (seen.length === 700) resolve();
          },
          onError: reject,
        });
        setTimeout(() => proxy.cutClients(), 5);
      });
      assert.deepEqual(
        seen,
        Array.from({ length: 700 }, (_, index) => `${index}`),
      );
    } finally {
      await late.close();
    }
  });

  it('is told of the newest revision when others write elsewhere in etcd', async () => {
    const neighbour = await openEtcdStore({ ...etcd, prefix: '/neighbour' });
    try {
      let told = 0;
      const watch = store.watch({
        start: '/p/',
        end: '/p0',
        afterRevision: await store.currentRevision(),
        onEvents: (_events, at) => (told = at),
        onError: assert.fail,
      });
      let writing = true;
      const writer = (async () => {
        while (writing) await put(neighbour, '/k', 'x');
      })();
      for (let round = 0; round < 5; round++) {
        const { revision } = await put(neighbour, '/k', 'y');
        const current = await store.currentRevision();
        assert.ok(current >= revision);
        await until(() => told >= current);
      }
      writing = false;
      await writer;
      watch.close();
      assert.equal(await store.get('/k'), undefined);
      assert.equal((await neighbour.range({ start: '/', end: '0' })).count, 1);
    } finally {
      await neighbour.close();
    }
  });

  it('shows none of its own keys', async () => {
    const { revision } = await put(store, key, 'x', 0);
    // Leaves a name behind, and the next an epoch.
    await remove(store, key, revision);
    await losingTheAnswer(
      () => put(store, key, 'y', 0),
      async () => (await other.get(key)) !== undefined,
    );
    const { items, count } = await other.range({ start: '/', end: '0' });
    assert.equal(count, items.length);
    assert.deepEqual(
      items.filter(({ key: found }) => !found.startsWith('/p/')),
      [],
    );
    assert.equal((await other.range({ start: '/', end: '/!' })).count, 0);
  });

  it('sweeps away what processes left behind that were killed, and lives when its own is swept', async () => {
    await losingTheAnswer(
      () => put(store, key, 'created', 0),
      async () => (await other.get(key)) !== undefined,
    );
    const keyspace = new Keyspace('/skypod');
    const raw = new Connection(etcd);
    const later = async (days: number) => {
      const sweeper = new Committer({
        connection: raw,
        keyspace,
        feed: () => assert.fail('it is not followed'),
        toKeyValue: () => assert.fail('it is not read'),
      });
      await sweeper.sweep(Date.now() + days * 24 * 3_600_000);
      return (await raw.call('Range', { key: keyspace.own('epoch/'), rangeEnd: keyspace.own('epoch0') })).count;
    };
    try {
      assert.ok((await later(0)) > 0);
      assert.equal(await later(2), 0);
      const { modRevision } = (await store.get(key))!;
      assert.equal((await put(store, key, 'changed', modRevision)).committed, true);
      assert.equal(await later(0), 1, 'it has a new one');
      assert.equal(Buffer.from((await other.get(key))!.value).toString(), 'changed');
    } finally {
      raw.close();
    }
  });

  it('reads whole resources in pages at one revision', async () => {
    for (let round = 0; round < 30; round++) {
      await store.commit({
        compare: [],
        operations: Array.from({ length: 100 }, (_, index) => ({
          type: 'put' as const,
          key: `${key}/${String(round * 100 + index).padStart(5, '0')}`,
          value: Buffer.from('x'),
        })),
      });
    }
    const reading = store.range({ start: `${key}/0`, end: `${key}/1` });
    await put(other, `${key}/00000`, 'later');
    const { items, count } = await reading;
    assert.deepEqual([items.length, count], [3000, 3000]);
    const limited = await store.range({ start: `${key}/0`, end: `${key}/1`, limit: 1500 });
    assert.deepEqual([limited.items.length, limited.count, limited.items.at(-1)!.key], [1500, 3000, `${key}/01499`]);
  });

  it('refuses what is too large by name', async () => {
    await assert.rejects(put(store, key, 'x'.repeat(2_000_000)), ValueTooLargeError);
    assert.equal(await other.get(key), undefined);
  });
});

describe('etcd by TLS', { skip: etcdMissing, timeout: 60_000 }, () => {
  it('is spoken to with its certificate checked', async () => {
    const etcd = await startEtcd({ secure: true });
    try {
      const certificate = join(etcd.directory, 'm0', 'fixtures', 'client', 'cert.pem');
      let ca: Buffer | undefined;
      await until(() => {
        try {
          ca = readFileSync(certificate);
        } catch {}
        return ca !== undefined;
      });
      // Its key takes a busy machine a while.
      const store = await openEtcdStore({ endpoints: etcd.endpoints, tls: { ca: ca! }, callTimeoutMs: 30_000 });
      assert.equal((await put(store, '/k', 'x')).committed, true);
      await store.close();
      await assert.rejects(openEtcdStore({ endpoints: etcd.endpoints, tls: {}, callTimeoutMs: 500 }), /not available/);
    } finally {
      await etcd.destroy();
    }
  });
});
