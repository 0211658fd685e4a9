import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findDuplicateFields } from './duplicate-fields.ts';

test('keys given twice are found by path, once each', () => {
  assert.deepEqual(
    findDuplicateFields(
      '{"a": 1, "spec": {"replicas": 1, "x": [ {"n": "\\"a\\\\", "n": 2}, {}, [], 3 ], "replicas": 2, "replicas": 3}, "\\u0061": null}',
    ),
    ['duplicate field "spec.x[0].n"', 'duplicate field "spec.replicas"', 'duplicate field "a"'],
  );
  assert.deepEqual(findDuplicateFields('{"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}, {"b": 1}], "e": "\\\\"}'), []);
  assert.deepEqual(findDuplicateFields('[]'), []);
});
