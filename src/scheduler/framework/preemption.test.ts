import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePreemption, type Placed } from './preemption.ts';

interface Sized extends Placed {
  size: number;
}

/** Nodes of size 4 with these units, each `name: [priority, size, since]`; the new unit has this size. */
function choose(
  nodes: Record<string, Record<string, [number, number, number?]>>,
  size: number,
  { priority = 100, forbidden = [] as string[], room = 4 } = {},
) {
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
  let asked = 0;
  const choice = choosePreemption<{ name: string }, Sized>({
    targets: Object.keys(nodes).map((name) => ({ name })),
    lowerOn: ({ name }) => [...placed.get(name)!.values()].filter((unit) => unit.priority < priority),
    violating: (units) => new Set(units.filter(({ uid }) => forbidden.includes(uid))),
    remove: ({ uid }) => void placed.get(all.get(uid)!)!.delete(uid),
    restore: (unit) => void placed.get(all.get(unit.uid)!)!.set(unit.uid, unit),
    rejection: ({ name }) => {
      asked++;
      const used = [...placed.get(name)!.values()].reduce((sum, unit) => sum + unit.size, 0);
      return used + size <= room ? undefined : { reasons: ['Insufficient room'], resolvable: true };
    },
  });
  assert.equal(
    [...placed.values()].reduce((sum, units) => sum + units.size, 0),
    all.size,
    'the snapshot is as it was',
  );
  const answer =
    'victims' in choice
      ? [choice.target.name, ...choice.victims.map(({ uid }) => uid)]
      : choice.rejections.flatMap(({ reasons }) => reasons);
  return { answer, asked };
}

const chosen = (...input: Parameters<typeof choose>) => choose(...input).answer;

test('the least important go, and no more than are in the way', () => {
  assert.deepEqual(chosen({ a: { x: [5, 2], y: [1, 2] } }, 2), ['a', 'y']);
  assert.deepEqual(chosen({ a: { x: [5, 2], y: [1, 1], z: [1, 1] } }, 1), ['a', 'z']);
});

test('the node where the most important victim counts least', () => {
  assert.deepEqual(chosen({ a: { x: [5, 4] }, b: { y: [3, 4] } }, 4), ['b', 'y']);
  assert.deepEqual(chosen({ a: { x: [3, 2], w: [3, 2] }, b: { y: [3, 4] } }, 4), ['b', 'y']);
  assert.deepEqual(chosen({ a: { x: [3, 4, 10] }, b: { y: [3, 4, 20] } }, 4), ['b', 'y'], 'the one that came last');
});

test('the fewest that a disruption budget protects, before all else', () => {
  const nodes = { a: { x: [1, 4] }, b: { y: [50, 2], z: [50, 2] } } as Record<string, Record<string, [number, number]>>;
  assert.deepEqual(chosen(nodes, 4), ['a', 'x']);
  assert.deepEqual(chosen(nodes, 4, { forbidden: ['x'] }), ['b', 'y', 'z']);
  assert.deepEqual(chosen(nodes, 4, { forbidden: ['x', 'y', 'z'] }), ['a', 'x'], 'one rather than two');
});

test('on one node those protected are spared before more important ones', () => {
  assert.deepEqual(chosen({ a: { x: [5, 2], y: [1, 2] } }, 2, { forbidden: ['y'] }), ['a', 'x']);
  assert.deepEqual(chosen({ a: { x: [5, 2], y: [1, 2] } }, 2, { forbidden: ['x', 'y'] }), ['a', 'y']);
});

test('nobody goes when that would not help, or nobody is less important', () => {
  assert.deepEqual(chosen({ a: { x: [1, 2], y: [200, 4] } }, 2), ['Insufficient room']);
  assert.deepEqual(chosen({ a: { x: [100, 4] } }, 2), ['No preemption victims found for incoming pod']);
});

test('one victim among five thousand is found in few steps', () => {
  const units = Object.fromEntries(
    Array.from({ length: 5000 }, (_, index): [string, [number, number, number]] => [`u${index}`, [1, 1, index]]),
  );
  const { answer, asked } = choose({ a: units }, 1, { room: 5000 });
  assert.deepEqual(answer, ['a', 'u4999']);
  assert.ok(asked < 40, `${asked} questions`);
});
