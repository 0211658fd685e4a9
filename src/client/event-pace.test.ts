import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../base/clock.ts';
import { EventPace } from './event-pace.ts';

test('a hundred at once, then fifty a second, each tenant by itself and in order', () => {
  const clock = new ManualClock();
  const passed: string[] = [];
  const pace = new EventPace<number>(clock, (tenant, item) => passed.push(`${tenant}${item}`));
  for (let index = 0; index < 300; index++) pace.push('a', index);
  for (let index = 0; index < 3; index++) pace.push('b', index);
  assert.equal(passed.length, 103);
  assert.equal(pace.sizeOf('a'), 200);
  clock.advance(1000);
  assert.equal(pace.sizeOf('a'), 150);
  assert.equal(passed.at(-1), 'a149');
  clock.advance(2000);
  assert.equal(pace.sizeOf('a'), 50);
  pace.push('a', 300);
  pace.release();
  assert.equal(passed.at(-1), 'a300', 'in order');
  assert.equal(passed.length, 304);
  clock.advance(10_000);
  for (let index = 0; index < 200; index++) pace.push('a', index);
  assert.equal(passed.length, 404, 'a tenant that was silent may speak up again');
});

test('tenants that fell silent are forgotten', () => {
  const clock = new ManualClock();
  let passed = 0;
  const pace = new EventPace<number>(clock, () => passed++);
  for (let round = 0; round < 5; round++) {
    for (let tenant = 0; tenant < 900; tenant++) pace.push(`${round}-${tenant}`, 0);
    clock.advance(60_000);
  }
  for (let index = 0; index < 101; index++) pace.push('0-0', index);
  assert.equal(passed, 4600);
  assert.equal(pace.sizeOf('0-0'), 1);
});
