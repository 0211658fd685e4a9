import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod } from '../../api/generated/core-v1.ts';
import { NODES, PODS } from '../../api/resources.ts';
import { ManualClock } from '../../base/clock.ts';
import { settled, until } from '../../base/testing/until.ts';
import { createHarness, runningStatus, testTenant } from '../testing/harness.ts';
import { createPodGarbageCollector } from './index.ts';

const draft = (name: string, nodeName?: string, more: object = {}): any => ({
  metadata: { name },
  spec: { containers: [], ...(nodeName !== undefined && { nodeName }) },
  ...more,
});

test('pods of a node that is gone go after a while, marked as lost', async (t) => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const harness = createHarness(t, { clock });
  const nodes = harness.client.resource<Node>(testTenant, NODES);
  await nodes.create({ metadata: { name: 'node-a' } });
  await nodes.create({ metadata: { name: 'node-b' } });
  await harness.run(createPodGarbageCollector(harness.dependencies));
  await harness.create<Pod>(PODS, draft('lost', 'node-a', { status: runningStatus(0) }));
  await harness.create<Pod>(PODS, draft('fine', 'node-b', { status: runningStatus(0) }));
  await nodes.delete('node-a');
  await settled();
  clock.advance(39_000);
  await settled();
  assert.ok(harness.get(PODS, 'lost'), 'the node may come back');
  clock.advance(2000);
  await until(() => harness.get(PODS, 'lost') === undefined);
  assert.ok(harness.get(PODS, 'fine'));
  const write = harness.transport.writes.find(({ path }) => path.endsWith('/pods/lost/status'));
  const { status } = write!.body as Pod;
  assert.equal(status!.phase, 'Failed');
  assert.equal(status!.conditions!.find(({ type }) => type === 'DisruptionTarget')!.reason, 'DeletionByPodGC');
});

test('of pods that have ended the oldest go beyond the threshold, per tenant', async (t) => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const harness = createHarness(t, { clock });
  await harness.client.resource(testTenant, NODES).create({ metadata: { name: 'node-a' } });
  await harness.run(createPodGarbageCollector(harness.dependencies, 2));
  for (let index = 0; index < 5; index++) {
    await harness.create<Pod>(PODS, draft(`p${index}`, 'node-a', { status: { phase: 'Succeeded' } }));
    clock.advance(100);
  }
  await settled();
  clock.advance(1000);
  await until(() => harness.all(PODS).length === 2);
  assert.deepEqual(
    harness
      .all(PODS)
      .map((pod) => pod.metadata.name)
      .sort(),
    ['p3', 'p4'],
  );
});
