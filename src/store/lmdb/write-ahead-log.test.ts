import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Store, WriteOperation } from '../store.ts';
import { type LmdbStoreOptions, openLmdbStore } from './lmdb-store.ts';
import { encodeLogRecord, LogDamagedError, logPageBytes, logRecordBytes, readSegment } from './log-record.ts';

const directories: string[] = [];
const directory = () => {
  const made = mkdtempSync(join(tmpdir(), 'skypod-log-'));
  directories.push(made);
  return made;
};
after(() => {
  for (const each of directories) rmSync(each, { recursive: true });
});

const never = 2 ** 30;
const put = (key: string, value: string): WriteOperation => ({ type: 'put', key, value: Buffer.from(value) });
const life = { generation: 3, salt: Buffer.from('saltsalt') };
const before = { generation: 1, salt: Buffer.from('othersal') };

/** A segment of records, and where each begins. */
function segmentOf(identity: typeof life, first: number, records: WriteOperation[][][]) {
  const starts: number[] = [];
  const parts: Buffer[] = [];
  let at = 0;
  let revision = first;
  for (const revisions of records) {
    const bytes = Buffer.alloc(logRecordBytes(revisions));
    encodeLogRecord(bytes, identity, revision, revisions);
    starts.push(at);
    at += bytes.length;
    revision += revisions.length;
    parts.push(bytes);
  }
  return { bytes: Buffer.concat(parts), starts };
}

const records: WriteOperation[][][] = [
  [[put('/a', '1')]],
  [[put('/a', '2'), { type: 'delete', key: '/b' }], [put('/ü', '')]],
  [[put('/large', 'x'.repeat(3 * logPageBytes))]],
  [[{ type: 'delete', key: '/a' }], [put('/a', '3')], [put('/c', 'y'.repeat(5000))]],
];
const plain = (revisions: WriteOperation[][]) =>
  revisions.map((operations) => operations.map((each) => [each.key, each.type === 'put' && `${each.value}`]));

test('a record is read as it was written', () => {
  const { bytes } = segmentOf(life, 7, records);
  const segment = readSegment(bytes, 0)!;
  assert.deepEqual([segment.generation, segment.salt], [3, life.salt]);
  assert.deepEqual(
    segment.records.map(({ first }) => first),
    [7, 8, 10, 11],
  );
  for (const [index, { revisions }] of segment.records.entries()) {
    assert.deepEqual(
      plain(revisions.map((each) => each.map((operation) => toText(operation)))),
      plain(records[index]!.map((each) => each.map((operation) => toText(operation)))),
    );
  }
});
const toText = (operation: WriteOperation): WriteOperation =>
  operation.type === 'put' ? { ...operation, value: Buffer.from(operation.value) } : operation;

for (const [what, rest] of [
  ['zeros', (length: number) => Buffer.alloc(length)],
  ['what stood there in an earlier life', (length: number) => segmentOf(before, 1, earlier).bytes.subarray(0, length)],
  ['garbage', (length: number) => Buffer.from(Array.from({ length }, (_, index) => (index * 7919) % 251))],
] as const) {
  test(`cut at any byte and followed by ${what}, the log holds the records that are whole`, () => {
    const { bytes, starts } = segmentOf(life, 7, records);
    const tail = rest(bytes.length);
    for (let cut = 0; cut < bytes.length; cut++) {
      const torn = Buffer.concat([bytes.subarray(0, cut), tail.subarray(cut)]);
      const segment = readSegment(torn, 6);
      const found = segment?.generation === life.generation ? segment.records : [];
      const whole = starts.filter((_, index) => (starts[index + 1] ?? bytes.length) <= cut).length;
      // Of a record's last page only padding may be missing.
      const padded = starts.findIndex((start) => start > cut) - 1;
      const last = padded < 0 ? starts.length - 1 : padded;
      const withoutPadding = torn
        .subarray(starts[last]!, starts[last + 1])
        .equals(bytes.subarray(starts[last]!, starts[last + 1]));
      const isEnough = found.length === whole || found.length === whole + 1;
      assert.ok(
        isEnough && (found.length === whole || withoutPadding || isPayloadWhole(bytes, starts, last, cut)),
        `${cut}`,
      );
    }
  });
}
const earlier: WriteOperation[][][] = Array.from({ length: 12 }, (_, index) => [[put(`/old-${index}`, 'z')]]);

function isPayloadWhole(bytes: Buffer, starts: number[], index: number, cut: number): boolean {
  const start = starts[index]!;
  return start + 40 + bytes.readUInt32BE(start + 8) <= cut;
}

test('a record of which any pages are missing is none, wherever its pages got to', () => {
  const { bytes, starts } = segmentOf(life, 7, records.slice(0, 3));
  const old = segmentOf(before, 1, earlier).bytes;
  const pages = (bytes.length - starts[2]!) / logPageBytes;
  for (let there = 0; there < 2 ** pages - 1; there++) {
    const torn = Buffer.from(bytes);
    for (let page = 0; page < pages; page++) {
      if ((there >> page) & 1) continue;
      const at = starts[2]! + page * logPageBytes;
      old.copy(torn, at, at, at + logPageBytes);
    }
    assert.equal(readSegment(torn, 6)!.records.length, 2, there.toString(2));
  }
});

