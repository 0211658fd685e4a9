import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../base/clock.ts';
import { RetriedWork } from './retried-work.ts';

function recorder() {
  const clock = new ManualClock();
  const wanted: string[] = [];
  const done: string[][] = [];
  const failures: unknown[] = [];
  let outcomes: (() => Promise<void>)[] = [];
  const work = new RetriedWork({
    isDue: () => wanted.length > 0,
    attempt: async () => {
      const batch = wanted.slice();
      await outcomes.shift()?.();
      done.push(batch);
      wanted.splice(0, batch.length);
    },
    onFailure: (error) => failures.push(error),
    retryMs: 1000,
    clock,
  });
  const want = (name: string): void => {
    wanted.push(name);
    work.advance();
  };
  const next = (...list: (() => Promise<void>)[]): void => {
    outcomes = list;
  };
  return { clock, work, want, next, done, failures };
}

const fail = () => Promise.reject(new Error('refused'));

test('nothing is done before the start; then all at once', async () => {
  const { work, want, done } = recorder();
  want('a');
  await work.settled();
  assert.deepEqual(done, []);
  work.start();
  want('b');
  await work.settled();
  assert.deepEqual(done, [['a', 'b']]);
});

test('what is asked for during an attempt goes into the next one together', async () => {
  const { work, want, next, done } = recorder();
  const held = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  next(() => {
    begun.resolve();
    return held.promise;
  });
  work.start();
  want('a');
  await begun.promise;
  want('b');
  want('c');
  held.resolve();
  await work.settled();
  assert.deepEqual(done, [['a'], ['b', 'c']]);
});

test('a failure is told and tried again after its time, however much is asked for before', async () => {
  const { clock, work, want, next, done, failures } = recorder();
  next(fail);
  work.start();
  want('a');
  await work.settled();
  assert.equal(failures.length, 1);
  want('b');
  clock.advance(999);
  await work.settled();
  assert.deepEqual(done, []);
  clock.advance(1);
  await work.settled();
  assert.deepEqual(done, [['a', 'b']]);
});

test('closed, it waits for the attempt that runs, tells of no failure and begins no other', async () => {
  const { clock, work, want, next, done, failures } = recorder();
  const held = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  next(() => {
    begun.resolve();
    return held.promise.then(fail);
  });
  work.start();
  want('a');
  await begun.promise;
  let closed = false;
  const closing = work.close().then(() => {
    closed = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(closed, false);
  held.resolve();
  await closing;
  assert.equal(work.isRunning, false);
  want('b');
  clock.advance(10_000);
  await work.settled();
  assert.deepEqual([done, failures], [[], []]);
});

test('a retry that waits is dropped at the end', async () => {
  const { clock, work, want, next, done } = recorder();
  next(fail);
  work.start();
  want('a');
  await work.settled();
  await work.close();
  clock.advance(10_000);
  await work.settled();
  assert.deepEqual(done, []);
});
