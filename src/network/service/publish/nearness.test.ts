import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice } from '../../../api/generated/discovery-v1.ts';
import { nearness } from './nearness.ts';

const nodes = new Map([
  ['node-a', '10.112.0.1'],
  ['node-b', '10.112.0.2'],
  ['node-c', '10.112.0.3'],
]);
const zones = new Map([
  ['node-a', 'zone-a'],
  ['node-b', 'zone-b'],
  ['node-c', 'zone-a'],
]);
const named = (name: string) => [{ name }];

interface Hinted {
  zone?: string;
  node?: string;
  ready?: boolean;
}

function near(...hinted: Hinted[]): Record<string, string[]> {
  const endpoints = hinted.map(({ zone, node, ready = true }, index) => ({
    addresses: [`10.128.0.${index}`],
    conditions: { ready },
    hints: { ...(zone && { forZones: named(zone) }), ...(node && { forNodes: named(node) }) },
  }));
  // Each in a slice of its own: what counts is all of them together.
  const slices = endpoints.map((endpoint) => ({ addressType: 'IPv4', endpoints: [endpoint] }) as EndpointSlice);
  return Object.fromEntries(nearness(slices, nodes, zones));
}

test('hints for zones lead the nodes of a zone to its endpoints, and leave alone those that have none', () => {
  const [a, b] = [{ zone: 'zone-a' }, { zone: 'zone-b' }];
  assert.deepEqual(near(a, b), { '10.128.0.0': ['10.112.0.1', '10.112.0.3'], '10.128.0.1': ['10.112.0.2'] });
  assert.deepEqual(near(a, a), {}, 'nothing to choose from');
  assert.deepEqual(near(a, { zone: 'elsewhere' }), { '10.128.0.0': ['10.112.0.1', '10.112.0.3'] });
});

test('hints for nodes go before those for zones', () => {
  const [a, b] = [
    { zone: 'zone-a', node: 'node-a' },
    { zone: 'zone-b', node: 'node-b' },
  ];
  assert.deepEqual(near(a, b), { '10.128.0.0': ['10.112.0.1', '10.112.0.3'], '10.128.0.1': ['10.112.0.2'] });
  const onlyNodes = [{ node: 'node-a' }, { node: 'node-b' }];
  assert.deepEqual(near(...onlyNodes), { '10.128.0.0': ['10.112.0.1'], '10.128.0.1': ['10.112.0.2'] });
  assert.deepEqual(near({ zone: 'zone-a', node: 'node-a' }, { zone: 'zone-a', node: 'node-c' }), {
    '10.128.0.0': ['10.112.0.1'],
    '10.128.0.1': ['10.112.0.3'],
  });
});

test('one ready endpoint without hints turns them off; who is not ready does not count', () => {
  const [a, b] = [{ zone: 'zone-a' }, { zone: 'zone-b' }];
  assert.deepEqual(near(a, b, {}), {});
  assert.deepEqual(near(a, { ...b, ready: false }, { ready: false }), {});
  assert.deepEqual(near(a, b, { ready: false }), near(a, b));
  assert.deepEqual(near(), {});
});
