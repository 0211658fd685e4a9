import assert from 'node:assert/strict';
import { type AddTest, type ContractOptions, put, putOperation, range, remove, text } from './harness.ts';

export function transactionTests(add: AddTest, options: ContractOptions): void {
  add('an empty store is at revision 1, and has files or not', async (store) => {
    const sizeBytes = (await store.sizeBytes?.()) ?? 0;
    assert.ok(options.hasFiles === true ? sizeBytes > 1000 : sizeBytes === 0, String(sizeBytes));
    assert.equal(await store.currentRevision(), 1);
    assert.equal(await store.get('/core/pods/a'), undefined);
  });

  add('a put is read back with its revisions', async (store) => {
    const first = await put(store, '/core/pods/a', 'one');
    const second = await put(store, '/core/pods/a', 'two');
    assert.ok(second > first && first > 1);
    const item = await store.get('/core/pods/a');
    assert.equal(text(item?.value), 'two');
    assert.equal(item?.createRevision, first);
    assert.equal(item?.modRevision, second);
    assert.equal(await store.currentRevision(), second);
  });

  add('a key that is deleted and made again has a new createRevision', async (store) => {
    await put(store, '/k', 'one');
    await remove(store, '/k');
    assert.equal(await store.get('/k'), undefined);
    const again = await put(store, '/k', 'two');
    assert.equal((await store.get('/k'))?.createRevision, again);
  });

  add('compare-and-set holds or tells what is there', async (store) => {
    const first = await put(store, '/k', 'one');
    const lost = await store.commit({
      compare: [
        { key: '/k', modRevision: 0 },
        { key: '/other', modRevision: 0 },
      ],
      operations: [putOperation('/k', 'two')],
    });
    assert.equal(lost.committed, false);
    assert.equal(lost.revision, first);
    assert.deepEqual(!lost.committed && lost.current.map((item) => item?.modRevision), [first, undefined]);
    assert.equal(text(!lost.committed ? lost.current[0]?.value : undefined), 'one');
    const won = await store.commit({
      compare: [{ key: '/k', modRevision: first }],
      operations: [putOperation('/k', 'two')],
    });
    assert.equal(won.committed, true);
    assert.equal(text((await store.get('/k'))?.value), 'two');
  });

  add('of concurrent creates exactly one wins', async (store) => {
    const results = await Promise.all(
      range(50).map((index) =>
        store.commit({ compare: [{ key: '/k', modRevision: 0 }], operations: [putOperation('/k', `${index}`)] }),
      ),
    );
    assert.equal(results.filter((result) => result.committed).length, 1);
    const winner = results.findIndex((result) => result.committed);
    assert.equal(text((await store.get('/k'))?.value), `${winner}`);
  });

  add('concurrent increments by compare-and-set lose nothing', async (store) => {
    await put(store, '/counter', '0');
    const increment = async () => {
      for (;;) {
        const item = (await store.get('/counter'))!;
        const result = await store.commit({
          compare: [{ key: '/counter', modRevision: item.modRevision }],
          operations: [putOperation('/counter', String(Number(text(item.value)) + 1))],
        });
        if (result.committed) return;
      }
    };
    await Promise.all(range(20).map(increment));
    assert.equal(text((await store.get('/counter'))?.value), '20');
  });

  add('all operations happen at one revision, or none', async (store) => {
    const before = await put(store, '/a', 'old');
    const result = await store.commit({
      compare: [],
      operations: [putOperation('/b', 'new'), { type: 'delete', key: '/a' }, putOperation('/c', 'new')],
    });
    assert.ok(result.committed && result.revision > before);
    const { items } = await store.range({ start: '/a', end: '/z' });
    assert.deepEqual(
      items.map((item) => [item.key, item.modRevision]),
      [
        ['/b', result.revision],
        ['/c', result.revision],
      ],
    );
    const refused = await store.commit({
      compare: [
        { key: '/b', modRevision: result.revision },
        { key: '/c', modRevision: before },
      ],
      operations: [putOperation('/d', 'x'), { type: 'delete', key: '/b' }],
    });
    assert.equal(refused.committed, false);
    assert.equal((await store.range({ start: '/a', end: '/z' })).count, 2);
  });

  add('what changes nothing takes no revision', async (store) => {
    const revision = await put(store, '/a', 'x');
    const result = await store.commit({ compare: [], operations: [{ type: 'delete', key: '/nothing' }] });
    assert.deepEqual(result, { committed: true, revision });
    assert.equal(await store.currentRevision(), revision);
  });

  add('a key twice in one transaction is refused', async (store) => {
    await assert.rejects(store.commit({ compare: [], operations: [putOperation('/a', '1'), putOperation('/a', '2')] }));
    assert.equal(await store.get('/a'), undefined);
  });

  add('values are opaque bytes, empty and large ones too', async (store) => {
    const large = Buffer.alloc(1_500_000, 7);
    const every = Buffer.from(range(256));
    for (const [key, value] of [
      ['/empty', Buffer.alloc(0)],
      ['/large', large],
      ['/every', every],
    ] as const) {
      await store.commit({ compare: [], operations: [{ type: 'put', key, value }] });
      assert.ok(Buffer.from((await store.get(key))!.value).equals(value), key);
    }
  });

  add('every commit takes the next number', async (store) => {
    const revisions = await Promise.all(range(100).map((index) => put(store, `/k${index}`, 'x')));
    if (options.numbersInCallOrder === false) revisions.sort((a, b) => a - b);
    assert.deepEqual(
      revisions,
      range(100).map((index) => revisions[0]! + index),
    );
  });
}
