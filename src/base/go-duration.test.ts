import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goDuration } from './go-duration.ts';

test('a duration is written as Go writes it', () => {
  const written = [0, 0.000017, 0.0172, 12.345678, 1000, 62_500, 3_723_000].map(goDuration);
  assert.deepEqual(written, ['0s', '17ns', '17.2µs', '12.345678ms', '1s', '1m2.5s', '1h2m3s']);
});
