import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canonical, isSame } from './canonical.ts';

describe('semantic equality', () => {
  const values: unknown[] = [
    undefined,
    {},
    { a: 1 },
    { a: '1' },
    { a: null, b: undefined, c: [] },
    { b: 2, a: 1 },
    { a: 1, b: 2 },
    { a: {} },
    { a: { b: null } },
    { a: [1, { b: [], c: 'x' }] },
    { a: [1, { c: 'x' }] },
    { a: [{ c: 'x' }, 1] },
    { a: [1] },
    { a: { 0: 1 } },
    { constructor: 'x' },
    { toString: null },
    { a: true },
    { a: '' },
    { a: 0 },
    { a: [null] },
    { a: [[]] },
  ];

  it('is that of the canonical texts', () => {
    for (const a of values) {
      for (const b of values) {
        const expected = canonical(a ?? {}) === canonical(b ?? {});
        assert.equal(isSame(a, b), expected, `${JSON.stringify(a)} and ${JSON.stringify(b)}`);
      }
    }
  });
});
