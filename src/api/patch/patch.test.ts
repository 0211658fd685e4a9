import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { schemaOfKind } from '../generated-schema.ts';
import type { StatusError } from '../status.ts';
import { applyJsonPatch, applyMergePatch, applyPatch, applyStrategicMergePatch } from './index.ts';

const testdata = new URL('./testdata/', import.meta.url);

/** Each file: kind, original, patch, and the result or the error. */
for (const file of readdirSync(testdata)) {
  const cases = parse(readFileSync(new URL(file, testdata), 'utf8'));
  for (const { name, kind, original, patch, result, error } of cases) {
    test(`strategic merge patch: ${name}`, () => {
      const schema = schemaOfKind(kind === 'Deployment' ? 'apps' : '', 'v1', kind)!;
      const [originalBefore, patchBefore] = [structuredClone(original), structuredClone(patch)];
      if (error !== undefined) {
        assert.throws(
          () => applyStrategicMergePatch(schema, original, patch),
          (thrown: StatusError) => (thrown.cause ?? thrown.message) === error,
        );
      } else {
        assert.deepEqual(applyStrategicMergePatch(schema, original, patch), result);
      }
      assert.deepEqual([original, patch], [originalBefore, patchBefore], 'arguments are not changed');
    });
  }
}

test('merge patch removes, merges and replaces', () => {
  const original = { a: { b: 1, c: [1, 2] }, d: 'x' };
  assert.deepEqual(applyMergePatch(original, { a: { b: null, c: [3], e: { f: null, g: 1 } }, d: { h: 1 } }), {
    a: { c: [3], e: { g: 1 } },
    d: { h: 1 },
  });
  assert.deepEqual(original, { a: { b: 1, c: [1, 2] }, d: 'x' });
  assert.throws(() => applyMergePatch(original, [1]), { code: 400 });
  const odd = applyMergePatch({}, JSON.parse('{"__proto__": {"x": 1}}'));
  assert.deepEqual(Object.keys(odd), ['__proto__']);
});

test('json patch applies every operation, or says which one failed', () => {
  const original = { a: [1, 2, 3], 'b/c': { d: 1 } };
  assert.deepEqual(
    applyJsonPatch(original, [
      { op: 'test', path: '/a/0', value: 1 },
      { op: 'add', path: '/a/1', value: { x: 1 } },
      { op: 'add', path: '/a/-', value: 9 },
      { op: 'remove', path: '/a/0' },
      { op: 'replace', path: '/b~1c/d', value: null },
      { op: 'copy', from: '/a/0', path: '/e' },
      { op: 'move', from: '/e/x', path: '/f' },
    ]),
    { a: [{ x: 1 }, 2, 3, 9], 'b/c': { d: null }, e: {}, f: 1 },
  );
  assert.deepEqual(original, { a: [1, 2, 3], 'b/c': { d: 1 } });
  const failures: [unknown[], string][] = [
    [[{ op: 'test', path: '/a/0', value: 2 }], 'testing value /a/0 failed: test failed'],
    [[{ op: 'remove', path: '/x/y' }], 'remove operation does not apply: doc is missing path: "/x/y": missing value'],
    [
      [{ op: 'remove', path: '/x' }],
      "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value",
    ],
    [
      [{ op: 'add', path: '/x/y', value: 1 }],
      'add operation does not apply: doc is missing path: "/x/y": missing value',
    ],
    [
      [{ op: 'add', path: '/a/7', value: 1 }],
      "error in add for path: '/a/7': Unable to access invalid index: 7: invalid index referenced",
    ],
    [[{ op: 'jump', path: '/a' }], 'Unexpected kind: jump'],
  ];
  for (const [patch, message] of failures) {
    assert.throws(
      () => applyJsonPatch(original, patch),
      (thrown: StatusError) => thrown.code === 422 && thrown.cause === message,
      message,
    );
  }
  assert.throws(() => applyJsonPatch(original, { op: 'add' }), { code: 400 });
  // Upstream's implementation replaces what is not there.
  assert.equal(applyJsonPatch<any>(original, [{ op: 'replace', path: '/x', value: 5 }]).x, 5);
});

test('an unknown patch type is refused', () => {
  assert.throws(() => applyPatch('text/plain', schemaOfKind('', 'v1', 'Pod')!, {}, {}), { code: 415 });
});

test('a JSON patch copies no more than three megabytes into a document, and knows no inherited operation', () => {
  const doubling = Array.from({ length: 60 }, () => ({ op: 'copy', from: '/x', path: '/x/-' }));
  const why = (patch: object[]): string => {
    try {
      applyJsonPatch({ x: ['aaaaaaaaaaaaaaaa'] }, patch);
      return 'it applies';
    } catch (error) {
      return (error as StatusError).cause as string;
    }
  };
  assert.match(
    why(doubling),
    /^Unable to complete the copy, the accumulated size increase of copy is \d+, exceeding the limit 3145728/,
  );
  assert.match(why([{ op: 'constructor', path: '/a' }]), /^Unexpected kind: constructor/);
});

test('a JSON patch operation without its value means null', () => {
  const patch = [
    { op: 'add', path: '/a' },
    { op: 'copy', from: '/a', path: '/b' },
  ];
  assert.deepEqual(applyJsonPatch({}, patch), { a: null, b: null });
});
