import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAsBefore } from './correlated.ts';
import type { JsonSchema } from './json-schema.ts';
import { validateValue } from './validate-value.ts';

const list: JsonSchema = {
  type: 'array',
  maxItems: 1,
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['name'],
  items: { type: 'object', properties: { name: { type: 'string' }, value: { type: 'string' } } },
};
const schema: JsonSchema = {
  type: 'object',
  properties: { list, plain: { type: 'array', items: { type: 'string' } } },
};

test('items of a list with keys may change places, others may not', () => {
  const [a, b] = [
    { name: 'a', value: '1' },
    { name: 'b', value: '2' },
  ];
  assert.equal(isAsBefore(schema, { list: [b, a] }, { list: [a, b] }), true);
  assert.equal(isAsBefore(schema, { list: [b, { ...a, value: '3' }] }, { list: [a, b] }), false);
  assert.equal(isAsBefore(schema, { list: [a, a] }, { list: [a, b] }), true, 'as upstream: each is found');
  assert.equal(isAsBefore(schema, { list: [a] }, { list: [a, b] }), false);
  assert.equal(isAsBefore(schema, { plain: ['a', 'b'] }, { plain: ['b', 'a'] }), false);
  assert.deepEqual(validateValue(schema, { list: [b, a] }, { list: [a, b] }), []);
  assert.equal(validateValue(schema, { list: [b, { name: 'c' }] }, { list: [a, b] }).length, 1);
});
