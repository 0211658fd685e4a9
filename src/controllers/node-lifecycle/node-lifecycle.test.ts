import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../../api/generated/core-v1.ts';
import { NODES } from '../../api/resources.ts';
import { until } from '../../base/testing/until.ts';
import { createHarness, testTenant } from '../testing/harness.ts';
import { createNodeLifecycleController } from './index.ts';
import { taintsFor } from './taints.ts';

const now = '2026-01-01T00:00:00Z';
const keysFor = (node: object) => taintsFor(node as Node, now)?.map(({ key, effect }) => `${key}:${effect}`);
const taint = (name: string, effect = 'NoSchedule') => ({ key: `node.kubernetes.io/${name}`, effect });

test('conditions and cordons are taints', () => {
  const conditions = (...pairs: string[]) => ({
    conditions: pairs.map((pair) => ({ type: pair.split(' ')[0], status: pair.split(' ')[1] })),
  });
  assert.equal(keysFor({}), undefined);
  assert.equal(keysFor({ status: conditions('Ready True', 'MemoryPressure False') }), undefined);
  assert.deepEqual(keysFor({ spec: { unschedulable: true } }), ['node.kubernetes.io/unschedulable:NoSchedule']);
  assert.deepEqual(keysFor({ status: conditions('Ready Unknown', 'DiskPressure True') }), [
    'node.kubernetes.io/unreachable:NoSchedule',
    'node.kubernetes.io/disk-pressure:NoSchedule',
  ]);
  const mine = { key: 'mine', effect: 'NoSchedule' };
  const executed = taint('not-ready', 'NoExecute');
  const taints = [mine, executed, taint('not-ready'), taint('unschedulable')];
  assert.deepEqual(keysFor({ spec: { taints, unschedulable: true } }), [
    'mine:NoSchedule',
    'node.kubernetes.io/not-ready:NoExecute',
    'node.kubernetes.io/unschedulable:NoSchedule',
  ]);
  assert.equal(keysFor({ spec: { taints: [taint('unschedulable')], unschedulable: true } }), undefined);
  assert.deepEqual(keysFor({ spec: { taints: [taint('unschedulable')] } }), []);
});

test('a node is tainted while it is cordoned', async (t) => {
  const harness = createHarness(t);
  await harness.run(createNodeLifecycleController(harness.dependencies));
  const nodes = harness.client.resource<Node>(testTenant, NODES);
  await nodes.create({ metadata: { name: 'a' }, spec: {} } as any);
  await nodes.patch('a', 'merge', { spec: { unschedulable: true } });
  const taints = () => harness.get<Node>(NODES, 'a')!.spec?.taints;
  await until(() => taints()?.length === 1);
  assert.ok(taints()![0]!.timeAdded);
  await nodes.patch('a', 'merge', { spec: { unschedulable: null } });
  await until(() => taints() === undefined);
});
