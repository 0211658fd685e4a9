import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Findings } from '../../validation/findings.ts';
import type { JsonSchema } from '../json-schema.ts';
import { validateDefaults } from './default-rules.ts';

/** Each rule looks at all pairs of a hundred numbers. */
const slow = (count: number): JsonSchema => ({
  type: 'array',
  maxItems: 100,
  items: { type: 'integer' },
  default: Array.from({ length: 100 }, (_, index) => index),
  'x-kubernetes-validations': Array.from({ length: count }, (_, index) => ({
    rule: `self.all(a, self.all(b, a + b < 200 + ${index}))`,
  })),
});

function check(schema: JsonSchema) {
  const findings = new Findings();
  let turns = 0;
  for (const _ of validateDefaults(schema, 'schema', findings)) turns++;
  return { turns, found: findings.list.map(({ field, message }) => `${field}: ${message}`) };
}

const wrong: JsonSchema = { type: 'integer', default: 3, 'x-kubernetes-validations': [{ rule: 'self > 5' }] };

test('rules of all defaults of a schema have one budget, and others have their turns between two rules', () => {
  const few = check({ type: 'object', properties: { a: slow(8), b: wrong } });
  assert.deepEqual(few.found, ['schema.properties[b].default: Invalid value: 3: failed rule: self > 5']);
  assert.ok(few.turns >= 8, `${few.turns} turns`);
  const properties = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`a${index}`, slow(8)]));
  const { found } = check({ type: 'object', properties: { ...properties, b: wrong } });
  assert.equal(found.length, 1);
  assert.match(found[0]!, /Invalid value: "array": validation failed due to running out of cost budget/);
});

test('what defaults break is told no more than a thousand times', () => {
  const items = { ...wrong, default: undefined } as JsonSchema;
  const numbers = Array.from({ length: 800 }, () => 1);
  const list: JsonSchema = { type: 'array', maxItems: 800, items, default: numbers };
  assert.equal(check({ type: 'object', properties: { a: list, b: list, c: list } }).found.length, 1000);
});
