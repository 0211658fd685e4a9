import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec } from '../../api/generated/core-v1.ts';
import { extendedRequests } from './extended-requests.ts';

const asking = (amount: string, more: object = {}) => ({
  name: 'main',
  resources: { requests: { cpu: '1', 'example.com/thing': amount } },
  ...more,
});
const of = (spec: object) =>
  Object.fromEntries(extendedRequests({ containers: [{ name: 'main' }], ...spec } as PodSpec));

test('devices are counted as CPU is: containers together, init containers at their turn, sidecars, overhead', () => {
  const overhead = { cpu: '1', 'example.com/thing': '250' };
  assert.deepEqual(of({}), {});
  assert.deepEqual(of({ containers: [{ name: 'a', resources: { requests: { cpu: '1', memory: '1Gi' } } }] }), {});
  assert.deepEqual(of({ containers: [asking('200'), asking('100')] }), { 'example.com/thing': 300 });
  assert.deepEqual(of({ overhead }), { 'example.com/thing': 250 });
  assert.deepEqual(of({ containers: [asking('200')], overhead }), { 'example.com/thing': 450 });
  assert.deepEqual(of({ containers: [asking('2')], initContainers: [asking('5'), asking('3')] }), {
    'example.com/thing': 5,
  });
  const sidecar = asking('1', { restartPolicy: 'Always' });
  assert.deepEqual(of({ containers: [asking('2')], initContainers: [sidecar] }), { 'example.com/thing': 3 });
  assert.deepEqual(of({ resources: { requests: { 'hugepages-2Mi': '4Mi' } } }), { 'hugepages-2Mi': 4_194_304 });
});
