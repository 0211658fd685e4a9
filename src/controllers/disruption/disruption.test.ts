import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { PodDisruptionBudget } from '../../api/generated/policy-v1.ts';
import { PODS, REPLICA_SETS } from '../../api/resources.ts';
import { StatusError } from '../../api/status.ts';
import { ManualClock } from '../../base/clock.ts';
import { until } from '../../base/testing/until.ts';
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

test('an owner of another kind is asked for its scale; unmanaged pods and kinds without one are told of', async (t) => {
  const harness = createHarness(t, {
    onRequest: ({ path }) => {
      if (path.endsWith('/jobs/worker/scale')) throw new StatusError(404, 'NotFound', 'no scale');
    },
  });
  const resources = [
    { group: 'batch', version: 'v1', resource: 'jobs', kind: 'Job', namespaced: true, verbs: ['get'] },
  ] as never;
  const job = await harness.create(
    { group: 'batch', version: 'v1', resource: 'jobs' },
    { metadata: { name: 'worker' } },
  );
  const { uid } = job.metadata;
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: 'worker', uid, controller: true };
  await harness.create(PODS, { metadata: { name: 'owned', labels, ownerReferences: [owner] } } as any);
  await harness.create(PODS, { metadata: { name: 'alone', labels: { app: 'alone' } } } as any);
  for (const [name, app] of Object.entries({ jobs: 'web', alone: 'alone', none: 'none' }))
    await harness.create<PodDisruptionBudget>(BUDGETS, {
      metadata: { name },
      spec: { selector: { matchLabels: { app } }, maxUnavailable: 1 },
    });
  await harness.run(createDisruptionController(harness.dependencies, resources));
  const of = (name: string) => harness.get<PodDisruptionBudget>(BUDGETS, name)?.status?.conditions?.[0];
  await until(() => of('jobs')?.reason === 'SyncFailed' && of('none') !== undefined && of('alone') !== undefined);
  assert.equal(of('jobs')!.message, 'jobs.batch does not implement the scale subresource');
  await until(() => harness.events().length >= 3);
  const told = harness.events().join('\n');
  assert.match(
    told,
    /CalculateExpectedPodCountFailed.*Failed to calculate the number of expected pods: jobs\.batch does not/,
  );
  assert.match(told, /NoPods.*No matching pods found/);
  assert.match(
    told,
    /UnmanagedPods.*\(selector: &LabelSelector\{MatchLabels:map\[string\]string\{app: alone,\},MatchExpressions:\[\]LabelSelectorRequirement\{\},\}\) were found to be unmanaged\./,
  );
});

test('what was to go and did not is told of, and is no longer a target', async (t) => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const harness = createHarness(t, { clock });
  const condition = { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', message: 'x' };
  await harness.create(PODS, {
    metadata: { name: 'stays', labels },
    status: { phase: 'Running', conditions: [{ ...condition, lastTransitionTime: '2026-01-01T00:00:00Z' }] },
  } as any);
  await harness.create<PodDisruptionBudget>(BUDGETS, {
    metadata: { name: 'b' },
    spec: { selector: { matchLabels: labels }, minAvailable: 1 },
    status: { disruptedPods: { stays: '2026-01-01T00:00:00Z' } },
  } as any);
  await harness.run(createDisruptionController(harness.dependencies));
  const status = () => harness.get<PodDisruptionBudget>(BUDGETS, 'b')?.status;
  clock.advance(1000);
  await until(() => {
    clock.advance(10);
    return status()?.expectedPods === 1;
  });
  assert.deepEqual(Object.keys(status()!.disruptedPods ?? {}), ['stays']);
  const target = () => harness.get<Pod>(PODS, 'stays')?.status?.conditions?.[0]?.status;
  assert.equal(target(), 'True');
  await until(() => {
    clock.advance(5000);
    return target() === 'False';
  });
  await until(() => {
    clock.advance(5000);
    return status()?.disruptedPods === undefined;
  });
  await until(() => harness.events().some((event) => event.includes("to be deleted but it wasn't")));
});
