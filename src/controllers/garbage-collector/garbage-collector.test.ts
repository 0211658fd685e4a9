import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../api/object.ts';
import { CONFIG_MAPS, NODES, PODS, REPLICA_SETS, SECRETS } from '../../api/resources.ts';
import { settled, until } from '../../base/testing/until.ts';
import type { ResourceInfo } from '../common/resources.ts';
import { createHarness, type Harness, testNamespace, testTenant } from '../testing/harness.ts';
import { createGarbageCollector } from './index.ts';

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const resources: ResourceInfo[] = [
  { ...PODS, kind: 'Pod', namespaced: true, verbs },
  { ...CONFIG_MAPS, kind: 'ConfigMap', namespaced: true, verbs },
  { ...SECRETS, kind: 'Secret', namespaced: true, verbs },
  { ...REPLICA_SETS, kind: 'ReplicaSet', namespaced: true, verbs },
  { ...NODES, kind: 'Node', namespaced: false, verbs },
];

async function start(t: any): Promise<Harness> {
  const harness = createHarness(t);
  await harness.run(createGarbageCollector(harness.dependencies, resources));
  return harness;
}
const draft = (name: string, ...owners: [KubeObject, boolean?][]): any => ({
  metadata: {
    name,
    ownerReferences: owners.map(([{ metadata }, blockOwnerDeletion = false]) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: metadata.name,
      uid: metadata.uid,
      blockOwnerDeletion,
    })),
  },
});
const maps = (harness: Harness) => harness.client.resource(testTenant, CONFIG_MAPS, testNamespace);
const names = (harness: Harness) =>
  [...harness.all(CONFIG_MAPS), ...harness.all(SECRETS)].map((object) => object.metadata.name).sort();

test('background: dependents go after their owner, down the whole tree', async (t) => {
  const harness = await start(t);
  const owner = await harness.create(CONFIG_MAPS, draft('owner'));
  const child = await harness.create(CONFIG_MAPS, draft('child', [owner]));
  await harness.create(SECRETS, draft('grandchild', [child]));
  await harness.create(SECRETS, draft('stranger'));
  await maps(harness).delete('owner', { propagationPolicy: 'Background' });
  await until(() => names(harness).join() === 'stranger');
});

test('a dependent with a second owner stays and forgets the first', async (t) => {
  const harness = await start(t);
  const first = await harness.create(CONFIG_MAPS, draft('first'));
  const second = await harness.create(CONFIG_MAPS, draft('second'));
  await harness.create(SECRETS, draft('child', [first], [second]));
  await maps(harness).delete('first');
  await until(() => harness.get(SECRETS, 'child')!.metadata.ownerReferences!.length === 1);
  assert.equal(harness.get(SECRETS, 'child')!.metadata.ownerReferences![0]!.name, 'second');
});

test('foreground: the owner goes last, and waits only for dependents that block', async (t) => {
  const harness = await start(t);
  const owner = await harness.create(CONFIG_MAPS, draft('owner'));
  const blocker = draft('blocker', [owner, true]);
  blocker.metadata.finalizers = ['example.com/hold'];
  await harness.create(SECRETS, blocker);
  await harness.create(SECRETS, draft('plain', [owner]));
  await maps(harness).delete('owner', { propagationPolicy: 'Foreground' });
  await until(() => names(harness).join() === 'blocker,owner');
  await settled();
  assert.equal(names(harness).join(), 'blocker,owner');
  await harness.client.resource(testTenant, SECRETS, testNamespace).patch('blocker', 'merge', {
    metadata: { finalizers: null },
  });
  await until(() => names(harness).length === 0);
});

test('orphan: the owner goes alone', async (t) => {
  const harness = await start(t);
  const owner = await harness.create(CONFIG_MAPS, draft('owner'));
  await harness.create(SECRETS, draft('child', [owner]));
  await maps(harness).delete('owner', { propagationPolicy: 'Orphan' });
  await until(() => names(harness).join() === 'child');
  assert.equal(harness.get(SECRETS, 'child')!.metadata.ownerReferences, undefined);
});

test('an owner that never was, or was replaced under its name, is dangling', async (t) => {
  const harness = createHarness(t);
  const owner = await harness.create(CONFIG_MAPS, draft('owner'));
  await maps(harness).delete('owner');
  await harness.create(CONFIG_MAPS, draft('owner'));
  await harness.create(SECRETS, draft('child', [owner]));
  await harness.run(createGarbageCollector(harness.dependencies, resources));
  await until(() => names(harness).join() === 'owner');
});

