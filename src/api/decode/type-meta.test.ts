import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wrongTypeMeta } from './type-meta.ts';

test('a kind or version that is no string, and what has none, is told of in the words of Go’s reader', () => {
  assert.equal(wrongTypeMeta({}), undefined);
  assert.equal(wrongTypeMeta({ kind: 'Pod', apiVersion: null }), undefined);
  const said = (type: string, field: string) =>
    `couldn't get version/kind; json parse error: json: cannot unmarshal ${type} into Go struct field .${field} of type string`;
  assert.equal(wrongTypeMeta({ kind: { toString: null }, apiVersion: 1 }), said('object', 'kind'));
  assert.equal(wrongTypeMeta({ kind: 'Pod', apiVersion: 1 }), said('number', 'apiVersion'));
  assert.equal(wrongTypeMeta({ kind: [] }), said('array', 'kind'));
  assert.equal(wrongTypeMeta({ kind: true }), said('bool', 'kind'));
  for (const [value, type] of [
    [null, 'null'],
    [[], 'array'],
    ['x', 'string'],
    [true, 'bool'],
  ] as const) {
    assert.match(
      wrongTypeMeta(value)!,
      new RegExp(`cannot unmarshal ${type} into Go value of type struct \\{ APIVersion `),
    );
  }
});
