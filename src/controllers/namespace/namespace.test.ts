import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Namespace, Pod } from '../../api/generated/core-v1.ts';
import { CONFIG_MAPS, NAMESPACES, PODS, SECRETS, SERVICE_ACCOUNTS } from '../../api/resources.ts';
import { StatusError } from '../../api/status.ts';
import { until } from '../../base/testing/until.ts';
import type { ResourceInfo } from '../common/resources.ts';
import { createRootCaController } from '../root-ca/index.ts';
import { createServiceAccountController } from '../serviceaccount/index.ts';
import { createHarness, testTenant } from '../testing/harness.ts';
import { createNamespaceController } from './index.ts';

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const resources: ResourceInfo[] = [
  { ...PODS, kind: 'Pod', namespaced: true, verbs },
  { ...CONFIG_MAPS, kind: 'ConfigMap', namespaced: true, verbs },
  { ...SECRETS, kind: 'Secret', namespaced: true, verbs: verbs.filter((verb) => verb !== 'deletecollection') },
  { ...SERVICE_ACCOUNTS, kind: 'ServiceAccount', namespaced: true, verbs },
];
const team = { metadata: { name: 'team' }, spec: { finalizers: ['kubernetes'] } };

test('a deleted namespace is emptied, its pods first, tells what holds it, and goes', async (t) => {
  const harness = createHarness(t);
  const namespaces = harness.client.resource<Namespace>(testTenant, NAMESPACES);
  await namespaces.create(team);
  await harness.create<Pod>(PODS, {
    metadata: { name: 'web', namespace: 'team' },
    spec: { containers: [], nodeName: 'a', terminationGracePeriodSeconds: 1 },
  });
  await harness.create(CONFIG_MAPS, { metadata: { name: 'settings', namespace: 'team' } });
  await harness.create(SECRETS, { metadata: { name: 'held', namespace: 'team', finalizers: ['example.com/hold'] } });
  await harness.create(SECRETS, { metadata: { name: 'elsewhere', namespace: 'other' } });
  await harness.run(createNamespaceController(harness.dependencies, resources));
  await namespaces.delete('team');
  await until(() => harness.get<Pod>(PODS, 'web')?.metadata.deletionTimestamp);
  assert.ok(harness.get(CONFIG_MAPS, 'settings'), 'stays while pods may use it');

  await harness.client.resource(testTenant, PODS, 'team').delete('web', { gracePeriodSeconds: 0 });
  await until(() => harness.get(CONFIG_MAPS, 'settings') === undefined);
  const conditionOf = (type: string) =>
    harness.get<Namespace>(NAMESPACES, 'team')?.status?.conditions?.find((condition) => condition.type === type);
  await until(() => conditionOf('NamespaceFinalizersRemaining')?.status === 'True');
  assert.equal(
    conditionOf('NamespaceContentRemaining')!.message,
    'Some resources are remaining: secrets. has 1 resource instances',
  );
  assert.equal(
    conditionOf('NamespaceFinalizersRemaining')!.message,
    'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
  );
  await harness.client.resource(testTenant, SECRETS, 'team').patch('held', 'merge', { metadata: { finalizers: null } });
  await until(() => harness.all(NAMESPACES).length === 0, 12_000);
  assert.ok(harness.get(SECRETS, 'elsewhere'));
});

test('what goes wrong is tried again, until the namespace is gone', async (t) => {
  const refusals = [
    new StatusError(409, 'Conflict', 'the object has been modified'),
    new StatusError(500, 'InternalError', 'not now'),
  ];
  const harness = createHarness(t, {
    onRequest({ method, path }) {
      if (method === 'GET' && path.endsWith('/namespaces/team') && refusals.length > 0) throw refusals.shift()!;
    },
  });
  const namespaces = harness.client.resource<Namespace>(testTenant, NAMESPACES);
  await namespaces.create(team);
  await harness.run(createNamespaceController(harness.dependencies, resources));
  await namespaces.delete('team');
  await until(() => harness.all(NAMESPACES).length === 0);
  assert.equal(refusals.length, 0);
});

test('each namespace gets its service account and the root CA, again when they are deleted or changed', async (t) => {
  const harness = createHarness(t);
  await harness.run(
    createServiceAccountController(harness.dependencies),
    createRootCaController(harness.dependencies, 'PEM'),
  );
  await harness.client.resource<Namespace>(testTenant, NAMESPACES).create(team);
  const account = () => harness.get(SERVICE_ACCOUNTS, 'default');
  const map = () => harness.get(CONFIG_MAPS, 'kube-root-ca.crt');
  await until(() => account() !== undefined && map()?.['data']['ca.crt'] === 'PEM');
  const uid = account()!.metadata.uid;
  await harness.client.resource(testTenant, SERVICE_ACCOUNTS, 'team').delete('default');
  await harness.client
    .resource(testTenant, CONFIG_MAPS, 'team')
    .patch('kube-root-ca.crt', 'merge', { data: { 'ca.crt': 'x' } });
  await until(() => account() !== undefined && account()!.metadata.uid !== uid && map()?.['data']['ca.crt'] === 'PEM');
});
