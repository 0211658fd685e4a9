import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runAtOnce } from '../../../base/steps.ts';
import type { JsonSchema } from '../json-schema.ts';
import { compiledRules } from './compile.ts';

const scalar = (name: string): JsonSchema => {
  if (name === 'int-or-string') return { 'x-kubernetes-int-or-string': true };
  return ['duration', 'date', 'date-time', 'byte'].includes(name) ? { type: 'string', format: name } : { type: name };
};
const array = (items: JsonSchema | string, maxItems?: number): JsonSchema => ({
  type: 'array',
  items: typeof items === 'string' ? scalar(items) : items,
  ...(maxItems !== undefined && { maxItems }),
});
const map = (values: JsonSchema | string, maxProperties?: number): JsonSchema => ({
  type: 'object',
  additionalProperties: typeof values === 'string' ? scalar(values) : values,
  ...(maxProperties !== undefined && { maxProperties }),
});
const string = (maxLength?: number, more: JsonSchema = {}): JsonSchema => ({
  type: 'string',
  ...(maxLength !== undefined && { maxLength }),
  ...more,
});
const object: JsonSchema = {
  type: 'object',
  properties: { required: { type: 'string' }, optional: { type: 'string' } },
  required: ['required'],
};
const texts = (most?: number) => array(string(most), most);

/** What apiserver 1.36 estimates, without and with limits in the schema. */
const estimates: [rule: string, schema: (most?: number) => JsonSchema, free: number, most: number, limited: number][] =
  [
    ['self.all(x, true)', (most) => array('number', most), 4718591, 10, 32],
    ['self.all(x, true)', (most) => array('string', most), 3145727, 20, 62],
    ['self.all(x, true)', (most) => array('boolean', most), 1887437, 5, 17],
    ['self.all(x, true)', (most) => array(array('number'), most), 3145727, 100, 302],
    ['self.all(x, true)', (most) => map('number', most), 1348169, 10, 32],
    ['self.all(x, true)', (most) => map('string', most), 1179647, 3, 11],
    ['self.all(x, true)', (most) => map('boolean', most), 943718, 100, 302],
    ["self.contains('test')", string, 314574, 10, 5],
    ["self.startsWith('test')", string, 2, 15, 2],
    ['size(self + "hello") > size("hello")', string, 314578, 4, 7],
    ['self[1] == 0.0', (most) => array('number', most), 2, 5000, 2],
    ['self[1] == self[1]', (most) => array('string', most), 314577, 8, 314577],
    ['self.all(x, self.all(y, true))', (most) => array('number', most), 4718592 * 4718591, 10, 352],
    ['self.matches("x")', string, 314574, 50, 22],
    ['"".matches("(((((((((())))))))))[0-9]")', string, 7, 10, 7],
    ['self.matches("")', string, 1, 100, 1],
    ['self.all(x, x.contains(self[x]))', (most) => map(string(most), most), 2752507, 10, 72],
    ['self == "x"', string, 2, 0, 1],
    ['self == b"x"', (most) => string(most, { format: 'byte' }), 2, 0, 1],
    ['self.all(x, x == 0.0)', (most) => array('number', most), 6291454, 6291456, 25165826],
    ['self[0] == 5', (most) => array('int-or-string', most), 3, 10, 3],
    ['self[0] == null', (most) => array(object, most), 2, 422, 2],
    ['self[0][0] == -1.0', (most) => array(array('number'), most), 3, 51, 3],
    ['self.all(x, x.y == 25.2)', (most) => array(map('number'), most), 6291452, 12, 74],
    ['self.all(x, true)', (most) => array('duration', most), 2359295, 5, 17],
    ['self[0].getHours() == 2', (most) => array('duration', most), 4, 525, 4],
    ['self.all(x, true)', (most) => array('date', most), 725936, 15, 47],
    ['self.all(x, true)', (most) => array('date-time', most), 428963, 25, 77],
    ['self.all(x, true)', (most) => map('int-or-string', most), 1348169, 15, 47],
    ['self.all(x, true)', (most) => map(object, most), 428963, 20, 62],
    ['self.all(x, true)', (most) => map(map('number'), most), 1179647, 10, 32],
    ["self.find('[0-9]+') == ''", string, 629147, 10, 11],
    ["self.join(' ') == 'aa bb'", texts, 329853068905, 10, 43],
    ['self.isSorted() == true', texts, 329854432052, 10, 52],
    ["self.lowerAscii() == 'lower!'", string, 314575, 10, 6],
    [
      "self.str.replace(self.before, self.after) == 'does not matter'",
      (most) => ({ type: 'object', properties: { str: string(most), before: string(2), after: string(4) } }),
      629154,
      4,
      12,
    ],
    [
      'self.str.split(self.separator) == []',
      (most) => ({ type: 'object', properties: { str: string(most), separator: string(most) } }),
      629160,
      10,
      22,
    ],
    ['oldSelf.size() == self.size()', (most) => map('integer', most), 5, 10, 5],
    ['self["a"] == self["b"]', (most) => map('date-time', most), 8, 7, 8],
    ["self.contains('A')", (most) => string(most, { enum: ['A', 'B', 'C', 'LongValue'] }), 2, 1000, 401],
    [
      'isQuantity(self)',
      (most) => ({ 'x-kubernetes-int-or-string': true, ...(most !== undefined && { maxLength: most }) }),
      314574,
      20,
      9,
    ],
  ];

function estimate(rule: string, schema: JsonSchema): number {
  const [compiled] = runAtOnce(compiledRules({ ...schema, 'x-kubernetes-validations': [{ rule }] }, false));
  assert.equal(compiled!.error, undefined, rule);
  return compiled!.maxCost;
}

test('estimates are upstream’s', () => {
  for (const [rule, schema, free, most, limited] of estimates) {
    const shown = `${rule} on ${JSON.stringify(schema())}`;
    if (free < 1e12) assert.equal(estimate(rule, schema()), free, shown);
    else assert.ok(estimate(rule, schema()) > 1e12, shown);
    assert.equal(estimate(rule, schema(most)), limited, `${shown} with ${most}`);
  }
});
