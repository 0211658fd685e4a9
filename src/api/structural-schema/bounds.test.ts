// What a tenant's schemas and objects can make this do is bounded, and the bounds are counted, never timed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeObject } from '../decode/decode.ts';
import { schemaOfKind } from '../generated-schema.ts';
import { findDuplicateFields } from '../json/duplicate-fields.ts';
import { applySchemaDefaults, TooManyDefaults } from './defaults.ts';
import { stringFormatOf } from './formats.ts';
import { firstValue, parseJsonPath, printValue } from './json-path.ts';
import type { JsonSchema } from './json-schema.ts';
import { validateListTypes } from './list-types.ts';
import { correlate, validateValue, valueChecks } from './validate-value.ts';

const listOf = (items: JsonSchema, more: JsonSchema = {}): JsonSchema => ({ type: 'array', items, ...more });
const times = <T>(count: number, make: (index: number) => T) => Array.from({ length: count }, (_, i) => make(i));

test('validation ends at a thousand findings, and yields on its way', () => {
  assert.equal(validateValue(listOf({ type: 'string' }), times(5000, Number)).length, 1000);
  // A long text in each: there are fewer.
  const enumeration = { enum: times(10_000, (index) => `value-${index}`) };
  assert.ok(validateValue(listOf(enumeration), times(5000, Number)).length < 20);
  let yields = 0;
  for (const _ of valueChecks(listOf({ type: 'integer' }), times(10_000, Number))) yields++;
  assert.ok(yields >= 40, `${yields}`);
});

test('alternatives upon alternatives yield often, and end', () => {
  const nested = (depth: number): JsonSchema =>
    depth === 0 ? { minimum: 1_000_000 } : { anyOf: [nested(depth - 1), nested(depth - 1), nested(depth - 1)] };
  const checks = valueChecks(listOf(nested(7)), times(1_000_000, Number));
  let yields = 0;
  while (yields < 1000 && checks.next().done !== true) yields++;
  assert.equal(yields, 1000);
});

test('repeated items are a thousand findings at most', () => {
  const schema = listOf({ type: 'integer' }, { 'x-kubernetes-list-type': 'set' });
  const twice = times(5000, (index) => index >> 1);
  assert.equal(validateListTypes(schema, twice).length, 1000);
});

test('items of a list are found among the old by their keys, the first of equal ones', () => {
  const schema = listOf({}, { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['a', 'b'] });
  const old = [{ a: 1 }, { a: 1, b: 2, c: 1 }, { a: 1, b: 2, c: 2 }, null];
  const before = correlate(schema, old)!;
  assert.equal(before({ a: 1, c: 9 }), old[0]);
  assert.equal(before({ b: 2, a: 1 }), old[1]);
  assert.equal(before({ a: '1', b: 2 }), undefined);
});

test('defaults add no more than a request may bring', () => {
  const properties = Object.fromEntries(times(100, (index) => [`p${index}`, { default: 'x'.repeat(100) }]));
  const items = { type: 'object', properties };
  const few = times(10, () => ({}));
  applySchemaDefaults(listOf(items), few);
  assert.equal(Object.keys(few[9]!).length, 100);
  assert.throws(
    () =>
      applySchemaDefaults(
        listOf(items),
        times(100_000, () => ({})),
      ),
    TooManyDefaults,
  );
});

test('no format looks at a text more than a few times', () => {
  // Each of these once took time that doubled, or squared, with its length.
  for (const [format, text] of [
    ['email', `${'a.'.repeat(50_000)}a(@b.c`],
    ['email', `x@${'a.'.repeat(50_000)}a(`],
    ['duration', '1'.repeat(1_000_000)],
  ] as const) {
    assert.equal(stringFormatOf({ type: 'string', format })!(text), false);
  }
  assert.equal(stringFormatOf({ type: 'string', format: 'duration' })!('1.5h 3 minutes'), true);
  assert.equal(stringFormatOf({ type: 'string', format: 'duration' })!('.5h3.m'), true);
  assert.equal(stringFormatOf({ type: 'string', format: 'email' })!('a.b@c.d'), true);
});

test('a path gives the first value it leads to, and gives up where there are too many ways', () => {
  const nested = times(300, Number).reduce<unknown>((inner) => ({ a: inner, b: [1, 2] }), { a: 0 });
  const list = { list: times(1_000_000, (index) => ({ a: index, type: index === 3 ? 'x' : 'y' })) };
  assert.deepEqual(firstValue(parseJsonPath('..a..a..a..a..a..zzz'), nested), []);
  assert.deepEqual(firstValue(parseJsonPath(`${"['a','a']".repeat(200)}.zzz`), nested), []);
  assert.deepEqual(firstValue(parseJsonPath('.list[*].a'), list), [0]);
  assert.deepEqual(firstValue(parseJsonPath('.list[?(@.type=="x")].a'), list), [3]);
  assert.deepEqual(firstValue(parseJsonPath('.list[?(@.type=="z")].a'), list), []);
  assert.deepEqual(firstValue(parseJsonPath('$..b[-1:]'), { b: [1, 2] }), [2]);
});

test('what is printed of a large value is cut', () => {
  const value = { a: [1, 'x', null, { b: true }], c: undefined, d: {}, e: [] };
  assert.equal(printValue(value, 1000), JSON.stringify(value));
  assert.equal(printValue(value, 5), '{"a":');
  assert.equal(printValue(times(1_000_000, Number), 100).length, 100);
});

test('decoding remembers the first of its findings', () => {
  const pod = schemaOfKind('', 'v1', 'Pod')!;
  const unknown = decodeObject(pod, Object.fromEntries(times(5000, (index) => [`u${index}`, 0])), { strict: true });
  assert.equal(unknown.unknownFields.length, 100);
  const wrong = decodeObject(pod, {
    ...Object.fromEntries(times(5000, (index) => [`u${index}`, 0])),
    spec: { containers: times(5000, () => []) },
  });
  assert.match(wrong.errors[0]!, /^json: cannot unmarshal array into Go struct field PodSpec.spec.containers of type/);
  assert.ok(wrong.errors.length <= 100);
  const twice = `{${times(10_000, (index) => `"k${index >> 1}":0`)}}`;
  assert.equal(findDuplicateFields(twice).length, 1000);
});
