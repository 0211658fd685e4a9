import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { cache, labelled, pod, put, remove, store } from './testing/pod-cache.ts';
import type { ObjectFilter } from './watch-cache.ts';

describe('lists', () => {
  const names = (entries: readonly { suffix?: string; key: string }[]) =>
    entries.map((entry) => entry.key.slice('/core/pods/'.length));

  beforeEach(async () => {
    for (const key of ['t/b/2', 't/b/1', 't/a/9', 't/a-b/5', 's/a/1', 't-1/a/1']) {
      const [tenant, namespace, name] = key.split('/') as [string, string, string];
      await put(tenant, pod(namespace, name, { odd: String(Number(name) % 2) }));
    }
  });

  test('come in the order of keys, for all, a tenant, a namespace', async () => {
    const all = await cache.list({ tenant: undefined });
    const { items } = await store.range({ start: '/core/pods/', end: '/core/pods0' });
    assert.deepEqual(
      names(all.entries),
      items.map((item) => item.key.slice('/core/pods/'.length)),
    );
    assert.deepEqual(names((await cache.list({ tenant: 't' })).entries), ['t/a-b/5', 't/a/9', 't/b/1', 't/b/2']);
    assert.deepEqual(names((await cache.list({ tenant: 't', namespace: 'b' })).entries), ['t/b/1', 't/b/2']);
    assert.deepEqual((await cache.list({ tenant: 'nobody' })).entries, []);
    assert.equal(all.revision, await store.currentRevision());
  });

  test('order is kept when objects come and go after the first list', async () => {
    await put('t', pod('b', '0'));
    await put('t', pod('b', '15'));
    await remove('t', 'b', '1');
    assert.deepEqual(names((await cache.list({ tenant: 't', namespace: 'b' })).entries), ['t/b/0', 't/b/15', 't/b/2']);
  });

  test('stay as they were taken', async () => {
    const before = await cache.list({ tenant: 't', namespace: 'b' });
    const of2 = before.entries[1]!;
    await put('t', pod('b', '2', { changed: 'yes' }));
    await put('t', pod('b', '0'));
    await remove('t', 'b', '1');
    assert.deepEqual(names(before.entries), ['t/b/1', 't/b/2']);
    assert.equal(before.entries[1], of2);
    const after = await cache.list({ tenant: 't', namespace: 'b' });
    assert.deepEqual(names(after.entries), ['t/b/0', 't/b/2']);
    assert.equal(after.entries[1]!.object.metadata.labels?.['changed'], 'yes');
  });

  test('are matched in pieces, against what was there at first', async () => {
    for (let index = 0; index < 40; index++) await put('t', pod('many', String(index).padStart(2, '0')));
    const whole = names((await cache.list({ tenant: 't', namespace: 'many' })).entries);
    let pauses = 0;
    const slow: ObjectFilter = {
      matches() {
        for (const startMs = performance.now(); performance.now() < startMs + 0.2; );
        return true;
      },
    };
    const pause = async () => {
      if (pauses++ === 0) await remove('t', 'many', '39');
    };
    const revision = cache.revision;
    const list = await cache.list({ tenant: 't', namespace: 'many', filter: slow, pause });
    assert.deepEqual(names(list.entries), whole);
    assert.equal(list.revision, revision);
    assert.ok(pauses > 0);
    const page = await cache.list({ tenant: 't', namespace: 'many', filter: slow, pause, limit: 30 });
    assert.deepEqual(names(page.entries), whole.slice(0, 30));
    assert.ok(page.continue !== undefined);
  });

  test('are filtered', async () => {
    const odd = await cache.list({ tenant: 't', filter: labelled('odd', '1') });
    assert.deepEqual(names(odd.entries), ['t/a-b/5', 't/a/9', 't/b/1']);
    const one: ObjectFilter = {
      matches: (object) => object.metadata.name === '1',
      exactFields: { 'metadata.name': '1' },
    };
    assert.deepEqual(names((await cache.list({ tenant: undefined, filter: one })).entries), [
      's/a/1',
      't-1/a/1',
      't/b/1',
    ]);
  });

  for (const changing of [false, true]) {
    for (const filter of [undefined, labelled('odd', '1')]) {
      test(`pages make up one consistent list${changing ? ' while objects change' : ''}${filter ? ', filtered' : ''}`, async () => {
        const whole = await cache.list({ tenant: undefined, filter });
        const seen: string[] = [];
        let token: string | undefined;
        let pages = 0;
        do {
          const page = await cache.list({ tenant: undefined, limit: 2, continue: token, filter });
          seen.push(...names(page.entries));
          assert.equal(page.revision, whole.revision);
          if (page.continue !== undefined && filter === undefined) {
            assert.equal(page.remainingItemCount, whole.entries.length - seen.length);
          }
          token = page.continue;
          pages++;
          if (changing) {
            await put('t', pod('b', `0${pages}`, { odd: '1' }));
            await remove('t', 'b', '1');
          }
        } while (token !== undefined);
        assert.deepEqual(seen, names(whole.entries));
        assert.equal(pages, Math.ceil(whole.entries.length / 2));
      });
    }
  }

  test('a token of one tenant opens no other', async () => {
    const page = await cache.list({ tenant: 't', limit: 1 });
    await assert.rejects(cache.list({ tenant: 's', limit: 1, continue: page.continue }), { code: 400 });
    await assert.rejects(cache.list({ tenant: 't', limit: 1, continue: 'rubbish' }), { code: 400 });
  });

  test('a compacted page is expired', async () => {
    const page = await cache.list({ tenant: 't', limit: 1 });
    await put('t', pod('b', '7'));
    await store.compact(await put('t', pod('b', '8')));
    await assert.rejects(cache.list({ tenant: 't', limit: 1, continue: page.continue }), {
      code: 410,
      reason: 'Expired',
    });
  });

  test('an expired page says how to go on with what is newest', async () => {
    const whole = names((await cache.list({ tenant: 't' })).entries);
    const page = await cache.list({ tenant: 't', limit: 1 });
    // Nothing of this resource changed: the page expires all the same.
    const operations = [{ type: 'put' as const, key: '/core/secrets/t/a/other', value: Buffer.from('{}') }];
    await store.compact((await store.commit({ compare: [], operations })).revision);
    let rest: string | undefined;
    await assert.rejects(cache.list({ tenant: 't', limit: 1, continue: page.continue }), (error: any) => {
      rest = error.toStatus().metadata.continue;
      return error.code === 410;
    });
    const next = await cache.list({ tenant: 't', limit: 1, continue: rest });
    assert.deepEqual(names(next.entries), [whole[1]]);
    assert.equal(next.remainingItemCount, whole.length - 2);
    assert.equal(next.revision, cache.revision);
  });

  test('an exact revision is read from history', async () => {
    const then = cache.revision;
    await remove('t', 'b', '1');
    const list = await cache.list({ tenant: 't', namespace: 'b', exactRevision: then });
    assert.deepEqual(names(list.entries), ['t/b/1', 't/b/2']);
    assert.equal(list.revision, then);
  });
});
