import type { Twin } from '../../twin.ts';
import { configMap, MERGE } from '../objects.ts';

/** Deletion of objects and collections. */
export async function deleting(twin: Twin, maps: string, namespace: string): Promise<void> {
  const make = (name: string, metadata: object = {}) =>
    twin.prepare({ method: 'POST', path: maps, body: configMap(name, { a: '1' }, metadata) });
  const remove = (label: string, name: string, body?: object, query = '') =>
    twin.ask(`delete ${label}`, {
      method: 'DELETE',
      path: `${maps}/${name}${query}`,
      ...(body !== undefined && { body }),
    });
  for (const name of ['x1', 'x2', 'x3', 'x4', 'x5', 'x6']) await make(name);
  await remove('dry', 'x1', undefined, '?dryRun=All');
  await remove('plainly', 'x1');
  await remove('again', 'x1');
  const bodies: [string, object][] = [
    ['uid wrong', { preconditions: { uid: '00000000-0000-0000-0000-000000000000' } }],
    ['revision wrong', { preconditions: { resourceVersion: '1' } }],
    ['both policies', { orphanDependents: true, propagationPolicy: 'Orphan' }],
    ['unknown policy', { propagationPolicy: 'Other' }],
    ['negative grace', { gracePeriodSeconds: -1 }],
    ['kind', { kind: 'DeleteOptions', apiVersion: 'v1', dryRun: ['All'] }],
    ['kind meta', { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1', dryRun: ['All'] }],
    ['kind of group', { kind: 'DeleteOptions', apiVersion: 'apps/v1', dryRun: ['All'] }],
    ['wrong kind', { kind: 'Pod', apiVersion: 'v1' }],
    ['wrong version', { kind: 'DeleteOptions', apiVersion: 'v9' }],
    ['unknown field', { other: 1, dryRun: ['All'] }],
    ['dry other', { dryRun: ['Other'] }],
    ['dry twice', { dryRun: ['All', 'All'] }],
    ['grace text', { gracePeriodSeconds: 'x' }],
    ['ignore error', { ignoreStoreReadErrorWithClusterBreakingPotential: true }],
    [
      'ignore error with others',
      { ignoreStoreReadErrorWithClusterBreakingPotential: true, gracePeriodSeconds: 5, propagationPolicy: 'Orphan' },
    ],
  ];
  for (const [label, body] of bodies) {
    await remove(`with ${label}`, 'x2', body);
    await twin.ask(`delete collection with ${label}`, { method: 'DELETE', path: `${maps}?labelSelector=none`, body });
  }
  for (const query of [
    'gracePeriodSeconds=-5',
    'gracePeriodSeconds=x',
    'propagationPolicy=Other',
    'propagationPolicy=Orphan&orphanDependents=true',
    'orphanDependents=x',
    'orphanDependents=true&dryRun=All',
    'dryRun=Other',
    'ignoreStoreReadErrorWithClusterBreakingPotential=true',
    'ignoreStoreReadErrorWithClusterBreakingPotential=x',
  ])
    await remove(`by query ${query}`, 'x3', undefined, `?${query}`);
  await remove('by query and body', 'x3', { dryRun: ['All'] }, '?gracePeriodSeconds=5');
  await remove('foreground', 'x4', { propagationPolicy: 'Foreground' });
  await twin.ask('get while foreground', { path: `${maps}/x4` });
  await remove('foreground again', 'x4');
  await twin.ask('finish foreground', {
    method: 'PATCH',
    path: `${maps}/x4`,
    type: MERGE,
    body: { metadata: { finalizers: null } },
  });
  await twin.ask('gone after foreground', { path: `${maps}/x4` });
  await remove('orphan', 'x5', { propagationPolicy: 'Orphan' });
  await twin.ask('get while orphan', { path: `${maps}/x5` });
  await make('f', { finalizers: ['example.com/hold'] });
  await remove('held', 'f');
  await remove('held again', 'f');
  await twin.ask('add a finalizer while held', {
    method: 'PATCH',
    path: `${maps}/f`,
    type: MERGE,
    body: { metadata: { finalizers: ['example.com/hold', 'example.com/more'] } },
  });
  await twin.ask('change while held', { method: 'PATCH', path: `${maps}/f`, type: MERGE, body: { data: { b: '1' } } });
  await twin.ask('undelete', {
    method: 'PATCH',
    path: `${maps}/f`,
    type: MERGE,
    body: { metadata: { deletionTimestamp: null } },
  });
  await twin.ask('create while held', { method: 'POST', path: maps, body: configMap('f') });
  await twin.ask('let go by update', { method: 'PUT', path: `${maps}/f`, body: configMap('f') });
  await twin.ask('gone', { path: `${maps}/f` });
  await twin.ask(
    'delete collection dry',
    { method: 'DELETE', path: `${maps}?dryRun=All` },
    {
      reduce: ({ json }) => ({
        kind: json.kind,
        apiVersion: json.apiVersion,
        names: json.items?.map((one: any) => one.metadata.name),
      }),
      replace: [[/generated-[a-z0-9]{5}\b/g, 'generated-<random>']],
    },
  );
  await twin.ask('delete collection by label', { method: 'DELETE', path: `${maps}?labelSelector=x%3Dy` });
  await twin.ask('delete collection limited', { method: 'DELETE', path: `${maps}?limit=1&labelSelector=none` });
  await twin.ask('delete collection of everything', { method: 'DELETE', path: '/api/v1/configmaps?dryRun=All' });
  await twin.ask('delete collection of namespaces', { method: 'DELETE', path: '/api/v1/namespaces' });
  await twin.ask('delete collection of services', {
    method: 'DELETE',
    path: `/api/v1/namespaces/${namespace}/services?dryRun=All`,
  });
}