test('an owner of a kind that is not served keeps its dependents', async (t) => {
  const harness = await start(t);
  const child = draft('child');
  child.metadata.ownerReferences = [{ apiVersion: 'example.com/v1', kind: 'Thing', name: 'x', uid: 'y' }];
  await harness.create(SECRETS, child);
  await harness.create(SECRETS, draft('marker', [await harness.create(CONFIG_MAPS, draft('gone'))]));
  await maps(harness).delete('gone');
  await until(() => names(harness).join() === 'child');
});

test('tenants do not share owners', async (t) => {
  const harness = await start(t);
  const owner = await harness.create(CONFIG_MAPS, draft('owner'));
  await harness.client.resource('other', SECRETS, testNamespace).create(draft('child', [owner]));
  await until(() => names(harness).join() === 'owner');
});

test('another tenant’s object blocks nobody, and is left alone', async (t) => {
  const harness = await start(t);
  const owner = await harness.create(CONFIG_MAPS, draft('owner'));
  const held = draft('child', [owner, true]);
  held.metadata.finalizers = ['example.com/hold'];
  await harness.client.resource('other', SECRETS, testNamespace).create(held);
  await maps(harness).delete('owner', { propagationPolicy: 'Foreground' });
  await until(() => harness.get(CONFIG_MAPS, 'owner') === undefined);
});

test('an owner in another namespace is none; whoever names it is told, and whoever names it well is kept', async (t) => {
  const harness = createHarness(t);
  const owner = await harness.create(CONFIG_MAPS, draft('owner'));
  const elsewhere = harness.client.resource(testTenant, SECRETS, 'elsewhere');
  const { uid } = (await elsewhere.create(draft('bad', [owner]))).metadata;
  await harness.create(SECRETS, draft('good', [owner]));
  const node = draft('node', [owner]);
  await harness.client.resource(testTenant, NODES).create(node);
  await harness.run(createGarbageCollector(harness.dependencies, resources));
  await until(() => names(harness).join() === 'good,owner');
  const told = (namespace: string) =>
    `OwnerRefInvalidNamespace: ownerRef [v1/ConfigMap, namespace: ${namespace}, name: owner, uid: ${owner.metadata.uid}] does not exist in namespace "${namespace}"`;
  await until(() => harness.events().length === 2);
  assert.deepEqual(harness.events().toSorted(), [told(''), told('elsewhere')]);
  const event = harness.transport.all('events').find(({ metadata }) => metadata.namespace === 'elsewhere')!;
  const { kind, apiVersion, name, uid: involved } = event['involvedObject'];
  assert.deepEqual([kind, apiVersion, name, involved], ['Secret', 'v1', 'bad', uid]);
  assert.notEqual(harness.get(NODES, 'node'), undefined, 'an object of the cluster is kept');
});

test('an owner that is absent where one says it is may stand where another says', async (t) => {
  const harness = createHarness(t);
  const owner = await harness.create(CONFIG_MAPS, draft('owner'));
  const misnamed = draft('misnamed', [owner]);
  misnamed.metadata.ownerReferences[0].name = 'other';
  const mistyped = draft('mistyped', [owner]);
  mistyped.metadata.ownerReferences[0].kind = 'Secret';
  for (const object of [misnamed, mistyped, draft('good', [owner])]) await harness.create(SECRETS, object);
  await harness.run(createGarbageCollector(harness.dependencies, resources));
  await until(() => names(harness).join() === 'good,owner');
});

test('two that own each other go together', async (t) => {
  const harness = await start(t);
  const first = await harness.create(CONFIG_MAPS, draft('first'));
  const second = await harness.create(CONFIG_MAPS, draft('second', [first, true]));
  const { ownerReferences } = draft('first', [second, true]).metadata;
  await maps(harness).patch('first', 'merge', { metadata: { ownerReferences } });
  await maps(harness).delete('first', { propagationPolicy: 'Foreground' });
  await until(() => names(harness).length === 0);
});

test('a solid owner frees a dependent from one that waits', async (t) => {
  const harness = await start(t);
  const waiting = await harness.create(CONFIG_MAPS, draft('waiting'));
  const solid = await harness.create(CONFIG_MAPS, draft('solid'));
  await harness.create(SECRETS, draft('child', [waiting, true], [solid, true]));
  await maps(harness).delete('waiting', { propagationPolicy: 'Foreground' });
  await until(() => names(harness).join() === 'child,solid');
  assert.deepEqual(
    harness.get(SECRETS, 'child')!.metadata.ownerReferences!.map(({ name }) => name),
    ['solid'],
  );
});
