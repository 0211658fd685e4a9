import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { type Controller, type ControllerQueue, runController } from './controller.ts';

/** A controller whose queue the test feeds by hand. */
async function running(controller: Omit<Controller, 'name' | 'watches'>) {
  const stop = new AbortController();
  let queue: ControllerQueue | undefined;
  const informer = { addHandlers: () => {}, synced: () => Promise.resolve() } as never;
  const watches = [
    {
      informer,
      handlers: (theirs: ControllerQueue) => {
        queue = theirs;
        return {};
      },
    },
  ];
  const done = runController(
    { ...controller, name: 'test', watches },
    { clock: new ManualClock(), logger: silentLogger },
    stop.signal,
  );
  await new Promise(setImmediate);
  return {
    queue: queue!,
    stop: () => {
      stop.abort();
      return done;
    },
  };
}

const turn = () => new Promise(setImmediate);

test("a tenant whose calls hang and who has five thousand keys does not keep another's waiting", async () => {
  for (const workers of [2, 4, 16]) {
    const hanging: (() => void)[] = [];
    const reconciled: string[] = [];
    const controller = await running({
      workers,
      async reconcile(key) {
        if (key.startsWith('slow/')) await new Promise<void>((resolve) => hanging.push(resolve));
        reconciled.push(key);
      },
    });
    for (let index = 0; index < 5000; index++) controller.queue.add(`slow/a/${index}`);
    await turn();
    assert.equal(hanging.length, Math.max(1, Math.floor(workers / 2)));
    for (let index = 0; index < 20; index++) controller.queue.add(`quiet/a/${index}`);
    await turn();
    assert.equal(reconciled.length, 20, 'all of the quiet one, none of the slow one');

    // The slow one gets on, in order, each key once.
    while (reconciled.length < 5020) {
      for (const end of hanging.splice(0)) end();
      await turn();
    }
    const slow = reconciled.slice(20);
    assert.equal(new Set(slow).size, 5000);
    assert.equal(slow[0], 'slow/a/0');
    assert.equal(slow.at(-1), 'slow/a/4999');
    await controller.stop();
  }
});

test('a key that is added while it is worked on is worked on again, never twice at once', async () => {
  let active = 0;
  let runs = 0;
  const ends: (() => void)[] = [];
  const controller = await running({
    workers: 8,
    async reconcile() {
      active++;
      runs++;
      assert.equal(active, 1);
      await new Promise<void>((resolve) => ends.push(resolve));
      active--;
    },
  });
  controller.queue.add('t/a/1');
  await turn();
  controller.queue.add('t/a/1');
  controller.queue.add('t/a/1');
  await turn();
  assert.equal(runs, 1);
  ends.shift()!();
  await turn();
  assert.equal(runs, 2, 'both additions are one more run');
  ends.shift()!();
  await turn();
  assert.equal(runs, 2);
  await controller.stop();
});
