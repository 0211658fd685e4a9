import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sortSteps } from './sort-steps.ts';
import { runAtOnce } from './steps.ts';

test('sorts as sort does, and keeps the order of what is equal', () => {
  for (const length of [0, 1, 2, 255, 256, 257, 511, 1000, 3000, 4096]) {
    const items = Array.from({ length }, (_, index) => ({ key: (index * 7919) % 101, index }));
    const expected = items.toSorted((a, b) => a.key - b.key);
    runAtOnce(sortSteps(items, (a, b) => a.key - b.key));
    assert.deepEqual(items, expected);
  }
});

test('takes many steps for many items', () => {
  const items = Array.from({ length: 5000 }, (_, index) => -index);
  let steps = 0;
  for (const _ of sortSteps(items, (a, b) => a - b)) steps++;
  assert.ok(steps > 20);
});
