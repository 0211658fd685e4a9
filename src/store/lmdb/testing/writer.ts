import { openLmdbStore } from '../lmdb-store.ts';

/**
 * Writes to the store in the directory given until it is killed, many transactions at a time, and prints a line for each
 * that was acknowledged: `key revision`. Run by crash.test.ts.
 */
const [directory, run, logBytes] = process.argv.slice(2) as [string, string, string?];
const log = logBytes === undefined ? {} : { initialBytes: 4096, maximumBytes: Number(logBytes) };
const store = openLmdbStore(directory, { log, checkpointDelayMs: logBytes === undefined ? 100 : 3 });
let next = 0;

async function write(worker: number): Promise<void> {
  for (;;) {
    const key = `/core/pods/t/run-${run}/${worker}-${next++}`;
    const counter = `/core/counters/t/${worker}`;
    const before = await store.get(counter);
    const result = await store.commit({
      compare: [{ key: counter, modRevision: before?.modRevision ?? 0 }],
      operations: [
        { type: 'put', key, value: Buffer.from(`value of ${key}`) },
        { type: 'put', key: counter, value: Buffer.from(String(next)) },
      ],
    });
    if (!result.committed) throw new Error('somebody else writes here');
    process.stdout.write(`${key} ${result.revision}\n`);
    if (next % 200 === 0) void store.compact(result.revision - 100).catch(() => {});
  }
}

await Promise.all(Array.from({ length: 32 }, (_, worker) => write(worker)));
