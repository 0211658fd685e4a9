import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../base/clock.ts';
import { DueList } from './due-list.ts';

test('a key is told once, soon after it is due and never before', () => {
  const clock = new ManualClock(1_000_000_000_123);
  const start = clock.now();
  const told = new Map<string, number[]>();
  const list = new DueList(clock, (key) => told.set(key, [...(told.get(key) ?? []), clock.now() - start]));
  const dues = { a: 480_000, b: 480_001, c: 1, d: 3_600_000, moved: 60_000, gone: 30_000 };
  for (const [key, due] of Object.entries(dues)) list.set(key, start + due);
  list.set('moved', start + 90_000);
  list.delete('gone');
  for (let passed = 0; passed < 3_700_000; passed += 1000) clock.advance(1000);
  assert.deepEqual([...told.keys()].sort(), ['a', 'b', 'c', 'd', 'moved']);
  for (const [key, times] of told) {
    const due = key === 'moved' ? 90_000 : dues[key as keyof typeof dues];
    assert.equal(times.length, 1, key);
    assert.ok(times[0]! >= due && times[0]! <= due + 11_000, `${key} was told at ${times[0]}`);
  }
  assert.equal(list.size, 0);
  list.close();
});
