import type { Twin } from '../../twin.ts';
import { configMap } from '../objects.ts';
import { poster } from './post.ts';

/** Names, namespaces and the members of metadata. */
export async function metadata(twin: Twin, maps: string, namespace: string): Promise<void> {
  const post = poster(twin, maps);
  await post('namespace differs', configMap('x', {}, { namespace: 'other' }));
  await post('namespace same', configMap('same', {}, { namespace }), '?dryRun=All');
  await post('generateName', { metadata: { generateName: 'generated-' } });
  await post('generateName and name', { metadata: { generateName: 'generated-', name: 'named' } });
  await post('generateName long', { metadata: { generateName: `generated-${'x'.repeat(80)}` } }, '?dryRun=All');
  await post('generateName bad', { metadata: { generateName: 'Bad_' } }, '?dryRun=All');
  await post('no name', { metadata: {} });
  await post('bad name', configMap('A_B'));
  await post('name with slash', configMap('a/b'));
  await post('name dots', configMap('..'));
  await post('name percent', configMap('a%b'));
  await post('too large', configMap('large', { a: 'x'.repeat(1_100_000) }));
  await twin.ask('create too large for the server', {
    method: 'POST',
    path: maps,
    body: Buffer.alloc(3_200_000, 0x20),
  });
  await twin.ask('create in no namespace', {
    method: 'POST',
    path: '/api/v1/configmaps',
    body: configMap('x', {}, { namespace }),
  });
  await twin.ask('create in a missing namespace', {
    method: 'POST',
    path: '/api/v1/namespaces/missing/configmaps',
    body: configMap('x'),
  });
  await twin.ask('create in a missing namespace dry', {
    method: 'POST',
    path: '/api/v1/namespaces/missing/configmaps?dryRun=All',
    body: configMap('x'),
  });
  await twin.ask('create on a name', { method: 'POST', path: `${maps}/x`, body: configMap('x') });
  await twin.ask('create namespace with namespace', {
    method: 'POST',
    path: '/api/v1/namespaces?dryRun=All',
    body: { metadata: { name: `n-${twin.run}`, namespace: 'x' } },
  });
  await twin.ask('create role with namespace', {
    method: 'POST',
    path: '/apis/rbac.authorization.k8s.io/v1/clusterroles?dryRun=All',
    body: { metadata: { name: `n-${twin.run}`, namespace: 'x' } },
  });
  for (const [label, metadata] of Object.entries({
    'labels bad': { labels: { 'a b': 'c', a: 'b c' } },
    'annotations large': { annotations: { a: 'x'.repeat(300_000) } },
    'annotation bad': { annotations: { 'a b': '' } },
    'finalizer bad': { finalizers: ['x'] },
    finalizer: { finalizers: ['example.com/x'] },
    'finalizers standard': { finalizers: ['orphan', 'foregroundDeletion'] },
    'owner without uid': { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x' }] },
    owner: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: '1' }] },
    'two controllers': {
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Pod', name: 'x', uid: '1', controller: true },
        { apiVersion: 'v1', kind: 'Pod', name: 'y', uid: '2', controller: true },
      ],
    },
    'owner event': { ownerReferences: [{ apiVersion: 'v1', kind: 'Event', name: 'x', uid: '1' }] },
    'owner duplicate': {
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Pod', name: 'x', uid: '1' },
        { apiVersion: 'v1', kind: 'Pod', name: 'x', uid: '1' },
      ],
    },
    'owner bad version': { ownerReferences: [{ apiVersion: 'a/b/c', kind: 'Pod', name: 'x', uid: '1' }] },
    'managed bad': { managedFields: [{ manager: 'x' }] },
    'managed bad version': {
      managedFields: [{ manager: 'x', operation: 'Update', apiVersion: 'x/y/z', fieldsType: 'FieldsV1', fieldsV1: {} }],
    },
    'managed bad operation': {
      managedFields: [{ manager: 'x', operation: 'Other', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} }],
    },
    'managed bad type': {
      managedFields: [{ manager: 'x', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV2', fieldsV1: {} }],
    },
    managed: {
      managedFields: [
        {
          manager: 'x',
          operation: 'Update',
          apiVersion: 'v1',
          time: '2020-01-01T00:00:00Z',
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:data': { 'f:a': {} } },
        },
      ],
    },
    'managed broken': {
      managedFields: [
        { manager: 'x', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { x: {} } },
      ],
    },
    'managed empty': { managedFields: [] },
  })) {
    await post(`metadata ${label}`, configMap('metadata', { a: '1' }, metadata), '?dryRun=All');
  }
}
