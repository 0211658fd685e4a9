import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ClosedError,
  CompactedError,
  FutureRevisionError,
  prefixEnd,
  type Store,
  type StoreEvent,
  type WriteOperation,
} from '../store.ts';

export interface ContractOptions {
  /** It keeps files, and can say how large they are. */
  hasFiles?: boolean;
  /** Commits under way at once are numbered as they were called. Not where a network lies between. True when absent. */
  numbersInCallOrder?: boolean;
}

/** What every engine must do. `open` gives an empty store; the suite closes it. */
export function storeContract(name: string, open: () => Promise<Store>, options: ContractOptions = {}): void {
  const contract = (title: string, body: (store: Store) => Promise<void>) =>
    test(title, async () => {
      const store = await open();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    });

  describe(`${name}: transactions`, () => {
    contract('an empty store is at revision 1, and has files or not', async (store) => {
      const sizeBytes = (await store.sizeBytes?.()) ?? 0;
      assert.ok(options.hasFiles === true ? sizeBytes > 1000 : sizeBytes === 0, String(sizeBytes));
      assert.equal(await store.currentRevision(), 1);
      assert.equal(await store.get('/core/pods/a'), undefined);
    });

    contract('a put is read back with its revisions', async (store) => {
      const first = await put(store, '/core/pods/a', 'one');
      const second = await put(store, '/core/pods/a', 'two');
      assert.ok(second > first && first > 1);
      const item = await store.get('/core/pods/a');
      assert.equal(text(item?.value), 'two');
      assert.equal(item?.createRevision, first);
      assert.equal(item?.modRevision, second);
      assert.equal(await store.currentRevision(), second);
    });

    contract('a key that is deleted and made again has a new createRevision', async (store) => {
      await put(store, '/k', 'one');
      await remove(store, '/k');
      assert.equal(await store.get('/k'), undefined);
      const again = await put(store, '/k', 'two');
      assert.equal((await store.get('/k'))?.createRevision, again);
    });

    contract('compare-and-set holds or tells what is there', async (store) => {
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

    contract('of concurrent creates exactly one wins', async (store) => {
      const results = await Promise.all(
        range(50).map((index) =>
          store.commit({ compare: [{ key: '/k', modRevision: 0 }], operations: [putOperation('/k', `${index}`)] }),
        ),
      );
      assert.equal(results.filter((result) => result.committed).length, 1);
      const winner = results.findIndex((result) => result.committed);
      assert.equal(text((await store.get('/k'))?.value), `${winner}`);
    });

    contract('concurrent increments by compare-and-set lose nothing', async (store) => {
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

    contract('all operations happen at one revision, or none', async (store) => {
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

    contract('what changes nothing takes no revision', async (store) => {
      const revision = await put(store, '/a', 'x');
      const result = await store.commit({ compare: [], operations: [{ type: 'delete', key: '/nothing' }] });
      assert.deepEqual(result, { committed: true, revision });
      assert.equal(await store.currentRevision(), revision);
    });

    contract('a key twice in one transaction is refused', async (store) => {
      await assert.rejects(
        store.commit({ compare: [], operations: [putOperation('/a', '1'), putOperation('/a', '2')] }),
      );
      assert.equal(await store.get('/a'), undefined);
    });

    contract('values are opaque bytes, empty and large ones too', async (store) => {
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

    contract('every commit takes the next number', async (store) => {
      const revisions = await Promise.all(range(100).map((index) => put(store, `/k${index}`, 'x')));
      if (options.numbersInCallOrder === false) revisions.sort((a, b) => a - b);
      assert.deepEqual(
        revisions,
        range(100).map((index) => revisions[0]! + index),
      );
    });
  });

  describe(`${name}: ranges`, () => {
    contract('keys come in order, the end is exclusive, a limit leaves the count', async (store) => {
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

    contract('a revision of the past is read as it was', async (store) => {
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

    contract('every revision can be read while writes go on', async (store) => {
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

    contract('a revision of the future is refused', async (store) => {
      const revision = await put(store, '/a', 'x');
      await assert.rejects(store.range({ start: '/a', end: '/b', revision: revision + 1 }), FutureRevisionError);
    });
  });

  describe(`${name}: watches`, () => {
    contract('tells puts and deletes in order, from a revision on, in its range only', async (store) => {
      const first = await put(store, '/core/pods/a', '1');
      const second = await put(store, '/core/pods/a', '2');
      await put(store, '/core/nodes/a', 'x');
      const watch = collect(store, '/core/pods/', first);
      const third = await remove(store, '/core/pods/a');
      const fourth = await put(store, '/core/pods/b', '3');
      await watch.reached(fourth);
      assert.deepEqual(watch.events.map(describeEvent), [
        `put /core/pods/a=2 created ${first} at ${second}`,
        `delete /core/pods/a at ${third}`,
        `put /core/pods/b=3 created ${fourth} at ${fourth}`,
      ]);
      watch.close();
    });

    contract('is told of progress in other ranges', async (store) => {
      const watch = collect(store, '/core/pods/', 1);
      await watch.reached(await put(store, '/core/nodes/a', 'x'));
      assert.deepEqual(watch.events, []);
      watch.close();
    });

    contract('all events of one revision come in one call', async (store) => {
      const watch = collect(store, '/core/pods/', 1);
      const before = await put(store, '/core/pods/z', 'x');
      await watch.reached(before);
      const operations = range(10).map((index) => putOperation(`/core/pods/${index}`, 'x'));
      const live = await store.commit({ compare: [], operations: [...operations, putOperation('/core/nodes/a', 'x')] });
      await watch.reached(live.revision);
      assert.equal(watch.calls.find((call) => call.revision === live.revision)?.events.length, 10);
      const late = collect(store, '/core/pods/', before);
      await late.reached(live.revision);
      assert.equal(late.calls.find((call) => call.revision === live.revision)?.events.length, 10);
      watch.close();
      late.close();
    });

    contract('no gap and no duplicate, whenever a watch starts under concurrent writes', async (store) => {
      const start = await put(store, '/core/pods/start', 'x');
      const watches: Collector[] = [];
      let last = start;
      const writer = async (index: number) => {
        for (const round of range(40)) {
          const revision = await put(store, `/core/pods/${index}`, `${round}`);
          last = Math.max(last, revision);
          if (round % 8 === index) watches.push(collect(store, '/core/pods/', round % 16 === index ? start : revision));
        }
      };
      await Promise.all(range(8).map(writer));
      assert.ok(watches.length >= 30);
      for (const watch of watches) {
        await watch.reached(last);
        const revisions = watch.events.map((event) => event.revision);
        assert.deepEqual(
          revisions,
          range(last - watch.afterRevision).map((index) => watch.afterRevision + 1 + index),
        );
        watch.close();
      }
    });

    contract('many watchers, each with its own range', async (store) => {
      const watches = range(300).map((index) => collect(store, `/core/pods/t${index % 100}/`, 1));
      const everything = collect(store, '/', 1);
      let last = 1;
      for (const index of range(100)) last = await put(store, `/core/pods/t${index}/p`, 'x');
      for (const [index, watch] of watches.entries()) {
        await watch.reached(last);
        assert.deepEqual(
          watch.events.map((event) => event.key),
          [`/core/pods/t${index % 100}/p`],
        );
        watch.close();
      }
      await everything.reached(last);
      assert.equal(everything.events.length, 100);
      everything.close();
    });

    contract('a commit is told before it is acknowledged', async (store) => {
      const watch = collect(store, '/core/pods/', 1);
      await watch.reached(await put(store, '/core/pods/a', 'x'));
      for (const index of range(20)) {
        const revision = await put(store, '/core/pods/a', `${index}`);
        assert.equal(watch.events.at(-1)?.revision, revision);
      }
      watch.close();
    });

    contract('a watcher may commit from within', async (store) => {
      const seen: string[] = [];
      let resolve!: () => void;
      const done = new Promise<void>((settle) => (resolve = settle));
      const other = collect(store, '/p/', 1);
      const watch = store.watch({
        start: '/p/',
        end: prefixEnd('/p/'),
        afterRevision: 1,
        onEvents: (events) => {
          for (const event of events) {
            seen.push(event.key);
            if (event.key.length < 10) void put(store, `${event.key}x`, 'x');
            else resolve();
          }
        },
        onError: assert.fail,
      });
      await put(store, '/p/', 'x');
      await done;
      await other.reached(await store.currentRevision());
      assert.deepEqual(
        seen,
        other.events.map((event) => event.key),
      );
      watch.close();
      other.close();
    });

    contract('nothing comes after close', async (store) => {
      const watch = collect(store, '/p/', 1);
      await watch.reached(await put(store, '/p/a', 'x'));
      watch.close();
      const control = collect(store, '/p/', 1);
      await control.reached(await put(store, '/p/b', 'x'));
      assert.equal(watch.events.length, 1);
      control.close();
    });

    contract('closing the store ends watches with an error', async (store) => {
      const watch = collect(store, '/p/', 1);
      await watch.reached(await put(store, '/p/a', 'x'));
      await store.close();
      assert.ok((await watch.failed) instanceof ClosedError);
      await assert.rejects(store.get('/p/a'), ClosedError);
      await assert.rejects(put(store, '/p/a', 'x'), ClosedError);
    });
  });

  describe(`${name}: compaction`, () => {
    contract('forgets the past and says so', async (store) => {
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

    contract('compacting twice or less is nothing; the future is refused', async (store) => {
      const first = await put(store, '/a', '1');
      const second = await put(store, '/a', '2');
      await store.compact(second);
      await store.compact(first);
      await store.compact(second);
      await assert.rejects(store.compact(second + 1), FutureRevisionError);
      assert.equal(text((await store.get('/a'))?.value), '2');
    });

    contract('live watches and writes go on during a compaction', async (store) => {
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
  });
}

interface Collector {
  afterRevision: number;
  events: StoreEvent[];
  calls: { events: StoreEvent[]; revision: number }[];
  reached(revision: number): Promise<void>;
  failed: Promise<Error>;
  close(): void;
}

function collect(store: Store, prefix: string, afterRevision: number): Collector {
  const events: StoreEvent[] = [];
  const calls: Collector['calls'] = [];
  const waiting: { revision: number; resolve: () => void }[] = [];
  let progress = 0;
  let fail!: (error: Error) => void;
  const failed = new Promise<Error>((resolve) => (fail = resolve));
  const watch = store.watch({
    start: prefix,
    end: prefixEnd(prefix),
    afterRevision,
    onEvents(some, revision) {
      assert.ok(revision > progress, 'revisions ascend');
      progress = revision;
      events.push(...some);
      calls.push({ events: some, revision });
      for (const wait of waiting) if (wait.revision <= progress) wait.resolve();
    },
    onError: fail,
  });
  return {
    afterRevision,
    events,
    calls,
    failed,
    reached: (revision) =>
      Promise.race([
        new Promise<void>((resolve) => (progress >= revision ? resolve() : waiting.push({ revision, resolve }))),
        failed.then((error) => Promise.reject(error)),
      ]),
    close: () => watch.close(),
  };
}

const range = (length: number) => Array.from({ length }, (_, index) => index);
const text = (value: Uint8Array | undefined) => (value === undefined ? undefined : Buffer.from(value).toString());
const putOperation = (key: string, value: string): WriteOperation => ({ type: 'put', key, value: Buffer.from(value) });

async function put(store: Store, key: string, value: string): Promise<number> {
  return (await store.commit({ compare: [], operations: [putOperation(key, value)] })).revision;
}

async function remove(store: Store, key: string): Promise<number> {
  return (await store.commit({ compare: [], operations: [{ type: 'delete', key }] })).revision;
}

const describeItems = (items: { key: string; value: Uint8Array; modRevision: number }[]) =>
  items.map((item) => `${item.key}=${text(item.value)}@${item.modRevision}`).join(' ');

const describeEvent = (event: StoreEvent) =>
  event.type === 'put'
    ? `put ${event.key}=${text(event.value)} created ${event.createRevision} at ${event.revision}`
    : `delete ${event.key} at ${event.revision}`;
