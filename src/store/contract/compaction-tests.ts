import assert from 'node:assert/strict';
import { CompactedError, FutureRevisionError } from '../store.ts';
import { type AddTest, collect, put, range, remove, text } from './harness.ts';

export function compactionTests(add: AddTest): void {
  add('forgets the past and says so', async (store) => {
    const first = await put(store, '/p/a', '1');
    await put(store, '/p/b', '1');
    await remove(store, '/p/b');
    const second = await put(store, '/p/a', '2');
    const third = await put(store, '/p/a', '3');
    await store.compact(second);
    await assert.rejects(store.range({ start: '/p/', end: '/q', revision: first }), CompactedError);
    const kept = await store.range({ start: '/p/', end: '/q', revision: second });
    assert.deepEqual(
      kept.items.map((item) => text(item.value)),
      ['2'],
    );
    assert.equal(text((await store.get('/p/a'))?.value), '3');
    assert.equal((await store.get('/p/a'))?.createRevision, first);
    const old = collect(store, '/p/', first);
    assert.ok((await old.failed) instanceof CompactedError);
    const fresh = collect(store, '/p/', second);
    await fresh.reached(third);
    assert.deepEqual(
      fresh.events.map((event) => event.revision),
      [third],
    );
    fresh.close();
  });

  add('compacting twice or less is nothing; the future is refused', async (store) => {
    const first = await put(store, '/a', '1');
    const second = await put(store, '/a', '2');
    await store.compact(second);
    await store.compact(first);
    await store.compact(second);
    await assert.rejects(store.compact(second + 1), FutureRevisionError);
    assert.equal(text((await store.get('/a'))?.value), '2');
  });

  add('live watches and writes go on during a compaction', async (store) => {
    const watch = collect(store, '/p/', 1);
    let last = 1;
    for (const index of range(200)) last = await put(store, `/p/${index % 10}`, `${index}`);
    const writes = range(100).map((index) => put(store, `/p/${index % 10}`, `late ${index}`));
    await Promise.all([store.compact(last - 10), ...writes]);
    const end = await store.currentRevision();
    await watch.reached(end);
    assert.deepEqual(
      watch.events.map((event) => event.revision),
      range(end - 1).map((index) => index + 2),
    );
    assert.equal((await store.range({ start: '/p/', end: '/q', revision: last - 10 })).count, 10);
    watch.close();
  });
}
