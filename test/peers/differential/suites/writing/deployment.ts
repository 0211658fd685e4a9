import type { Twin } from '../../twin.ts';
import { APPLY, JSON_PATCH, MERGE, STRATEGIC } from '../objects.ts';

/** Lists with keys, and the subresources of a deployment. */
export async function deployment(twin: Twin, namespace: string): Promise<void> {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/d`;
  const deployment = (content: object, metadata: object = {}) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', ...metadata },
    ...content,
  });
  const template = (containers: object[]) => ({ metadata: { labels: { app: 'd' } }, spec: { containers } });
  const selector = { matchLabels: { app: 'd' } };
  const of = (containers: object[], more: object = {}) =>
    deployment({ spec: { ...more, selector, template: template(containers) } });
  const patch = (label: string, type: string, body: object, at = '') =>
    twin.ask(label, { method: 'PATCH', path: path + at, type, body });
  const apply = (label: string, at: string, body: object) => patch(`apply deployment ${label}`, APPLY, body, at);

  const port = { containerPort: 80 };
  const first = { name: 'a', image: 'a', ports: [port], env: [{ name: 'X', value: '1' }] };
  await apply('creates', '?fieldManager=one', of([first], { replicas: 1 }));
  await apply('adds a container', '?fieldManager=two', of([{ name: 'b', image: 'b' }]));
  await apply('conflicts', '?fieldManager=three', of([{ name: 'a', image: 'c' }], { replicas: 2 }));
  const twice = ['c', 'd'].map((image) => ({ name: 'a', image }));
  await apply('duplicate container', '?fieldManager=three', of(twice));
  await apply('duplicate port', '?fieldManager=one', of([{ name: 'a', image: 'a', ports: [port, port] }]));
  await apply('container without name', '?fieldManager=three', of([{ image: 'c' }]));
  await apply('removes', '?fieldManager=one', of([{ name: 'a', image: 'a' }], { replicas: 1 }));
  const status = (replicas: number, isAvailable: string) => {
    const condition = { type: 'Available', status: isAvailable, reason: 'r', message: 'm' };
    return deployment({ status: { replicas, conditions: [condition] } });
  };
  await apply('status', '/status?fieldManager=status', status(1, 'True'));
  await apply('status conflicts', '/status?fieldManager=status2', status(2, 'False'));
  const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'd' }, spec: { replicas: 3 } };
  await apply('scale', '/scale?fieldManager=scaler', scale);
  await apply('scale forced', '/scale?fieldManager=scaler&force=true', scale);
  await twin.ask('deployment after it all', { path: path });
  await twin.ask('get scale', { path: `${path}/scale` });
  for (const body of [
    { spec: { replicas: 5 } },
    { spec: { replicas: -1 } },
    { kind: 'Scale', apiVersion: 'autoscaling/v1', metadata: { name: 'e' }, spec: { replicas: 1 } },
    { kind: 'Deployment', apiVersion: 'apps/v1' },
    { kind: 'Scale', apiVersion: 'autoscaling/v1', metadata: { name: 'd', namespace }, spec: { replicas: 4 } },
    { kind: 'Scale', apiVersion: 'extensions/v1beta1', metadata: { name: 'd', namespace }, spec: { replicas: 4 } },
    {
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      metadata: { name: 'd', resourceVersion: '1' },
      spec: { replicas: 4 },
    },
    { metadata: { name: 'd', uid: 'x' }, spec: { replicas: 4 } },
  ]) {
    await twin.ask(`put scale ${JSON.stringify(body)}`, {
      method: 'PUT',
      path: `${path}/scale?fieldManager=put`,
      body,
    });
    await patch(`merge scale ${JSON.stringify(body)}`, MERGE, body, '/scale?fieldManager=merge');
  }
  await patch(`scale by ${STRATEGIC}`, STRATEGIC, { spec: { replicas: 7 } }, '/scale');
  await patch(`scale by ${JSON_PATCH}`, JSON_PATCH, [{ op: 'replace', path: '/spec/replicas', value: 6 }], '/scale');
  await twin.ask('scale as a table', {
    path: `${path}/scale`,
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  });
  await twin.ask('delete scale', { method: 'DELETE', path: `${path}/scale` });
  await twin.ask('put status', {
    method: 'PUT',
    path: `${path}/status?fieldManager=statusputter`,
    body: deployment(
      {
        spec: { selector, template: template([{ name: 'z', image: 'z' }]) },
        status: { observedGeneration: 3, replicas: 2, readyReplicas: 1 },
      },
      { labels: { ignored: 'yes' } },
    ),
  });
  const fewer = { status: { readyReplicas: 0 }, spec: { replicas: 100 } };
  await patch('merge status', MERGE, fewer, '/status?fieldManager=statusmerger');
  const progressing = { status: { conditions: [{ type: 'Progressing', status: 'True' }] } };
  await patch('strategic status', STRATEGIC, progressing, '/status');
  await twin.ask('post status', { method: 'POST', path: `${path}/status`, body: {} });
  await twin.ask('delete status', { method: 'DELETE', path: `${path}/status`, body: {} });
  await twin.ask('rollback is gone', { method: 'POST', path: `${path}/rollback`, body: {} });
  const pods = (spec: object) => ({ spec: { template: { spec } } });
  const changed = [
    { name: 'a', image: 'new' },
    { name: 'b', $patch: 'delete' },
  ];
  await patch('strategic container', STRATEGIC, pods({ containers: changed, $setElementOrderz: 1 }));
  await patch('strategic container without key', STRATEGIC, pods({ containers: [{ image: 'new' }] }));
  const order = { '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }] };
  await patch('strategic order', STRATEGIC, pods({ ...order, containers: [{ name: 'c', image: 'c' }] }));
  await twin.ask('delete the deployment', { method: 'DELETE', path: path });
}
