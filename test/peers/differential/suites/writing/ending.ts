import type { Twin } from '../../twin.ts';
import { configMap, MERGE, makeNamespace, pod } from '../objects.ts';

/** Pods and namespaces end in steps. */
export async function ending(twin: Twin, namespace: string): Promise<void> {
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  await twin.ask('create a pod', { method: 'POST', path: pods, body: pod('p') });
  await twin.ask('delete an unscheduled pod', { method: 'DELETE', path: `${pods}/p` });
  const bound = { spec: { nodeName: 'nowhere', terminationGracePeriodSeconds: 60 } };
  await twin.ask('create a bound pod', { method: 'POST', path: pods, body: pod('q', bound) });
  await twin.ask('delete a bound pod', { method: 'DELETE', path: `${pods}/q` });
  await twin.ask('delete it again', { method: 'DELETE', path: `${pods}/q` });
  await twin.ask('delete it sooner', { method: 'DELETE', path: `${pods}/q?gracePeriodSeconds=5` });
  await twin.ask('delete it later', { method: 'DELETE', path: `${pods}/q?gracePeriodSeconds=500` });
  await twin.ask('get a terminating pod as a table', {
    path: `${pods}/q`,
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  });
  await twin.ask('update a terminating pod', {
    method: 'PATCH',
    path: `${pods}/q`,
    type: MERGE,
    body: { metadata: { labels: { a: 'b' } } },
  });
  await twin.ask('create over a terminating pod', { method: 'POST', path: pods, body: pod('q') });
  await twin.ask('delete it now', { method: 'DELETE', path: `${pods}/q?gracePeriodSeconds=0` });
  await twin.ask('deleted', { path: `${pods}/q` });
  const other = `ending-${twin.run}`;
  await makeNamespace(twin, other);
  await twin.prepare({ method: 'POST', path: `/api/v1/namespaces/${other}/configmaps`, body: configMap('a') });
  await twin.ask('delete a namespace', { method: 'DELETE', path: `/api/v1/namespaces/${other}` });
  await twin.ask('get a terminating namespace', { path: `/api/v1/namespaces/${other}` });
  await twin.ask('create in a terminating namespace', {
    method: 'POST',
    path: `/api/v1/namespaces/${other}/configmaps`,
    body: configMap('b'),
  });
  await twin.ask('update in a terminating namespace', {
    method: 'PUT',
    path: `/api/v1/namespaces/${other}/configmaps/a`,
    body: configMap('a', { b: '1' }),
  });
  await twin.ask('delete it again', { method: 'DELETE', path: `/api/v1/namespaces/${other}` });
  await twin.ask('finalize something else', {
    method: 'PUT',
    path: `/api/v1/namespaces/${other}/finalize`,
    body: { metadata: { name: 'other' }, spec: {} },
  });
  await twin.ask('finalize without kind', {
    method: 'PUT',
    path: `/api/v1/namespaces/${other}/finalize`,
    body: { metadata: { name: other }, spec: { finalizers: [] } },
  });
  await twin.ask('delete it when finalized', { method: 'DELETE', path: `/api/v1/namespaces/${other}` });
  await twin.ask('get it when finalized', { path: `/api/v1/namespaces/${other}` });
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease'])
    await twin.ask(`delete ${name}`, { method: 'DELETE', path: `/api/v1/namespaces/${name}?dryRun=All` });
}
