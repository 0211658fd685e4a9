import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Semaphore } from './semaphore.ts';

test('lets so many in at once, in their order', async () => {
  const semaphore = new Semaphore(2);
  const inside: number[] = [];
  const leave: (() => void)[] = [];
  const entered = [0, 1, 2, 3].map(async (index) => {
    leave[index] = await semaphore.enter();
    inside.push(index);
  });
  await Promise.all(entered.slice(0, 2));
  assert.deepEqual(inside, [0, 1]);
  leave[1]!();
  await entered[2];
  assert.deepEqual(inside, [0, 1, 2]);
  leave[0]!();
  leave[2]!();
  await entered[3];
  leave[3]!();
  const again = await Promise.all([semaphore.enter(), semaphore.enter()]);
  assert.equal(again.length, 2);
});
