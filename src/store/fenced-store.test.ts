import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeContract } from './contract/store-contract.ts';
import { type Fence, FencedError, fencedStore } from './fenced-store.ts';
import { openMemoryStore } from './memory/memory-store.ts';
import type { Store } from './store.ts';

storeContract('fenced, on memory', async () => fencedStore(openMemoryStore()));

const put = (store: Store, key: string, modRevision: number) =>
  store.commit({ compare: [{ key, modRevision }], operations: [{ type: 'put', key, value: Buffer.from('x') }] });

test('who was replaced writes no more, whatever it waited for in between', async () => {
  const store = fencedStore(openMemoryStore());
  let lost = 0;
  const enter = async (): Promise<Fence> => {
    const key = '/internal/term/leader';
    const { revision } = await store.commit({
      compare: [],
      operations: [{ type: 'put', key, value: Buffer.from('') }],
    });
    return { key, modRevision: revision, onLost: () => lost++ };
  };
  const first = await enter();
  await store.within(first, async () => {
    assert.equal((await put(store, '/p/a', 0)).committed, true);
    const refused = await put(store, '/p/a', 0);
    assert.equal(!refused.committed && refused.current.length, 1, 'a comparison of its own that fails is told as ever');
  });
  const woken = Promise.withResolvers<void>();
  const late = store.within(first, async () => {
    await woken.promise;
    return put(store, '/p/b', 0);
  });
  const second = await enter();
  woken.resolve();
  await assert.rejects(late, FencedError);
  assert.equal(lost, 1);
  assert.equal(await store.get('/p/b'), undefined);
  assert.equal((await store.within(second, () => put(store, '/p/b', 0))).committed, true);
  assert.equal((await put(store, '/p/c', 0)).committed, true, 'who takes no turns is free');
  await store.close();
});
