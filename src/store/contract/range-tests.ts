import assert from 'node:assert/strict';
import { FutureRevisionError, prefixEnd } from '../store.ts';
import { type AddTest, describeItems, put, range, remove, text } from './harness.ts';

export function rangeTests(add: AddTest): void {
  add('keys come in order, the end is exclusive, a limit leaves the count', async (store) => {
    for (const key of ['/p/b', '/p/a-b/x', '/p/a/x', '/q', '/p/a.b/x', '/o']) await put(store, key, key);
    const all = await store.range({ start: '/p/', end: prefixEnd('/p/') });
    assert.deepEqual(
      all.items.map((item) => item.key),
      ['/p/a-b/x', '/p/a.b/x', '/p/a/x', '/p/b'],
    );
    assert.equal(all.count, 4);
    const two = await store.range({ start: '/p/', end: prefixEnd('/p/'), limit: 2 });
    assert.deepEqual(
      two.items.map((item) => item.key),
      ['/p/a-b/x', '/p/a.b/x'],
    );
    assert.equal(two.count, 4);
    const rest = await store.range({ start: `${two.items[1]!.key}\0`, end: prefixEnd('/p/') });
    assert.deepEqual(
      rest.items.map((item) => item.key),
      ['/p/a/x', '/p/b'],
    );
    assert.deepEqual((await store.range({ start: '/x', end: '/y' })).items, []);
  });

  add('a revision of the past is read as it was', async (store) => {
    await put(store, '/p/a', 'a1');
    await put(store, '/p/b', 'b1');
    const then = await put(store, '/p/c', 'c1');
    await put(store, '/p/a', 'a2');
    await remove(store, '/p/b');
    await put(store, '/p/d', 'd1');
    await put(store, '/p/a', 'a3');
    const past = await store.range({ start: '/p/', end: prefixEnd('/p/'), revision: then });
    assert.deepEqual(
      past.items.map((item) => [item.key, text(item.value)]),
      [
        ['/p/a', 'a1'],
        ['/p/b', 'b1'],
        ['/p/c', 'c1'],
      ],
    );
    assert.equal(past.revision, then);
    assert.equal(past.count, 3);
    const page = await store.range({ start: '/p/', end: prefixEnd('/p/'), revision: then, limit: 1 });
    assert.deepEqual([page.items.length, page.count], [1, 3]);
    const now = await store.range({ start: '/p/', end: prefixEnd('/p/') });
    assert.deepEqual(
      now.items.map((item) => text(item.value)),
      ['a3', 'c1', 'd1'],
    );
  });

  add('every revision can be read while writes go on', async (store) => {
    const seen = new Map<number, string>();
    for (const index of range(60)) {
      const key = `/p/${index % 7}`;
      const revision = index % 5 === 4 ? await remove(store, key) : await put(store, key, `${index}`);
      const { items } = await store.range({ start: '/p/', end: prefixEnd('/p/') });
      seen.set(revision, describeItems(items));
    }
    await Promise.all([
      ...range(50).map((index) => put(store, `/p/${index % 9}`, 'later')),
      ...[...seen].map(async ([revision, expected]) => {
        const { items } = await store.range({ start: '/p/', end: prefixEnd('/p/'), revision });
        assert.equal(describeItems(items), expected);
      }),
    ]);
  });

  add('a revision of the future is refused', async (store) => {
    const revision = await put(store, '/a', 'x');
    await assert.rejects(store.range({ start: '/a', end: '/b', revision: revision + 1 }), FutureRevisionError);
  });
}
