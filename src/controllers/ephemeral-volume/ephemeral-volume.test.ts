import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts';
import { PERSISTENT_VOLUME_CLAIMS, PODS } from '../../api/resources.ts';
import { until } from '../../base/testing/until.ts';
import { createHarness, testNamespace, testTenant } from '../testing/harness.ts';
import { createEphemeralVolumeController } from './index.ts';

const pod = {
  metadata: { name: 'web' },
  spec: {
    containers: [],
    volumes: [
      { name: 'plain', emptyDir: {} },
      {
        name: 'scratch',
        ephemeral: {
          volumeClaimTemplate: { metadata: { labels: { a: 'b' } }, spec: { accessModes: ['ReadWriteOnce'] } },
        },
      },
    ],
  },
} as any;

test("a generic ephemeral volume gets a claim that is the pod's", async (t) => {
  const harness = createHarness(t);
  await harness.run(createEphemeralVolumeController(harness.dependencies));
  const { metadata } = await harness.create<Pod>(PODS, pod);
  const claim = () => harness.get<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS, 'web-scratch');
  await until(() => claim() !== undefined);
  assert.deepEqual(claim()!.metadata.labels, { a: 'b' });
  assert.deepEqual(claim()!.metadata.ownerReferences, [
    { apiVersion: 'v1', kind: 'Pod', name: 'web', uid: metadata.uid, controller: true, blockOwnerDeletion: true },
  ]);
  assert.deepEqual(claim()!['spec'], { accessModes: ['ReadWriteOnce'] });
});

test('a claim that somebody else made is not taken', async (t) => {
  const harness = createHarness(t);
  await harness.create(PERSISTENT_VOLUME_CLAIMS, { metadata: { name: 'web-scratch' } });
  await harness.run(createEphemeralVolumeController(harness.dependencies));
  await harness.create<Pod>(PODS, pod);
  const message = `FailedBinding: ephemeral volume scratch: PVC ${testNamespace}/web-scratch was not created for pod ${testNamespace}/web (pod is not owner)`;
  await until(() => harness.events().includes(message));
  await harness.client.resource(testTenant, PERSISTENT_VOLUME_CLAIMS, testNamespace).delete('web-scratch');
  await until(() => harness.get(PERSISTENT_VOLUME_CLAIMS, 'web-scratch')?.metadata.ownerReferences?.length === 1);
});
