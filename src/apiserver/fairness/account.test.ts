import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Account } from './account.ts';
import { Collections } from './collections.ts';
import { OutsideWork } from './outside-work.ts';

test('what is done between slices is charged by requests and slices, without the time the loop waited', () => {
  let idleMs = 100;
  const outside = new OutsideWork(() => idleMs);
  const [a, b] = [new Account('a', 1), new Account('b', 1)];
  const settle = (nowMs: number) => outside.settle(nowMs, (account, ms) => account.charge(ms));
  outside.count(a);
  outside.begin(1000);
  outside.count(a);
  outside.count(b);
  outside.sliceEnded(a, 1001);
  outside.count(a);
  idleMs += 4;
  settle(1013);
  assert.deepEqual([a.virtualMs, b.virtualMs], [6, 2]);
  idleMs += 5;
  settle(1020);
  outside.count(b);
  settle(1021);
  assert.deepEqual([a.virtualMs, b.virtualMs], [6, 3]);
});

test('what a collection took of its slice is given back to a tenant, once', () => {
  const collections = new Collections();
  try {
    const account = new Account('a', 2);
    account.charge(10);
    collections.charged({ account }, 100, 110);
    collections.collected(90, 106);
    assert.equal(account.virtualMs, 2);
    collections.collected(102, 120);
    assert.equal(account.virtualMs, 0);
    collections.collected(200, 210);
    assert.equal(account.virtualMs, 0);
  } finally {
    collections.close();
  }
});

test('the share of the processor is that of the last moments', () => {
  const account = new Account('a', 1);
  account.shareLately(10_000);
  account.charge(100);
  assert.equal(account.shareLately(10_200), 0.5);
  assert.equal(account.shareLately(10_300), 0.25);
  account.charge(50);
  assert.equal(account.shareLately(10_300), 0.5);
  assert.equal(account.shareLately(20_000), 50 / 9800);
});
