import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReplicaSet } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { PODS, REPLICA_SETS } from '../../api/resources.ts';
import { forbidden } from '../../api/status.ts';
import { until } from '../../base/testing/until.ts';
import { createHarness, testNamespace, testTenant } from '../testing/harness.ts';
import { createReplicaSetController } from './index.ts';

const draft = (replicas: number) =>
  ({
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
    },
  }) as any;

test('creates exactly what is asked for, though the cache lags', async (t) => {
  const harness = createHarness(t);
  harness.runPods();
  await harness.run(createReplicaSetController(harness.dependencies));
  await harness.create(REPLICA_SETS, draft(700));
  await until(() => harness.get<ReplicaSet>(REPLICA_SETS, 'web')?.status?.availableReplicas === 700, 20_000);
  const creates = harness.transport.writes.filter((write) => write.method === 'POST' && write.path.endsWith('/pods'));
  assert.equal(creates.length, 700);
  await harness.client
    .resource(testTenant, REPLICA_SETS, testNamespace)
    .patch('web', 'merge', { spec: { replicas: 3 } });
  await until(() => harness.get<ReplicaSet>(REPLICA_SETS, 'web')?.status?.replicas === 3, 20_000);
  await until(() => harness.all(PODS).length === 3);
});

test('a refused pod costs one request, a condition and an event; it is tried again', async (t) => {
  let isRefusing = true;
  const harness = createHarness(t, {
    onRequest: (request) => {
      if (isRefusing && request.method === 'POST' && request.path.endsWith('/pods')) {
        throw forbidden({ group: '', resource: 'pods' }, '', 'exceeded quota: tiny');
      }
    },
  });
  await harness.run(createReplicaSetController(harness.dependencies));
  await harness.create(REPLICA_SETS, draft(5));
  await until(() => harness.get<ReplicaSet>(REPLICA_SETS, 'web')?.status?.conditions !== undefined);
  const [condition] = harness.get<ReplicaSet>(REPLICA_SETS, 'web')!.status!.conditions!;
  assert.equal(condition!.type, 'ReplicaFailure');
  assert.equal(condition!.reason, 'FailedCreate');
  assert.equal(condition!.message, 'pods is forbidden: exceeded quota: tiny');
  await until(() => harness.events().includes('FailedCreate: Error creating: pods is forbidden: exceeded quota: tiny'));
  isRefusing = false;
  await until(() => harness.get<ReplicaSet>(REPLICA_SETS, 'web')?.status?.replicas === 5);
  assert.equal(harness.get<ReplicaSet>(REPLICA_SETS, 'web')!.status!.conditions, undefined);
});

test('adopts matching orphans and releases pods that no longer match', async (t) => {
  const harness = createHarness(t);
  await harness.create<Pod>(PODS, { metadata: { name: 'orphan', labels: { app: 'web' } }, spec: { containers: [] } });
  await harness.run(createReplicaSetController(harness.dependencies));
  await harness.create(REPLICA_SETS, draft(2));
  await until(() => harness.get<ReplicaSet>(REPLICA_SETS, 'web')?.status?.replicas === 2);
  const set = harness.get<ReplicaSet>(REPLICA_SETS, 'web')!;
  assert.equal(harness.get(PODS, 'orphan')!.metadata.ownerReferences![0]!.uid, set.metadata.uid);
  await harness.client.resource(testTenant, PODS, testNamespace).patch('orphan', 'merge', {
    metadata: { labels: { app: 'debug' } },
  });
  await until(() => harness.get(PODS, 'orphan')!.metadata.ownerReferences === undefined);
  await until(() => harness.all(PODS).length === 3);
});
