import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DaemonSet } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { DAEMON_SETS, NODES, PODS } from '../../api/resources.ts';
import { until } from '../../base/testing/until.ts';
import { createHarness, type Harness, runningStatus, testNamespace, testTenant } from '../testing/harness.ts';
import { createDaemonSetController } from './index.ts';
import { nodeOf } from './nodes.ts';

const draft: any = {
  metadata: { name: 'agent' },
  spec: {
    selector: { matchLabels: { app: 'agent' } },
    template: { metadata: { labels: { app: 'agent' } }, spec: { containers: [{ name: 'a', image: 'a:1' }] } },
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
  },
};
async function start(t: any): Promise<Harness> {
  const harness = createHarness(t);
  const nodes = harness.client.resource(testTenant, NODES);
  await nodes.create({ metadata: { name: 'zone-a' }, spec: {} });
  await nodes.create({ metadata: { name: 'zone-b' }, spec: {} });
  await nodes.create({ metadata: { name: 'closed' }, spec: { taints: [{ key: 'private', effect: 'NoSchedule' }] } });
  await harness.client.resource('other', NODES).create({ metadata: { name: 'elsewhere' }, spec: {} });
  // The scheduler and the kubelet in one.
  harness.dependencies.informers.informer<Pod>(PODS, { tenant: '*' }).addHandlers({
    added: (pod) => void settle(harness, pod),
    updated: (_, pod) => void settle(harness, pod),
  });
  await harness.run(createDaemonSetController(harness.dependencies));
  return harness;
}
async function settle(harness: Harness, pod: Pod): Promise<void> {
  const pods = harness.client.for(PODS, pod);
  const { name, deletionTimestamp } = pod.metadata;
  try {
    if (deletionTimestamp !== undefined) await pods.delete(name, { gracePeriodSeconds: 0 });
    else if (pod.spec!.nodeName === undefined) await pods.patch(name, 'merge', { spec: { nodeName: nodeOf(pod) } });
    else if (pod.status === undefined) await pods.patch(name, 'merge', { status: runningStatus(Date.now()) }, 'status');
  } catch {
    // Its next event settles it.
  }
}
const setOf = (harness: Harness) => harness.get<DaemonSet>(DAEMON_SETS, 'agent')!;
const places = (harness: Harness) =>
  harness
    .all<Pod>(PODS)
    .filter((pod) => pod.metadata.deletionTimestamp === undefined)
    .map((pod) => pod.spec!.nodeName ?? '')
    .sort();

test('one pod on each node that it tolerates; nodes come and go', async (t) => {
  const harness = await start(t);
  await harness.create(DAEMON_SETS, draft);
  await until(() => setOf(harness).status?.numberAvailable === 2);
  assert.deepEqual(places(harness), ['zone-a', 'zone-b']);
  assert.equal(setOf(harness).status!.desiredNumberScheduled, 2);
  const [pod] = harness.all<Pod>(PODS);
  assert.ok(pod!.spec!.tolerations!.some((toleration) => toleration.key === 'node.kubernetes.io/unschedulable'));
  const nodes = harness.client.resource(testTenant, NODES);
  await nodes.patch('closed', 'merge', { spec: { taints: null } });
  await until(() => setOf(harness).status?.numberAvailable === 3);
  await nodes.patch('closed', 'merge', { spec: { taints: [{ key: 'private', effect: 'NoExecute' }] } });
  await until(() => places(harness).join() === 'zone-a,zone-b');
});

test('a rolling update replaces one at a time; a failed pod is replaced', async (t) => {
  const harness = await start(t);
  await harness.create(DAEMON_SETS, draft);
  await until(() => setOf(harness).status?.numberAvailable === 2);
  let fewest = 2;
  harness.dependencies.informers.informer<Pod>(PODS, { tenant: '*' }).addHandlers({
    updated: () => {
      const ready = harness
        .all<Pod>(PODS)
        .filter((pod) => pod.status !== undefined && pod.metadata.deletionTimestamp === undefined);
      fewest = Math.min(fewest, ready.length);
    },
  });
  await harness.client.resource(testTenant, DAEMON_SETS, testNamespace).patch('agent', 'merge', {
    spec: { template: { spec: { containers: [{ name: 'a', image: 'a:2' }] } } },
  });
  await until(() => {
    const { status, metadata } = setOf(harness);
    const isObserved = status?.observedGeneration === metadata.generation;
    return isObserved && status?.updatedNumberScheduled === 2 && status?.numberAvailable === 2;
  });
  assert.equal(fewest, 1);
  const [pod] = harness.all<Pod>(PODS);
  const pods = harness.client.resource(testTenant, PODS, testNamespace);
  await pods.patch(pod!.metadata.name, 'merge', { status: { phase: 'Failed' } }, 'status');
  await until(() => harness.get(PODS, pod!.metadata.name) === undefined && places(harness).length === 2);
  await until(() => harness.events().some((event) => event.startsWith('FailedDaemonPod: Found failed daemon pod')));
});
