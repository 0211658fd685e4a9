import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonSchema } from './json-schema.ts';
import { validateValue } from './validate-value.ts';

const found = (schema: JsonSchema, value: unknown) => validateValue(schema, value).map(({ message }) => message);

test('a format stands for the type where a number or an object is wrong', () => {
  const port: JsonSchema = { type: 'integer', format: 'int32' };
  assert.deepEqual(found(port, true), ['Invalid value: "":  in body must be of type int32: ""']);
  assert.deepEqual(found(port, 'x'), ['Invalid value: "string":  in body must be of type integer: "string"']);
  assert.deepEqual(found(port, 1e30), [
    'Invalid value: "float64":  in body must be of type int32: "float64"',
    'Invalid value: "": Checked value must be of type integer with format int32 in ',
  ]);
  assert.deepEqual(found({ type: 'integer', format: 'unknown' }, true), [
    'Invalid value: "boolean":  in body must be of type integer: "boolean"',
  ]);
});

test('bounds of integers are integers', () => {
  const told = (what: string) => `Invalid value: "": ${what} value must be of type integer (default format) in `;
  assert.deepEqual(found({ type: 'integer', minimum: 0.5, maximum: 9.5 }, 3), [
    told('Minimum boundary'),
    told('Maximum boundary'),
  ]);
  assert.deepEqual(found({ type: 'integer', format: 'int32', maximum: 3e9 }, 3), [
    'Invalid value: "": Maximum boundary value must be of type integer with format int32 in ',
  ]);
  assert.deepEqual(found({ type: 'integer', multipleOf: -1 }, 3), [
    'Invalid value: -1: factor MultipleOf declared for  must be positive: -1',
  ]);
  assert.deepEqual(found({ type: 'integer', multipleOf: 3e9 }, 3), [
    'Invalid value: 3:  in body should be a multiple of 3000000000',
  ]);
  assert.deepEqual(found({ type: 'number', multipleOf: 0.1 }, 0.3), []);
  assert.deepEqual(found({ type: 'number', minimum: 0.5, maximum: 9.5 }, 3), []);
});
