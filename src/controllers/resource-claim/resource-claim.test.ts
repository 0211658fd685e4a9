import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { ResourceClaim } from '../../api/generated/resource-v1.ts';
import type { GroupVersionResource } from '../../api/object.ts';
import { PODS } from '../../api/resources.ts';
import { until } from '../../base/testing/until.ts';
import { createHarness, testNamespace, testTenant } from '../testing/harness.ts';
import { generateNameFor } from './claims-of-pod.ts';
import { createResourceClaimController } from './index.ts';

const CLAIMS: GroupVersionResource = { group: 'resource.k8s.io', version: 'v1', resource: 'resourceclaims' };
const TEMPLATES: GroupVersionResource = { ...CLAIMS, resource: 'resourceclaimtemplates' };
const FINALIZER = 'resource.kubernetes.io/delete-protection';

async function start(t: Parameters<typeof createHarness>[0]) {
  const harness = createHarness(t);
  await harness.run(createResourceClaimController(harness.dependencies));
  const claims = harness.client.resource<ResourceClaim>(testTenant, CLAIMS, testNamespace);
  const pods = harness.client.resource<Pod>(testTenant, PODS, testNamespace);
  return {
    harness,
    claims,
    pods,
    all: () => harness.all<ResourceClaim>(CLAIMS),
    template: () =>
      harness.create(TEMPLATES, {
        metadata: { name: 'gpu' },
        spec: {
          metadata: { labels: { a: 'b' }, annotations: { c: 'd' } },
          spec: { devices: { requests: [{ name: 'one' }] } },
        },
      } as any),
    pod: (name: string, resourceClaims: object[], nodeName?: string) =>
      harness.create<Pod>(PODS, {
        metadata: { name },
        spec: { resourceClaims, containers: [], ...(nodeName !== undefined && { nodeName }) },
      } as any),
    statusOf: (name: string) => harness.get<Pod>(PODS, name)?.status?.resourceClaimStatuses,
    reservedFor: (name: string) =>
      (harness.get<ResourceClaim>(CLAIMS, name)?.status?.reservedFor ?? []).map((consumer) => consumer.name),
    setStatus: (name: string, status: object) => claims.patch(name, 'merge', { status }, 'status'),
  };
}
const fromTemplate = { name: 'card', resourceClaimTemplateName: 'gpu' };
const named = { name: 'card', resourceClaimName: 'shared' };
const allocation = { devices: {} };

test('a pod gets a claim of its own out of a template, once there is one; and again when it goes', async (t) => {
  const { pod, template, harness, all, statusOf, claims } = await start(t);
  const { metadata } = await pod('web', [fromTemplate]);
  const message =
    'FailedResourceClaimCreation: PodResourceClaim card: resource claim template "gpu": resourceclaimtemplate.resource.k8s.io "gpu" not found';
  await until(() => harness.events().includes(message));
  await template();
  await until(() => statusOf('web')?.length === 1);
  const [claim] = all();
  assert.match(claim!.metadata.name, /^web-card-/);
  assert.deepEqual(statusOf('web'), [{ name: 'card', resourceClaimName: claim!.metadata.name }]);
  assert.deepEqual(claim!.metadata.labels, { a: 'b' });
  assert.deepEqual(claim!.metadata.annotations, { c: 'd', 'resource.kubernetes.io/pod-claim-name': 'card' });
  assert.deepEqual(claim!.metadata.ownerReferences, [
    { apiVersion: 'v1', kind: 'Pod', name: 'web', uid: metadata.uid, controller: true },
  ]);
  assert.deepEqual(claim!.spec, { devices: { requests: [{ name: 'one' }] } });
  await claims.delete(claim!.metadata.name);
  await until(() => all().length === 1 && statusOf('web')?.[0]?.resourceClaimName === all()[0]!.metadata.name);
  assert.notEqual(all()[0]!.metadata.uid, claim!.metadata.uid);
});

test('a generated claim goes with its pod’s work, before the pod does', async (t) => {
  const { pod, template, all, statusOf, pods } = await start(t);
  await template();
  await pod('web', [fromTemplate]);
  await until(() => statusOf('web')?.length === 1);
  await pods.patch('web', 'merge', { status: { phase: 'Succeeded' } }, 'status');
  await until(() => all().length === 0);
});

test('an allocated claim is reserved for a pod that has a node', async (t) => {
  const { pod, harness, reservedFor, setStatus } = await start(t);
  await harness.create(CLAIMS, { metadata: { name: 'shared' }, spec: {} } as any);
  await pod('bound', [named], 'node-a');
  await pod('unbound', [named]);
  await setStatus('shared', { allocation });
  await until(() => reservedFor('shared').length === 1);
  assert.deepEqual(reservedFor('shared'), ['bound']);
});

test('reservations go with their pods, the allocation with the last of them', async (t) => {
  const { pod, harness, pods, reservedFor, setStatus, claims } = await start(t);
  await harness.create(CLAIMS, { metadata: { name: 'shared', finalizers: [FINALIZER] }, spec: {} } as any);
  const consumers = [];
  for (const name of ['first', 'second']) {
    const { uid } = (await pod(name, [named], 'node-a')).metadata;
    consumers.push({ resource: 'pods', name, uid });
  }
  const other = { apiGroup: 'example.com', resource: 'things', name: 'other', uid: 'x' };
  const never = { resource: 'pods', name: 'never', uid: 'y' };
  await setStatus('shared', { allocation, reservedFor: [...consumers, other, never] });
  await until(() => reservedFor('shared').join() === 'first,second,other');
  await pods.patch('first', 'merge', { status: { phase: 'Failed' } }, 'status');
  await until(() => reservedFor('shared').join() === 'second,other');
  await pods.delete('second', { gracePeriodSeconds: 0 });
  await until(() => reservedFor('shared').join() === 'other');
  assert.deepEqual(harness.get<ResourceClaim>(CLAIMS, 'shared')!.status!.allocation, allocation);
  await setStatus('shared', { reservedFor: [never] });
  await until(() => harness.get<ResourceClaim>(CLAIMS, 'shared')!.metadata.finalizers === undefined);
  assert.deepEqual(harness.get<ResourceClaim>(CLAIMS, 'shared')!.status, {});
  await claims.delete('shared');
});

test('a claim that is deleted unused gives its devices back and goes', async (t) => {
  const { harness, setStatus, claims } = await start(t);
  await harness.create(CLAIMS, { metadata: { name: 'shared', finalizers: [FINALIZER] }, spec: {} } as any);
  await setStatus('shared', { allocation });
  await claims.delete('shared');
  await until(() => harness.get(CLAIMS, 'shared') === undefined);
});

test('names of generated claims keep something of both', () => {
  assert.equal(generateNameFor('web', 'card'), 'web-card-');
  const long = generateNameFor('p'.repeat(60), 'c'.repeat(60));
  assert.match(long, /^p{28}-c{28}$/);
});
