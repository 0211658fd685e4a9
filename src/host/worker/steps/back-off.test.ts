import assert from 'node:assert/strict';
import { it } from 'node:test';
import { currentDelayMs, formatDuration, kubeletBackOff, lengthen, waitsUntil } from './back-off.ts';

it('a back-off doubles from 10 s to 5 min and starts over after 10 quiet minutes', () => {
  const backOff = kubeletBackOff();
  let now = 1_000_000;
  assert.equal(waitsUntil(backOff, 'a', now, now), undefined);
  const delays: number[] = [];
  for (let failure = 0; failure < 7; failure++) {
    lengthen(backOff, 'a', now, now);
    delays.push(currentDelayMs(backOff, 'a') / 1000);
    assert.equal(waitsUntil(backOff, 'a', now, now), now + currentDelayMs(backOff, 'a'));
    now += currentDelayMs(backOff, 'a');
    assert.equal(waitsUntil(backOff, 'a', now - currentDelayMs(backOff, 'a'), now), undefined);
  }
  assert.deepEqual(delays, [10, 20, 40, 80, 160, 300, 300]);
  now += 601_000;
  assert.equal(waitsUntil(backOff, 'a', now, now), undefined);
  lengthen(backOff, 'a', now, now);
  assert.equal(currentDelayMs(backOff, 'a'), 10_000);
});

it('durations read as Go prints them', () => {
  const texts = [0, 250, 1234, 10_000, 80_000, 300_000, 3_661_500].map(formatDuration);
  assert.deepEqual(texts, ['0s', '250ms', '1.234s', '10s', '1m20s', '5m0s', '1h1m1.5s']);
});
