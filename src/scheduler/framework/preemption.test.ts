import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePreemption, type Placed } from './preemption.ts';

interface Sized extends Placed {
  size: number;
}

/** Nodes of size 4 with these units, each `name: [priority, size, since]`; the new unit has this size. */
function choose(nodes: Record<string, Record<string, [number, number, number?]>>, size: number, priority = 100) {
  const placed = new Map(
    Object.entries(nodes).map(([node, units]) => [
      node,
      new Map(
        Object.entries(units).map(([uid, [own, units, since = 0]]): [string, Sized] => [
          uid,
          { uid, priority: own, size: units, since },
        ]),
      ),
    ]),
  );
  const all = new Map([...placed].flatMap(([node, units]) => [...units.keys()].map((uid) => [uid, node])));
  const choice = choosePreemption<{ name: string }, Sized>({
    targets: Object.keys(nodes).map((name) => ({ name })),
    lowerOn: ({ name }) => [...placed.get(name)!.values()].filter((unit) => unit.priority < priority),
    remove: ({ uid }) => void placed.get(all.get(uid)!)!.delete(uid),
    restore: (unit) => void placed.get(all.get(unit.uid)!)!.set(unit.uid, unit),
    fits: ({ name }) => [...placed.get(name)!.values()].reduce((sum, unit) => sum + unit.size, 0) + size <= 4,
  });
  assert.equal(
    [...placed.values()].reduce((sum, units) => sum + units.size, 0),
    all.size,
    'the snapshot is as it was',
  );
  return choice && [choice.target.name, ...choice.victims.map(({ uid }) => uid)];
}

test('the least important go, and no more than are in the way', () => {
  assert.deepEqual(choose({ a: { x: [5, 2], y: [1, 2] } }, 2), ['a', 'y']);
  assert.deepEqual(choose({ a: { x: [5, 2], y: [1, 1], z: [1, 1] } }, 1), ['a', 'z']);
});

test('the node where the most important victim counts least', () => {
  assert.deepEqual(choose({ a: { x: [5, 4] }, b: { y: [3, 4] } }, 4), ['b', 'y']);
  assert.deepEqual(choose({ a: { x: [3, 2], w: [3, 2] }, b: { y: [3, 4] } }, 4), ['b', 'y']);
  assert.deepEqual(choose({ a: { x: [3, 4, 10] }, b: { y: [3, 4, 20] } }, 4), ['b', 'y'], 'the one that came last');
});

test('nobody goes when that would not help, or nobody is less important', () => {
  assert.equal(choose({ a: { x: [1, 2], y: [200, 4] } }, 2), undefined);
  assert.equal(choose({ a: { x: [100, 4] } }, 2), undefined);
});
