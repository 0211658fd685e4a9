import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemaOf } from '../../api/generated-schema.ts';
import { allocatableOf, virtualNodeTemplates, zonesByNode } from './virtual-nodes.ts';

const options = { zones: ['a', 'b'], readySinceMs: Date.parse('2026-01-01T00:00:00Z') };

test('one ready node a zone, with the labels that schedulers and people look for', () => {
  const { nodes } = virtualNodeTemplates({ ...options, now: () => 0 });
  assert.deepEqual(
    nodes.map(({ metadata }) => [metadata.name, metadata.labels['topology.kubernetes.io/zone']]),
    [
      ['virtual-node-a', 'a'],
      ['virtual-node-b', 'b'],
    ],
  );
  const [node] = nodes;
  assert.deepEqual(
    nodes.map(({ status }) => status!.addresses!.find(({ type }: { type: string }) => type === 'InternalIP')!.address),
    ['10.112.0.1', '10.112.0.2'],
  );
  assert.equal(node!.metadata.labels['node-role.kubernetes.io/virtual'], '');
  assert.equal(node!.status!.conditions!.find(({ type }: { type: string }) => type === 'Ready')!.status, 'True');
  assert.equal(node!.status!.nodeInfo!.kubeletVersion, 'v1.36.0+skypod');
  // Nothing in it that a Node does not have.
  const known = Object.keys(schemaOf('io.k8s.api.core.v1.NodeStatus')!.fields);
  assert.deepEqual(
    Object.keys(node!.status!).filter((field) => !known.includes(field)),
    [],
  );
  assert.equal(zonesByNode(options.zones).get('virtual-node-b'), 'b');
});

test('a lease is as fresh as its reading', () => {
  let now = Date.parse('2026-01-01T00:00:00Z');
  const [lease] = virtualNodeTemplates({ ...options, now: () => now })['leases.coordination.k8s.io'];
  assert.equal(JSON.parse(JSON.stringify(lease)).spec.renewTime, '2026-01-01T00:00:00.000000Z');
  now += 5000;
  assert.equal(JSON.parse(JSON.stringify(lease)).spec.renewTime, '2026-01-01T00:00:05.000000Z');
});

test('nodes are practically unlimited unless the operator says otherwise', () => {
  const allocatable = (capacity?: object) => {
    const { nodes } = virtualNodeTemplates({ ...options, now: () => 0, ...(capacity !== undefined && { capacity }) });
    return nodes[0]!.status!.allocatable!;
  };
  assert.equal(allocatable()['cpu'], '100000');
  assert.deepEqual(allocatable({ cpu: '4', memory: '8Gi' }), { ...allocatable(), cpu: '4', memory: '8Gi' });
  assert.equal(allocatableOf().cpuMillis, 100_000_000);
  assert.equal(allocatableOf({ cpu: '500m' }).cpuMillis, 500);
});
