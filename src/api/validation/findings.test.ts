import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Findings } from './findings.ts';

it('what is wrong in a hundred thousand ways is told in some of them', () => {
  const findings = new Findings();
  for (let index = 0; index < 100_000; index++) {
    const field = `spec.items[${index}]`;
    findings.required(field);
    findings.invalid(field, 'x', 'is bad');
    findings.notSupported(field, 'x', ['a']);
    findings.duplicate(field, 'x');
    findings.tooLong(field, 1);
  }
  assert.equal(findings.list.length, 10_000);
  assert.deepEqual(findings.list[1], {
    reason: 'FieldValueInvalid',
    field: 'spec.items[0]',
    message: 'Invalid value: "x": is bad',
  });
});
