import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { PodDisruptionBudget } from '../../api/generated/policy-v1.ts';
import { PODS, REPLICA_SETS } from '../../api/resources.ts';
import { until } from '../../client/testing/until.ts';
import { createReplicaSetController } from '../replicaset/index.ts';
import { createHarness, testNamespace, testTenant } from '../testing/harness.ts';
import { createDisruptionController } from './index.ts';

const BUDGETS = { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' };
const labels = { app: 'web' };

test('tells how many pods may be evicted', async (t) => {
  const harness = createHarness(t);
  harness.runPods();
  await harness.run(createReplicaSetController(harness.dependencies), createDisruptionController(harness.dependencies));
  await harness.create(REPLICA_SETS, {
    metadata: { name: 'web' },
    spec: {
      replicas: 4,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [] } },
    },
  } as any);
  const budget = (name: string, spec: object) =>
    harness.create<PodDisruptionBudget>(BUDGETS, {
      metadata: { name },
      spec: { selector: { matchLabels: labels }, ...spec },
    });
  await budget('min', { minAvailable: 3 });
  await budget('share', { maxUnavailable: '50%' });
  const statusOf = (name: string) => harness.get<PodDisruptionBudget>(BUDGETS, name)?.status;
  await until(() => statusOf('min')?.disruptionsAllowed === 1 && statusOf('share')?.disruptionsAllowed === 2);
  assert.equal(statusOf('share')!.expectedPods, 4);
  assert.equal(statusOf('share')!.desiredHealthy, 2);
  assert.equal(statusOf('min')!.currentHealthy, 4);
  assert.equal(statusOf('min')!.conditions![0]!.reason, 'SufficientPods');
  const pods = harness.client.resource<Pod>(testTenant, PODS, testNamespace);
  const [pod] = harness.all<Pod>(PODS);
  await pods.patch(
    pod!.metadata.name,
    'merge',
    { status: { conditions: [{ type: 'Ready', status: 'False' }] } },
    'status',
  );
  await until(() => statusOf('min')?.disruptionsAllowed === 0);
  assert.equal(statusOf('min')!.conditions![0]!.reason, 'InsufficientPods');
});
