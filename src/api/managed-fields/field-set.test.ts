import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFieldSet, setOf, union, unionAll } from './field-set.ts';

test('the union of many sets is that of one after the other', () => {
  const sets = Array.from({ length: 37 }, (_, index) =>
    setOf([`f:${(index * 7) % 10}`], ['f:a', `k:{"b":${(index * 5) % 11}}`, `f:${index % 3}`]),
  );
  const together = unionAll(sets);
  assert.equal(JSON.stringify(together), JSON.stringify(sets.reduce(union)));
  assert.deepEqual(unionAll([]), {});
  assert.equal(unionAll([sets[0]!]), sets[0]);
});

test('keys of many items are ordered by their values, not as text', () => {
  // A comparison that read each key again would take minutes: a sort of so many asks millions of times.
  const count = 20_000;
  const items = Array.from({ length: count }, (_, index) => [`k:{"n":${(index * 7919) % count}}`, {}]);
  const [first, second] = Object.keys(parseFieldSet({ 'f:a': Object.fromEntries(items) })['f:a']!);
  assert.deepEqual([first, second], ['k:{"n":0}', 'k:{"n":1}']);
});
