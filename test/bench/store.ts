import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLmdbStore } from '../../src/store/lmdb/lmdb-store.ts';
import { openMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/store.ts';

/** Prints what the store does a second: `node test/bench/store.ts [directory]` (the directory's disk is what counts). */
const small = Buffer.alloc(200, 'x');
const pod = Buffer.alloc(1500, 'x');

async function inFlight(count: number, parallel: number, one: (index: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const start = performance.now();
  const worker = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return count / ((performance.now() - start) / 1000);
}

async function bench(name: string, store: Store): Promise<void> {
  const report = (what: string, perSecond: number) =>
    console.log(`${name.padEnd(7)} ${what.padEnd(46)} ${Math.round(perSecond).toLocaleString('en').padStart(10)} /s`);
  const create = (prefix: string, value: Buffer) => (index: number) => {
    const key = `/core/pods/t/default/${prefix}-${index}`;
    return store.commit({ compare: [{ key, modRevision: 0 }], operations: [{ type: 'put', key, value }] });
  };
  let told = 0;
  const watch = store.watch({
    start: '/core/pods/',
    end: '/core/pods0',
    afterRevision: 1,
    onEvents: (events) => (told += events.length),
    onError: (error) => console.error(error),
  });
  report('create, 200 B, 1 in flight', await inFlight(2000, 1, create('alone', small)));
  report('create, 200 B, 64 in flight', await inFlight(50_000, 64, create('small', small)));
  report('create, 1.5 KB, 64 in flight', await inFlight(50_000, 64, create('pod', pod)));
  report('create, 1.5 KB, 512 in flight', await inFlight(50_000, 512, create('more', pod)));
  const update = async (index: number) => {
    const key = `/core/pods/t/default/pod-${index}`;
    const current = (await store.get(key))!;
    await store.commit({
      compare: [{ key, modRevision: current.modRevision }],
      operations: [{ type: 'put', key, value: pod }],
    });
  };
  report('get + update, 1.5 KB, 64 in flight', await inFlight(50_000, 64, update));
  report(
    'get, 1.5 KB',
    await inFlight(100_000, 64, (index) => store.get(`/core/pods/t/default/pod-${index % 50_000}`)),
  );
  const start = performance.now();
  const all = await store.range({ start: '/core/pods/', end: '/core/pods0' });
  report(`range, items of ${all.count}`, all.count / ((performance.now() - start) / 1000));
  const page = await inFlight(200, 1, () => store.range({ start: '/core/pods/', end: '/core/pods0', limit: 500 }));
  report('range, pages of 500', page);
  const compactionStart = performance.now();
  await store.compact(await store.currentRevision());
  report(`compact, revisions of ${told}`, told / ((performance.now() - compactionStart) / 1000));
  watch.close();
  await store.close();
}

const directory = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'skypod-bench-'));
try {
  await bench('memory', openMemoryStore());
  await bench('lmdb', openLmdbStore(directory));
} finally {
  await rm(directory, { recursive: true });
}
