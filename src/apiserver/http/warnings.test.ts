import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warningHeaders } from './warnings.ts';

test('says each warning once', () => {
  assert.deepEqual(warningHeaders(['a', 'b"', 'a', '']), ['299 - "a"', String.raw`299 - "b\""`]);
});

test('says no more than four thousand characters or so', () => {
  const headers = warningHeaders(Array.from({ length: 100_000 }, (_, index) => `unknown field "f${index}"`));
  assert.ok(headers.join('').length < 8 * 1024);
  const [first, ...others] = warningHeaders(['x'.repeat(5000), 'y']);
  assert.equal(first, `299 - "${'x'.repeat(256)}"`);
  assert.deepEqual(others, ['299 - "y"']);
});
