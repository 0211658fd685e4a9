import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../../api/generated/core-v1.ts';
import { extendedResourceChanges } from './extended-resources.ts';

const changes = (capacity: object, allocatable: object) =>
  extendedResourceChanges({ metadata: { name: 'a' }, status: { capacity, allocatable } } as unknown as Node);

test('a node gives what its tenant says it has of resources of its own', () => {
  assert.equal(changes({ cpu: '4' }, { cpu: '3' }), undefined);
  assert.deepEqual(changes({ 'example.com/dongle': '4' }, {}), { 'example.com/dongle': '4' });
  assert.deepEqual(changes({ 'example.com/dongle': '4' }, { 'example.com/dongle': '5' }), {
    'example.com/dongle': '4',
  });
  assert.equal(changes({ 'example.com/dongle': '4' }, { 'example.com/dongle': '4' }), undefined);
});

test('and no longer what it says no more', () => {
  assert.deepEqual(changes({ cpu: '4' }, { cpu: '4', 'example.com/dongle': '4' }), { 'example.com/dongle': null });
});
