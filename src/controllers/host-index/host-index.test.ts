import assert from 'node:assert/strict';
import { it } from 'node:test';
import { smallestUnused } from './smallest-unused.ts';

it('gives the smallest number that is free', () => {
  assert.equal(smallestUnused(new Set()), 0);
  assert.equal(smallestUnused(new Set([0, 1, 3])), 2);
  assert.equal(smallestUnused(new Set([1])), 0);
});
