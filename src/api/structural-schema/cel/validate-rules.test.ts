import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonSchema, ValidationRule } from '../json-schema.ts';
import { validateRules } from './validate-rules.ts';

const schemaOf = (...rules: ValidationRule[]): JsonSchema => ({
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      'x-kubernetes-validations': rules,
      properties: {
        replicas: { type: 'integer' },
        most: { type: 'integer' },
        name: { type: 'string' },
        names: { type: 'array', items: { type: 'string' } },
        tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        'a-b': { type: 'string' },
        when: { type: 'string', format: 'date-time' },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        port: { 'x-kubernetes-int-or-string': true },
      },
    },
  },
});

const findings = (rule: ValidationRule | string, spec: object, old?: object) =>
  validateRules(
    schemaOf(typeof rule === 'string' ? { rule } : rule),
    { spec },
    old === undefined ? undefined : { spec: old },
  ).map(({ field, reason, message }) => `${field} ${reason} ${message}`);

test('a rule that does not hold is told by its message, its expression or itself', () => {
  const rule = 'self.replicas <= self.most';
  assert.deepEqual(findings(rule, { replicas: 1, most: 2 }), []);
  assert.deepEqual(findings(rule, { replicas: 3, most: 2 }), [
    'spec FieldValueInvalid Invalid value: failed rule: self.replicas <= self.most',
  ]);
  assert.deepEqual(findings({ rule, message: ' too many ' }, { replicas: 3, most: 2 }), [
    'spec FieldValueInvalid Invalid value: too many',
  ]);
  const spoken = { rule, messageExpression: '"at most " + string(self.most)', reason: 'FieldValueForbidden' };
  assert.deepEqual(findings({ ...spoken, fieldPath: '.replicas' }, { replicas: 3, most: 2 }), [
    'spec.replicas FieldValueForbidden Forbidden: at most 2',
  ]);
});

test('transition rules look at the state before, and not at new objects', () => {
  const rule = 'self.name == oldSelf.name';
  assert.deepEqual(findings(rule, { name: 'b' }), []);
  assert.deepEqual(findings(rule, { name: 'b' }, { name: 'b' }), []);
  assert.equal(findings(rule, { name: 'b' }, { name: 'a' }).length, 1);
  const optional = { rule: 'oldSelf.hasValue() || self.most == 3', optionalOldSelf: true };
  assert.deepEqual(findings(optional, { most: 3 }), []);
  assert.equal(findings(optional, { most: 4 }).length, 1);
});

test('what has not changed is not held to new rules', () => {
  const schemaOfSame = { type: 'object', properties: { most: { type: 'integer' } } } as const;
  const ruled = { ...schemaOfSame, 'x-kubernetes-validations': [{ rule: 'self.most > 3' }] };
  const [told, ...more] = validateRules(ruled as never, { most: 1 }, { most: 1 });
  assert.deepEqual([told?.isWarning, more.length], [true, 0], 'told, not refused');
  assert.equal(findings('self.most > 3', { most: 2 }, { most: 1 }).length, 1);
});

test('values come in the types of the schema, under escaped names', () => {
  const spec = {
    'a-b': 'x12y',
    when: '2019-01-01T00:00:00Z',
    labels: { 'app/x': '1' },
    port: 'http',
    names: ['a', 'b'],
    tags: ['a', 'b', 'c'],
  };
  for (const rule of [
    'self.a__dash__b.find("[0-9]+") == "12"',
    'self.when < timestamp("2020-01-01T00:00:00Z")',
    'self.labels.all(key, key.contains("/")) && self.labels["app/x"] == "1" && size(self.labels) == 1',
    'type(self.port) == string && !has(self.replicas)',
    'self.names.isSorted() && self.names.indexOf("b") == 1 && sets.contains(self.names, ["a"])',
    'self.tags == ["c", "a", "b"] && self.tags != ["a", "b", "d"] && self.tags != ["a", "b"]',
    'quantity("1Gi").isGreaterThan(quantity("1M")) && cidr("10.0.0.0/8").containsIP("10.1.1.1")',
    'isURL("https://a.example/b") && url("https://a.example:81/b").getPort() == "81"',
  ]) {
    assert.deepEqual(findings(rule, spec), [], rule);
  }
});

test('failures while evaluating are findings', () => {
  assert.deepEqual(findings('self.most > 3', {}), [
    'spec FieldValueInvalid Invalid value: "object": no such key: most evaluating rule: self.most > 3',
  ]);
});

test('a rule that costs too much ends, and with it all rules', () => {
  const names = Array.from({ length: 5000 }, (_, index) => `name-${index}`);
  const [finding, ...others] = validateRules(
    schemaOf(
      { rule: 'self.names.all(x, self.names.exists_one(y, y == x))' },
      { rule: 'self.names.all(x, self.names.all(y, y != "z"))' },
    ),
    { spec: { names } },
  );
  assert.match(finding!.message, /operation cancelled: actual cost limit exceeded/);
  assert.deepEqual(others, []);
});
