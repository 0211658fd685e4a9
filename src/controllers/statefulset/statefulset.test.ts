import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatefulSet } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS } from '../../api/resources.ts';
import { until } from '../../base/testing/until.ts';
import { createHarness, type Harness, testNamespace, testTenant } from '../testing/harness.ts';
import { createStatefulSetController } from './index.ts';

const draft = (spec: object = {}): any => ({
  metadata: { name: 'db' },
  spec: {
    replicas: 3,
    serviceName: 'db',
    selector: { matchLabels: { app: 'db' } },
    template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'db', image: 'db:1' }] } },
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
    ...spec,
  },
});
async function start(t: any, spec?: object): Promise<{ harness: Harness; log: string[] }> {
  const harness = createHarness(t);
  harness.runPods();
  const log: string[] = [];
  harness.dependencies.informers.informer<Pod>(PODS, { tenant: '*' }).addHandlers({
    added: (pod) => void log.push(`+${pod.metadata.name}`),
    updated: (before, after) => {
      if (before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp) log.push(`-${after.metadata.name}`);
    },
  });
  await harness.run(createStatefulSetController(harness.dependencies));
  await harness.create(STATEFUL_SETS, draft(spec));
  return { harness, log };
}
const setOf = (harness: Harness) => harness.get<StatefulSet>(STATEFUL_SETS, 'db')!;
const patch = (harness: Harness, spec: object) =>
  harness.client.resource(testTenant, STATEFUL_SETS, testNamespace).patch('db', 'merge', { spec });
const image = (tag: string) => ({ template: { spec: { containers: [{ name: 'db', image: `db:${tag}` }] } } });
const isSteady = (harness: Harness, replicas: number) => {
  const { status, metadata } = setOf(harness);
  return (
    status?.observedGeneration === metadata.generation &&
    status?.replicas === replicas &&
    (status?.availableReplicas ?? 0) === replicas &&
    status?.updateRevision === status?.currentRevision
  );
};

test('starts in order, stops in reverse, and gives each pod its identity and claim', async (t) => {
  const { harness, log } = await start(t, {
    volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }],
  });
  await until(() => isSteady(harness, 3));
  assert.deepEqual(log, ['+db-0', '+db-1', '+db-2']);
  const pod = harness.get<Pod>(PODS, 'db-1')!;
  assert.equal(pod.spec!.hostname, 'db-1');
  assert.equal(pod.spec!.subdomain, 'db');
  assert.equal(pod.metadata.labels!['statefulset.kubernetes.io/pod-name'], 'db-1');
  assert.equal(pod.metadata.labels!['apps.kubernetes.io/pod-index'], '1');
  assert.equal(pod.spec!.volumes![0]!.persistentVolumeClaim!.claimName, 'data-db-1');
  assert.equal(harness.all(PERSISTENT_VOLUME_CLAIMS).length, 3);
  assert.equal(pod.metadata.labels!['controller-revision-hash'], setOf(harness).status!.currentRevision);
  await patch(harness, { replicas: 1 });
  await until(() => isSteady(harness, 1));
  assert.deepEqual(log.slice(3), ['-db-2', '-db-1']);
  await until(() => harness.events().includes('SuccessfulCreate: Create Pod db-0 in StatefulSet db successful'));
});

test('rolls out from the last to the partition, one at a time, and back', async (t) => {
  const { harness, log } = await start(t);
  await until(() => isSteady(harness, 3));
  log.length = 0;
  await patch(harness, { ...image('2'), updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } });
  await until(() => setOf(harness).status?.updatedReplicas === 2 && setOf(harness).status?.availableReplicas === 3);
  assert.deepEqual(log, ['-db-2', '+db-2', '-db-1', '+db-1']);
  assert.equal(harness.get<Pod>(PODS, 'db-0')!.spec!.containers[0]!.image, 'db:1');
  await patch(harness, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } } });
  await until(() => isSteady(harness, 3));
  assert.equal(harness.all(CONTROLLER_REVISIONS).length, 2);
  await patch(harness, image('1'));
  await until(() => isSteady(harness, 3) && harness.get<Pod>(PODS, 'db-0')!.spec!.containers[0]!.image === 'db:1');
  assert.equal(harness.all(CONTROLLER_REVISIONS).length, 2, 'the old revision comes back under a new number');
});

test('Parallel starts and stops all at once', async (t) => {
  const { harness, log } = await start(t, { podManagementPolicy: 'Parallel', replicas: 4 });
  await until(() => isSteady(harness, 4));
  assert.deepEqual(log, ['+db-0', '+db-1', '+db-2', '+db-3']);
  await patch(harness, { replicas: 0 });
  await until(() => isSteady(harness, 0));
});

test('claims go with what the retention policy names: the set, or a pod that is one too many', async (t) => {
  const { harness } = await start(t, {
    replicas: 2,
    persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' },
    volumeClaimTemplates: ['data', 'logs'].map((name) => ({
      metadata: { name },
      spec: { accessModes: ['ReadWriteOnce'] },
    })),
  });
  await until(() => isSteady(harness, 2));
  const ownersOf = (ordinal: number) =>
    (harness.get(PERSISTENT_VOLUME_CLAIMS, `data-db-${ordinal}`)?.metadata.ownerReferences ?? []).map(
      ({ kind, uid, controller }) => [kind, uid, controller],
    );
  const { uid } = setOf(harness).metadata;
  await until(() => ownersOf(0).length === 1 && ownersOf(1).length === 1);
  assert.deepEqual(ownersOf(1), [['StatefulSet', uid, true]]);
  const podUid = harness.get<Pod>(PODS, 'db-1')!.metadata.uid;
  await patch(harness, { replicas: 1 });
  await until(() => isSteady(harness, 1));
  assert.deepEqual(ownersOf(1), [['Pod', podUid, true]]);
  assert.deepEqual(ownersOf(0), [['StatefulSet', uid, true]]);

  // A new pod does not take up what goes with the old one.
  await patch(harness, { replicas: 2 });
  await until(() => setOf(harness).status?.observedGeneration === setOf(harness).metadata.generation);
  assert.equal(harness.get<Pod>(PODS, 'db-1'), undefined);
  const claims = harness.client.resource(testTenant, PERSISTENT_VOLUME_CLAIMS, testNamespace);
  for (const claim of ['data-db-1', 'logs-db-1']) await claims.delete(claim);
  await until(() => isSteady(harness, 2));
  await until(() => ownersOf(1)[0]?.[0] === 'StatefulSet');

  await patch(harness, { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' } });
  await until(() => ownersOf(0).length === 0 && ownersOf(1).length === 0);
  await until(() => harness.events().some((event) => event.includes('Create Pod db-0 in StatefulSet db successful')));
});
