import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod, Taint, Toleration } from '../../api/generated/core-v1.ts';
import { NODES, PODS } from '../../api/resources.ts';
import { ManualClock } from '../../base/clock.ts';
import { settled, until } from '../../base/testing/until.ts';
import { createHarness, runningStatus, testTenant } from '../testing/harness.ts';
import { toleratedMs } from './due.ts';
import { createTaintEvictionController } from './index.ts';

const taint: Taint = { key: 'evict', value: 'yes', effect: 'NoExecute' };
const tolerating = (tolerationSeconds?: number): Toleration => ({
  key: 'evict',
  operator: 'Equal',
  value: 'yes',
  effect: 'NoExecute',
  ...(tolerationSeconds !== undefined && { tolerationSeconds }),
});
const draft = (name: string, tolerations: Toleration[] = []): any => ({
  metadata: { name },
  spec: { containers: [], nodeName: 'node-a', tolerations },
  status: runningStatus(0),
});

test('how long a pod may stay: not at all, for the shortest time, or for good', () => {
  const stay = (tolerations: Toleration[], taints = [taint]) => toleratedMs(draft('p', tolerations), taints);
  assert.equal(stay([]), 0);
  assert.equal(stay([tolerating()]), Infinity);
  assert.equal(stay([tolerating(5)]), 5000);
  assert.equal(stay([tolerating(-1)]), 0);
  assert.equal(stay([tolerating(5)], [taint, { ...taint, key: 'other' }]), 0);
  assert.equal(stay([{ operator: 'Exists', tolerationSeconds: 7 }, tolerating()], [taint]), 7000);
});

test('a tainted node loses the pods that do not tolerate it, at their time; an untainted one keeps them', async (t) => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const harness = createHarness(t, { clock });
  const nodes = harness.client.resource<Node>(testTenant, NODES);
  await nodes.create({ metadata: { name: 'node-a' } });
  await harness.run(createTaintEvictionController(harness.dependencies));
  await harness.create<Pod>(PODS, draft('leaves'));
  await harness.create<Pod>(PODS, draft('later', [tolerating(60)]));
  await harness.create<Pod>(PODS, draft('stays', [tolerating()]));
  const deleted = (name: string) =>
    harness.transport.writes.some(({ method, path }) => method === 'DELETE' && path.endsWith(`/pods/${name}`));
  await nodes.patch('node-a', 'merge', { spec: { taints: [taint] } });
  await until(() => deleted('leaves'));
  const status = harness.transport.writes.find(({ path }) => path.endsWith('/pods/leaves/status'))!.body as Pod;
  assert.equal(status.status!.conditions![0]!.reason, 'DeletionByTaintManager');

  await nodes.patch('node-a', 'merge', { spec: { taints: null } });
  await until(() => harness.events().some((text) => text.includes('Cancelling deletion of Pod default/later')));
  await nodes.patch('node-a', 'merge', { spec: { taints: [taint] } });
  await settled();
  clock.advance(59_000);
  await settled();
  assert.equal(deleted('later'), false);
  clock.advance(1_500);
  await until(() => deleted('later'));
  assert.equal(deleted('stays'), false);
});
