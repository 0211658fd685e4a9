import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FairQueue, Fifo } from './fair-queue.ts';

function drain(queue: FairQueue<number>): Record<string, number> {
  const taken: Record<string, number> = {};
  for (let next = queue.take(); next !== undefined; next = queue.take())
    taken[next.tenant] = (taken[next.tenant] ?? 0) + 1;
  return taken;
}

function fill(queue: FairQueue<number>, ...tenants: string[]): void {
  for (const tenant of tenants) for (let item = 0; item < 100; item++) queue.push(tenant, item);
}

test('alone a tenant gets half of the slots, at least one', () => {
  for (const [slots, expected] of [
    [1, 1],
    [2, 1],
    [3, 1],
    [4, 2],
    [5, 2],
    [10, 5],
    [256, 128],
  ] as const) {
    const queue = new FairQueue<number>(slots);
    for (let item = 0; item < 1000; item++) queue.push('noisy', item);
    assert.equal(drain(queue)['noisy'], expected, `${slots} slots`);
  }
});

test('however many tenants hold slots, one that holds none gets one', () => {
  const queue = new FairQueue<number>(12);
  for (let tenant = 0; tenant < 30; tenant++) {
    fill(queue, `hog-${tenant}`);
    drain(queue);
    queue.push(`quiet-${tenant}`, 1);
    assert.equal(queue.take()?.item, 1);
    queue.release(`quiet-${tenant}`);
  }
});

test('a tenant that had to stop goes on as soon as enough slots are free again', () => {
  const queue = new FairQueue<number>(10);
  fill(queue, 'a', 'b');
  assert.deepEqual(drain(queue), { a: 3, b: 3 });
  queue.release('b');
  // Five are free: a, with three, may have a fourth, and then b, with two, a third.
  assert.deepEqual(drain(queue), { a: 1, b: 1 });
  for (let count = 0; count < 4; count++) queue.release('a');
  assert.deepEqual(drain(queue), { a: 3, b: 1 });
});

test('any order of taking and releasing keeps the books: everything comes once, nobody is stuck', () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % below;
  };
  const queue = new FairQueue<number>(9);
  const held: string[] = [];
  const seen = new Map<string, number[]>();
  let pushed = 0;
  for (let step = 0; step < 20_000; step++) {
    const action = random(3);
    if (action === 0 && pushed < 4000) queue.push(`t${random(7)}`, pushed++);
    else if (action === 1) {
      const next = queue.take();
      if (next !== undefined) {
        held.push(next.tenant);
        seen.set(next.tenant, [...(seen.get(next.tenant) ?? []), next.item]);
      }
    } else if (held.length > 0) queue.release(held.splice(random(held.length), 1)[0]!);
  }
  for (;;) {
    const next = queue.take();
    if (next !== undefined) {
      held.push(next.tenant);
      seen.set(next.tenant, [...(seen.get(next.tenant) ?? []), next.item]);
    } else if (held.length > 0) queue.release(held.pop()!);
    else break;
  }
  assert.equal(queue.size, 0);
  const all = [...seen.values()].flat();
  assert.equal(all.length, pushed);
  assert.equal(new Set(all).size, pushed);
  for (const items of seen.values())
    assert.deepEqual(
      items,
      [...items].sort((a, b) => a - b),
      'each line keeps its order',
    );
});

test('a Fifo keeps order over its cuts', () => {
  const fifo = new Fifo<number>();
  const out: number[] = [];
  for (let item = 0; item < 5000; item++) {
    fifo.push(item);
    if (item % 3 !== 0) out.push(fifo.pop()!);
  }
  while (fifo.size > 0) out.push(fifo.pop()!);
  assert.deepEqual(
    out,
    Array.from({ length: 5000 }, (_, index) => index),
  );
  assert.equal(fifo.pop(), undefined);
});
