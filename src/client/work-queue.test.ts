import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../base/clock.ts';
import { SettableClock } from '../base/testing/settable-clock.ts';
import { WorkQueue } from './work-queue.ts';

async function take(queue: WorkQueue, count: number): Promise<string[]> {
  const keys: string[] = [];
  for (let index = 0; index < count; index++) keys.push((await queue.next())!);
  return keys;
}

test('a key waits once, and waits again when it is added while worked on', async () => {
  const queue = new WorkQueue({ clock: new ManualClock() });
  queue.add('t/a/1');
  queue.add('t/a/1');
  assert.equal(queue.length, 1);
  assert.equal(await queue.next(), 't/a/1');
  queue.add('t/a/1');
  assert.equal(queue.length, 0, 'nobody else may take it now');
  queue.done('t/a/1');
  assert.equal(await queue.next(), 't/a/1');
});

test('tenants take turns', async () => {
  const queue = new WorkQueue({ clock: new ManualClock() });
  for (let index = 0; index < 5000; index++) queue.add(`noisy/a/${index}`);
  queue.add('quiet/a/0');
  queue.add('third/a/0');
  const first = await take(queue, 3);
  assert.deepEqual(first, ['noisy/a/0', 'quiet/a/0', 'third/a/0']);
  const rest = await take(queue, 4999);
  assert.equal(rest.at(-1), 'noisy/a/4999');
});

test('what lies in the system tenant for tenants takes turns by them', async () => {
  const queue = new WorkQueue({ clock: new ManualClock(), workers: 4 });
  for (let index = 0; index < 5000; index++) queue.add(`system/noisy/${index}`);
  queue.add('system/quiet/0');
  assert.deepEqual(await take(queue, 2), ['system/noisy/0', 'system/quiet/0']);
});

test('a failing key backs off for itself, doubling up to the longest', async () => {
  const clock = new ManualClock();
  const queue = new WorkQueue({ clock });
  const delays: number[] = [];
  for (let round = 0; round < 20; round++) {
    const from = clock.now();
    queue.addRateLimited('t/a/1');
    while (queue.length === 0) clock.advance(5);
    delays.push(clock.now() - from);
    queue.done((await queue.next())!);
  }
  assert.deepEqual(delays.slice(0, 4), [5, 10, 20, 40]);
  assert.equal(delays.at(-1), 1_000_000);
  queue.forget('t/a/1');
  assert.equal(queue.failuresOf('t/a/1'), 0);
});

test('of two delays for one key the shorter counts', async () => {
  const clock = new ManualClock();
  const queue = new WorkQueue({ clock });
  queue.addAfter('t/a/1', 1000);
  queue.addAfter('t/a/1', 100);
  queue.addAfter('t/a/1', 500);
  clock.advance(99);
  assert.equal(queue.length, 0);
  clock.advance(1);
  assert.equal(queue.length, 1);
  queue.done((await queue.next())!);
  clock.advance(5000);
  assert.equal(queue.length, 0, 'the longer ones are forgotten');
});

test('a clock that is set makes no delay longer or shorter', () => {
  const clock = new SettableClock();
  const queue = new WorkQueue({ clock });
  queue.addAfter('t/a/1', 1000);
  clock.offsetMs = -3_600_000;
  queue.addAfter('t/a/1', 5000);
  clock.advance(999);
  assert.equal(queue.length, 0);
  clock.advance(1);
  assert.equal(queue.length, 1);
});

test('shutDown wakes the workers and takes nothing more', async () => {
  const queue = new WorkQueue({ clock: new ManualClock() });
  const worker = queue.next();
  queue.shutDown();
  assert.equal(await worker, undefined);
  queue.add('t/a/1');
  assert.equal(await queue.next(), undefined);
});
