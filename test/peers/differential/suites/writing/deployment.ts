import type { Twin } from '../../twin.ts';
import { APPLY, JSON_PATCH, MERGE, STRATEGIC } from '../objects.ts';

/** Lists with keys, and the subresources of a deployment. */
export async function deployment(twin: Twin, namespace: string): Promise<void> {
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const deployment = (spec: object, metadata: object = {}) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', ...metadata },
    spec,
  });
  const template = (containers: object[]) => ({ metadata: { labels: { app: 'd' } }, spec: { containers } });
  const selector = { matchLabels: { app: 'd' } };
  const on = (label: string, body: object, query: string, sub = '') =>
    twin.ask(`apply deployment ${label}`, {
      method: 'PATCH',
      path: `${deployments}/d${sub}${query}`,
      type: APPLY,
      body,
    });
  await on(
    'creates',
    deployment({
      replicas: 1,
      selector,
      template: template([{ name: 'a', image: 'a', ports: [{ containerPort: 80 }], env: [{ name: 'X', value: '1' }] }]),
    }),
    '?fieldManager=one',
  );
  await on(
    'adds a container',
    deployment({ selector, template: template([{ name: 'b', image: 'b' }]) }),
    '?fieldManager=two',
  );
  await on(
    'conflicts',
    deployment({ replicas: 2, selector, template: template([{ name: 'a', image: 'c' }]) }),
    '?fieldManager=three',
  );
  await on(
    'duplicate container',
    deployment({
      selector,
      template: template([
        { name: 'a', image: 'c' },
        { name: 'a', image: 'd' },
      ]),
    }),
    '?fieldManager=three',
  );
  await on(
    'duplicate port',
    deployment({
      selector,
      template: template([{ name: 'a', image: 'a', ports: [{ containerPort: 80 }, { containerPort: 80 }] }]),
    }),
    '?fieldManager=one',
  );
  await on(
    'container without name',
    deployment({ selector, template: template([{ image: 'c' }]) }),
    '?fieldManager=three',
  );
  await on(
    'removes',
    deployment({ replicas: 1, selector, template: template([{ name: 'a', image: 'a' }]) }),
    '?fieldManager=one',
  );
  await on(
    'status',
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      status: { replicas: 1, conditions: [{ type: 'Available', status: 'True', reason: 'r', message: 'm' }] },
    },
    '?fieldManager=status',
    '/status',
  );
  await on(
    'status conflicts',
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      status: { replicas: 2, conditions: [{ type: 'Available', status: 'False', reason: 'r', message: 'm' }] },
    },
    '?fieldManager=status2',
    '/status',
  );
  await on(
    'scale',
    { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'd' }, spec: { replicas: 3 } },
    '?fieldManager=scaler',
    '/scale',
  );
  await on(
    'scale forced',
    { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'd' }, spec: { replicas: 3 } },
    '?fieldManager=scaler&force=true',
    '/scale',
  );
  await twin.ask('deployment after it all', { path: `${deployments}/d` });
  await twin.ask('get scale', { path: `${deployments}/d/scale` });
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
      path: `${deployments}/d/scale?fieldManager=put`,
      body,
    });
    await twin.ask(`merge scale ${JSON.stringify(body)}`, {
      method: 'PATCH',
      path: `${deployments}/d/scale?fieldManager=merge`,
      type: MERGE,
      body,
    });
  }
  for (const type of [STRATEGIC, JSON_PATCH])
    await twin.ask(`scale by ${type}`, {
      method: 'PATCH',
      path: `${deployments}/d/scale`,
      type,
      body: type === JSON_PATCH ? [{ op: 'replace', path: '/spec/replicas', value: 6 }] : { spec: { replicas: 7 } },
    });
  await twin.ask('scale as a table', {
    path: `${deployments}/d/scale`,
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  });
  await twin.ask('delete scale', { method: 'DELETE', path: `${deployments}/d/scale` });
  await twin.ask('put status', {
    method: 'PUT',
    path: `${deployments}/d/status?fieldManager=statusputter`,
    body: {
      ...deployment({ selector, template: template([{ name: 'z', image: 'z' }]) }, { labels: { ignored: 'yes' } }),
      status: { observedGeneration: 3, replicas: 2, readyReplicas: 1 },
    },
  });
  await twin.ask('merge status', {
    method: 'PATCH',
    path: `${deployments}/d/status?fieldManager=statusmerger`,
    type: MERGE,
    body: { status: { readyReplicas: 0 }, spec: { replicas: 100 } },
  });
  await twin.ask('strategic status', {
    method: 'PATCH',
    path: `${deployments}/d/status`,
    type: STRATEGIC,
    body: { status: { conditions: [{ type: 'Progressing', status: 'True' }] } },
  });
  await twin.ask('post status', { method: 'POST', path: `${deployments}/d/status`, body: {} });
  await twin.ask('delete status', { method: 'DELETE', path: `${deployments}/d/status`, body: {} });
  await twin.ask('rollback is gone', { method: 'POST', path: `${deployments}/d/rollback`, body: {} });
  await twin.ask('strategic container', {
    method: 'PATCH',
    path: `${deployments}/d`,
    type: STRATEGIC,
    body: {
      spec: {
        template: {
          spec: {
            containers: [
              { name: 'a', image: 'new' },
              { name: 'b', $patch: 'delete' },
            ],
            $setElementOrderz: 1,
          },
        },
      },
    },
  });
  await twin.ask('strategic container without key', {
    method: 'PATCH',
    path: `${deployments}/d`,
    type: STRATEGIC,
    body: { spec: { template: { spec: { containers: [{ image: 'new' }] } } } },
  });
  await twin.ask('strategic order', {
    method: 'PATCH',
    path: `${deployments}/d`,
    type: STRATEGIC,
    body: {
      spec: {
        template: {
          spec: {
            '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }],
            containers: [{ name: 'c', image: 'c' }],
          },
        },
      },
    },
  });
  await twin.ask('delete the deployment', { method: 'DELETE', path: `${deployments}/d` });
}
