import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PERSISTENT_VOLUME_CLAIMS, PODS } from '../../api/resources.ts';
import { settled, until } from '../../base/testing/until.ts';
import { createHarness, testNamespace, testTenant } from '../testing/harness.ts';
import { createVolumeProtectionControllers, usesClaim } from './index.ts';

const VOLUMES = { group: '', version: 'v1', resource: 'persistentvolumes' };
const CLASSES = { group: 'storage.k8s.io', version: 'v1', resource: 'volumeattributesclasses' };

const pod = (name: string, nodeName?: string): any => ({
  metadata: { name },
  spec: {
    containers: [],
    ...(nodeName && { nodeName }),
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
  },
});

test('a claim waits for the pods that have a node, and for those alone', async (t) => {
  const harness = createHarness(t);
  await harness.run(...createVolumeProtectionControllers(harness.dependencies));
  const claims = harness.client.resource(testTenant, PERSISTENT_VOLUME_CLAIMS, testNamespace);
  const pods = harness.client.resource(testTenant, PODS, testNamespace);
  await claims.create({ metadata: { name: 'data', finalizers: ['kubernetes.io/pvc-protection'] } });
  await harness.create(PODS, pod('runs', 'node-a'));
  await harness.create(PODS, pod('waits'));
  await claims.delete('data');
  await until(() => harness.get(PERSISTENT_VOLUME_CLAIMS, 'data')?.metadata.deletionTimestamp !== undefined);
  await pods.delete('waits', { gracePeriodSeconds: 0 });
  assert.ok(harness.get(PERSISTENT_VOLUME_CLAIMS, 'data'));
  await pods.delete('runs', { gracePeriodSeconds: 0 });
  await until(() => harness.get(PERSISTENT_VOLUME_CLAIMS, 'data') === undefined);
});

test('a bound volume waits for its claim, a class for who names it', async (t) => {
  const harness = createHarness(t);
  await harness.run(...createVolumeProtectionControllers(harness.dependencies));
  const volumes = harness.client.resource(testTenant, VOLUMES);
  const classes = harness.client.resource(testTenant, CLASSES);
  await volumes.create({
    metadata: { name: 'disk', finalizers: ['kubernetes.io/pv-protection'] },
    spec: { volumeAttributesClassName: 'fast' },
  } as any);
  await volumes.patch('disk', 'merge', { status: { phase: 'Bound' } }, 'status');
  await classes.create({ metadata: { name: 'fast', finalizers: ['kubernetes.io/vac-protection'] } });
  const left = () => [...harness.all(VOLUMES), ...harness.all(CLASSES)].map(({ metadata }) => metadata.name);
  await until(() => harness.get(VOLUMES, 'disk')?.['status']?.phase === 'Bound');
  await classes.delete('fast');
  await volumes.delete('disk');
  await settled();
  assert.deepEqual(left(), ['disk', 'fast']);
  await volumes.patch('disk', 'merge', { status: { phase: 'Released' } }, 'status');
  await until(() => left().length === 0);
});

test('an ephemeral claim is used until its pod is shut down', () => {
  const claim: any = { metadata: { name: 'web-scratch', ownerReferences: [{ uid: 'u', controller: true }] } };
  const user = (metadata: object): any => ({
    metadata: { name: 'web', uid: 'u', ...metadata },
    spec: { nodeName: 'n', volumes: [{ name: 'scratch', ephemeral: {} }] },
  });
  assert.equal(usesClaim(user({}), claim), true);
  assert.equal(usesClaim(user({ uid: 'other' }), claim), false);
  const gone = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  assert.equal(usesClaim(user({ ...gone, deletionGracePeriodSeconds: 5 }), claim), true);
  assert.equal(usesClaim(user({ ...gone, deletionGracePeriodSeconds: 0 }), claim), false);
});