test('a hole before what was acknowledged is told, unless the tables have it all', () => {
  const { bytes, starts } = segmentOf(life, 7, records);
  for (const at of [starts[1]! + 20, starts[1]! + 50, starts[2]! + 2 * logPageBytes]) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 1;
    assert.throws(() => readSegment(damaged, 6), LogDamagedError);
    assert.ok(readSegment(damaged, 13) !== undefined);
  }
});

test('a value that looks like a record is a value', () => {
  const inner = segmentOf(before, 1, records).bytes;
  const value = Buffer.concat([Buffer.alloc(logPageBytes - 40 - 4 - 3 - 2 - 4), inner]);
  const { bytes } = segmentOf(life, 7, [[[{ type: 'put', key: '/v', value }]]]);
  bytes[bytes.length - 5000]! ^= 1;
  assert.equal(readSegment(bytes, 0), undefined);
  const two = Buffer.concat([segmentOf(life, 6, [[[put('/a', '1')]]]).bytes, bytes]);
  assert.equal(readSegment(two, 0)!.records.length, 1);
});

/** In few words: a difference between great buffers takes minutes to be put into any. */
const contents = async (store: Store, revision?: number) => {
  const found = await store.range({ start: '/', end: '0', ...(revision !== undefined && { revision }) });
  const words = found.items.map(
    ({ key, value, createRevision, modRevision }) =>
      `${key}=${value.length}:${`${value}`.replace(/\.+$/, '')}@${createRevision},${modRevision}`,
  );
  return `${found.revision} ${found.count} ${words.join(' ')}`;
};

/** Everything a process that was killed just now leaves. */
function imageOf(path: string): string {
  const image = directory();
  cpSync(path, image, { recursive: true, filter: (name) => !name.endsWith('lock.mdb') });
  return image;
}

test('killed after any write, the store holds what it held then, with its history', async () => {
  const path = directory();
  const options: LmdbStoreOptions = { log: { initialBytes: 8192, maximumBytes: 32_768 }, checkpointDelayMs: never };
  const store = openLmdbStore(path, options);
  let seed = 11;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  /** The tables as they were after their last sync: what a power cut leaves of them. */
  let tables = readFileSync(join(path, 'data.mdb'));
  for (let step = 0; step < 150; step++) {
    const size = random(12) === 0 ? 40_000 : random(6000);
    const operations: WriteOperation[] = [put(`/k/${random(20)}`, `${step}`.padEnd(size, '.'))];
    const more = random(4);
    if (more === 0) operations.push({ type: 'delete', key: `/d/${random(3)}` });
    if (more === 1) operations.push(put(`/d/${random(3)}`, `${step}`));
    const inTables = readFileSync(join(path, 'data.mdb'));
    await store.commit({ compare: [], operations });
    const after = readFileSync(join(path, 'data.mdb'));
    if (!after.equals(inTables)) tables = after;
    if (random(15) === 0) {
      await store.compact((await store.currentRevision()) - 3);
      tables = readFileSync(join(path, 'data.mdb'));
    }
    if (step % 5 !== 0) continue;
    const expected = await contents(store);
    const newest = await store.currentRevision();
    for (const cut of ['kill', 'power'] as const) {
      const image = imageOf(path);
      if (cut === 'power') writeFileSync(join(image, 'data.mdb'), tables);
      const again = openLmdbStore(image, options);
      assert.equal(await contents(again), expected, `${cut} at ${step}`);
      assert.equal(await again.currentRevision(), newest);
      for (const back of [1, 2]) {
        assert.equal(await contents(again, newest - back), await contents(store, newest - back), `${cut} at ${step}`);
      }
      await again.commit({ compare: [], operations: [put('/k/after', 'x')] });
      await again.close();
      const once = openLmdbStore(image, options);
      assert.equal(await once.currentRevision(), newest + 1);
      assert.equal(`${(await once.get('/k/after'))?.value}`, 'x');
      await once.close();
      rmSync(image, { recursive: true });
      directories.splice(directories.indexOf(image), 1);
    }
  }
  await store.close();
});

test('a store that has no room for a log goes on with its tables', async () => {
  const path = directory();
  const writeAt = async () => {
    throw new Error('no space left on device');
  };
  const store = openLmdbStore(path, { log: { writeAt } });
  await store.commit({ compare: [], operations: [put('/k/a', '1')] });
  const again = openLmdbStore(imageOf(path));
  assert.equal(`${(await again.get('/k/a'))?.value}`, '1');
  await again.close();
  await store.close();
});

test('a write of the log that fails half way is made good in the tables, and the log takes no more', async () => {
  for (const reached of [0, 100, 4096, 5000]) {
    const path = directory();
    let writes = 0;
    const store = openLmdbStore(path, {
      checkpointDelayMs: never,
      log: {
        writeAt: async (descriptor, bytes, position) => {
          writes += 1;
          writeSync(descriptor, bytes, 0, writes === 3 ? reached : bytes.length, position);
          if (writes === 3) throw new Error('input/output error');
        },
      },
    });
    for (let index = 0; index < 5; index++) {
      const { revision } = await store.commit({ compare: [], operations: [put(`/k/${index}`, 'x'.repeat(4500))] });
      assert.equal(revision, index + 2);
    }
    assert.equal(writes, 3);
    const expected = await contents(store);
    const again = openLmdbStore(imageOf(path));
    assert.equal(await contents(again), expected);
    await again.close();
    await store.close();
  }
});
