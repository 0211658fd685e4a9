import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeCounters } from './node-counters.ts';

test('the sum of a node grows, whoever goes', () => {
  const counters = new NodeCounters();
  assert.equal(
    counters.add(
      'n',
      new Map([
        ['a', 5],
        ['b', 7],
      ]),
    ),
    12,
  );
  assert.equal(counters.add('n', new Map([['b', 8]])), 13);
  assert.equal(counters.add('n', new Map([['b', 3]])), 16, 'it was started again');
  assert.equal(counters.add('n', new Map()), 16);
  assert.equal(counters.add('n', new Map([['c', 2]])), 18);
  assert.equal(counters.add('other', new Map([['c', 2]])), 2);
});
