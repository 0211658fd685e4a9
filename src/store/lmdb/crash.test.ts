import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type StoreEvent, StoreFullError } from '../store.ts';
import { StoreLockedError } from './directory-lock.ts';
import { openLmdbStore } from './lmdb-store.ts';

const directories: string[] = [];
const directory = () => {
  const made = mkdtempSync(join(tmpdir(), 'skypod-lmdb-'));
  directories.push(made);
  return made;
};
after(() => {
  for (const each of directories) rmSync(each, { recursive: true });
});

const writer = join(import.meta.dirname, 'testing', 'writer.ts');

/** Starts a writer, kills it after `acknowledged` lines, and returns what it had acknowledged. */
async function writeUntilKilled(path: string, args: string[], acknowledged: number): Promise<Map<string, number>> {
  const child = spawn(process.execPath, [writer, path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  let lines = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
    lines += chunk.toString().split('\n').length - 1;
    if (lines >= acknowledged) child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.once('close', resolve));
  assert.equal(child.signalCode, 'SIGKILL', 'the writer went on until it was killed');
  const whole = output
    .slice(0, output.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1);
  return new Map(
    whole.map((line) => {
      const [key, revision] = line.split(' ');
      return [key!, Number(revision)];
    }),
  );
}

async function killAgainAndAgain(more: string[]): Promise<void> {
  const path = directory();
  const acknowledged = new Map<string, number>();
  for (let run = 0; run < 6; run++) {
    const written = await writeUntilKilled(path, [String(run), ...more], 1 + Math.floor(Math.random() * 3000));
    for (const [key, revision] of written) acknowledged.set(key, revision);
    const store = openLmdbStore(path);
    const { items, revision } = await store.range({ start: '/core/', end: '/core0' });
    const found = new Map(items.map((item) => [item.key, item]));
    for (const [key, at] of acknowledged) {
      assert.equal(found.get(key)?.modRevision, at, key);
      assert.equal(Buffer.from(found.get(key)!.value).toString(), `value of ${key}`);
    }
    const revisions = new Set(
      items.filter((item) => item.key.startsWith('/core/pods/')).map((item) => item.modRevision),
    );
    for (const item of items.filter((each) => each.key.startsWith('/core/counters/'))) {
      assert.ok(revisions.has(item.modRevision), 'a counter moves together with its pod');
    }
    assert.equal(await store.currentRevision(), revision);
    await store.close();
  }
  assert.ok(acknowledged.size > 6);
}

test('kill -9 loses nothing that was acknowledged, and leaves no half of a transaction', () => killAgainAndAgain([]));

test('nor does it while the log goes from segment to segment, grows, and cannot take what is too large', () =>
  killAgainAndAgain(['32768']));

test('history is there after opening again', async () => {
  const path = directory();
  const first = openLmdbStore(path);
  const put = (key: string, value: string) =>
    first.commit({ compare: [], operations: [{ type: 'put', key, value: Buffer.from(value) }] });
  const { revision: then } = await put('/p/a', '1');
  await put('/p/a', '2');
  await first.commit({ compare: [], operations: [{ type: 'delete', key: '/p/a' }] });
  await first.close();

  const second = openLmdbStore(path);
  const past = await second.range({ start: '/p/', end: '/p0', revision: then });
  assert.equal(Buffer.from(past.items[0]!.value).toString(), '1');
  const events = await new Promise<StoreEvent[]>((resolve, reject) => {
    const seen: StoreEvent[] = [];
    second.watch({
      start: '/p/',
      end: '/p0',
      afterRevision: then,
      onEvents: (some) => {
        seen.push(...some);
        if (seen.length === 2) resolve(seen);
      },
      onError: reject,
    });
  });
  assert.deepEqual(
    events.map((event) => [event.type, event.revision]),
    [
      ['put', then + 1],
      ['delete', then + 2],
    ],
  );
  await second.close();
});

test('a second opener is refused, another process or this one, and told who is first', async () => {
  const path = directory();
  const store = openLmdbStore(path);
  assert.throws(() => openLmdbStore(path), StoreLockedError);
  const other = spawnSync(process.execPath, [writer, path, '0'], { encoding: 'utf8' });
  assert.notEqual(other.status, 0);
  assert.match(other.stderr, new RegExp(`in use by another process \\(pid ${process.pid}\\)`));
  await store.commit({ compare: [], operations: [{ type: 'put', key: '/a', value: Buffer.from('x') }] });
  await store.close();
  await openLmdbStore(path).close();
});

test('what was committed before close is written', async () => {
  const path = directory();
  const store = openLmdbStore(path);
  const commits = Array.from({ length: 100 }, (_, index) =>
    store.commit({ compare: [], operations: [{ type: 'put', key: `/k/${index}`, value: Buffer.from('x') }] }),
  );
  await store.close();
  await Promise.all(commits);
  const again = openLmdbStore(path);
  assert.equal((await again.range({ start: '/k/', end: '/k0' })).count, 100);
  await again.close();
});

/** A file system of 8 MiB, or why there is none. */
function smallDisk(): { path: string } | { reason: string } {
  if (process.getuid?.() !== 0) return { reason: 'mounting a small disk needs root' };
  const path = directory();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'skypod-test', path], { encoding: 'utf8' });
  return mounted.status === 0 ? { path } : { reason: `cannot mount a small disk: ${mounted.stderr.trim()}` };
}

test('a full disk is told as such; the store can be read, and written again when there is room', async (context) => {
  const disk = smallDisk();
  if ('reason' in disk) return context.skip(disk.reason);
  try {
    const path = join(disk.path, 'store');
    const filler = join(disk.path, 'filler');
    writeFileSync(filler, Buffer.alloc(3 * 1024 * 1024));
    const store = openLmdbStore(path);
    const written: string[] = [];
    const put = async (key: string, bytes = 10_000) => {
      await store.commit({ compare: [], operations: [{ type: 'put', key, value: Buffer.alloc(bytes, key) }] });
      written.push(key);
    };
    let told = 0;
    const watch = store.watch({
      start: '/k/',
      end: '/k0',
      afterRevision: 1,
      onEvents: (events) => (told += events.length),
      onError: assert.fail,
    });
    let index = 0;
    await assert.rejects(async () => {
      for (;;) await Promise.all(Array.from({ length: 8 }, () => put(`/k/${index++}`)));
    }, StoreFullError);
    await assert.rejects(Promise.all([put('/k/x', 500_000), put('/k/y', 500_000)]), StoreFullError);
    const revision = await store.currentRevision();
    const { items } = await store.range({ start: '/k/', end: '/k0' });
    assert.deepEqual(items.map((item) => item.key).sort(), [...written].sort());
    assert.equal(told, written.length);
    assert.equal(revision, 1 + written.length, 'a failed commit takes no revision');

    rmSync(filler);
    const result = await store.commit({
      compare: [{ key: '/k/x', modRevision: 0 }],
      operations: [{ type: 'put', key: '/k/x', value: Buffer.from('after') }],
    });
    assert.deepEqual(result, { committed: true, revision: revision + 1 });
    assert.equal(told, written.length + 1);
    watch.close();
    await store.close();
    const again = openLmdbStore(path);
    assert.equal((await again.range({ start: '/k/', end: '/k0' })).count, written.length + 1);
    await again.close();
  } finally {
    // Lazily: after a failure the store may still be open.
    spawnSync('umount', ['-l', disk.path]);
  }
});
