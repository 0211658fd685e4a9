import assert from 'node:assert/strict';
import test from 'node:test';
import type { NodeSelectorRequirement } from '../../generated/core-v1.ts';
import { Findings } from '../findings.ts';
import { validateNodeSelector } from './scheduling.ts';

function found(operator: string, values?: string[]): string[] {
  const findings = new Findings();
  const requirement = { key: 'disk', operator, values } as NodeSelectorRequirement;
  validateNodeSelector({ nodeSelectorTerms: [{ matchExpressions: [requirement] }] }, 's', findings);
  return findings.list.map(({ field, message }) => `${field}: ${message}`);
}

test('each operator of a node selector has its number of values', () => {
  const at = 's.nodeSelectorTerms[0].matchExpressions[0]';
  for (const operator of ['In', 'NotIn']) {
    assert.deepEqual(found(operator, ['ssd', 'disk']), []);
    const message = "Required value: must be specified when `operator` is 'In' or 'NotIn'";
    assert.deepEqual(found(operator), [`${at}.values: ${message}`]);
  }
  for (const operator of ['Exists', 'DoesNotExist']) {
    assert.deepEqual(found(operator), []);
    const message = "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    assert.deepEqual(found(operator, ['ssd']), [`${at}.values: ${message}`]);
  }
  for (const operator of ['Gt', 'Lt']) {
    assert.deepEqual(found(operator, ['7']), []);
    const message = "Required value: must be specified single value when `operator` is 'Lt' or 'Gt'";
    assert.deepEqual(found(operator, ['7', '8']), [`${at}.values: ${message}`]);
  }
  assert.deepEqual(found('Near', ['ssd']), [`${at}.operator: Invalid value: "Near": not a valid selector operator`]);
});
