import assert from 'node:assert/strict';
import { ClosedError, prefixEnd } from '../store.ts';
import { type AddTest, type Collector, collect, describeEvent, put, putOperation, range, remove } from './harness.ts';

export function watchTests(add: AddTest): void {
  add('tells puts and deletes in order, from a revision on, in its range only', async (store) => {
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

  add('is told of progress in other ranges', async (store) => {
    const watch = collect(store, '/core/pods/', 1);
    await watch.reached(await put(store, '/core/nodes/a', 'x'));
    assert.deepEqual(watch.events, []);
    watch.close();
  });

  add('all events of one revision come in one call', async (store) => {
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

  add('no gap and no duplicate, whenever a watch starts under concurrent writes', async (store) => {
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

  add('many watchers, each with its own range', async (store) => {
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

  add('a commit is told before it is acknowledged', async (store) => {
    const watch = collect(store, '/core/pods/', 1);
    await watch.reached(await put(store, '/core/pods/a', 'x'));
    for (const index of range(20)) {
      const revision = await put(store, '/core/pods/a', `${index}`);
      assert.equal(watch.events.at(-1)?.revision, revision);
    }
    watch.close();
  });

  add('a watcher may commit from within', async (store) => {
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

  add('nothing comes after close', async (store) => {
    const watch = collect(store, '/p/', 1);
    await watch.reached(await put(store, '/p/a', 'x'));
    watch.close();
    const control = collect(store, '/p/', 1);
    await control.reached(await put(store, '/p/b', 'x'));
    assert.equal(watch.events.length, 1);
    control.close();
  });

  add('closing the store ends watches with an error', async (store) => {
    const watch = collect(store, '/p/', 1);
    await watch.reached(await put(store, '/p/a', 'x'));
    await store.close();
    assert.ok((await watch.failed) instanceof ClosedError);
    await assert.rejects(store.get('/p/a'), ClosedError);
    await assert.rejects(put(store, '/p/a', 'x'), ClosedError);
  });
}
