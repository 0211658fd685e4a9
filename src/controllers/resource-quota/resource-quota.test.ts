import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { builtinResources } from '../../api/resources/index.ts';
import { CONFIG_MAPS, PODS, RESOURCE_QUOTAS, SERVICES } from '../../api/resources.ts';
import { until } from '../../base/testing/until.ts';
import { createHarness } from '../testing/harness.ts';
import { createResourceQuotaController } from './index.ts';

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    names: { plural: 'widgets', kind: 'Widget' },
    scope: 'Namespaced',
    versions: [{ name: 'v1', served: true, storage: true }],
  },
  status: { conditions: [{ type: 'Established', status: 'True' }] },
};
const DEFINITIONS = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
const WIDGETS = { group: 'example.com', version: 'v1', resource: 'widgets' };

describe('the resource quota controller', { timeout: 30_000 }, () => {
  const resources = builtinResources.filter(({ resource }) =>
    ['pods', 'services', 'configmaps', 'resourcequotas'].includes(resource),
  );
  const pod = (name: string) => ({
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'x', resources: { requests: { cpu: '250m' } } }] },
  });

  it('sums up what is there, and again what is left', async (t) => {
    const harness = createHarness(t);
    const { create, get, client } = harness;
    await create(PODS, pod('one'));
    await create(PODS, pod('two'));
    await create(CONFIG_MAPS, { metadata: { name: 'map' } });
    await harness.run(createResourceQuotaController(harness.dependencies, resources));
    const hard = {
      pods: '5',
      cpu: '2',
      configmaps: '10',
      'services.nodeports': '4',
      'count/configmaps': '9',
      'a.b/c': '1',
    };
    await create(RESOURCE_QUOTAS, { metadata: { name: 'q' }, spec: { hard } });
    const status = () => get(RESOURCE_QUOTAS, 'q')?.['status'];
    await until(() => status()?.used !== undefined);
    assert.deepEqual(status(), {
      hard,
      used: { pods: '2', cpu: '500m', configmaps: '1', 'services.nodeports': '0', 'count/configmaps': '1' },
    });

    const pods = client.resource('acme', PODS, 'default');
    await pods.delete('one');
    await until(() => status().used.pods === '1');
    assert.equal(status().used.cpu, '250m');
    await pods.patch('two', 'merge', { status: { phase: 'Succeeded' } }, 'status');
    await until(() => status().used.pods === '0');

    await create(SERVICES, { metadata: { name: 's' }, spec: { type: 'NodePort', ports: [{ port: 1 }, { port: 2 }] } });
    await client.resource('acme', SERVICES, 'default').patch('s', 'merge', { spec: { ports: [{ port: 1 }] } });
    await until(() => status().used['services.nodeports'] === '1');
  });

  it('follows its limits and its scopes', async (t) => {
    const harness = createHarness(t);
    const { create, get, client } = harness;
    await create(PODS, { ...pod('one'), spec: { ...pod('one').spec, priorityClassName: 'high' } });
    await create(PODS, pod('two'));
    await harness.run(createResourceQuotaController(harness.dependencies, resources));
    const expression = { scopeName: 'PriorityClass', operator: 'In', values: ['high'] };
    await create(RESOURCE_QUOTAS, {
      metadata: { name: 'q' },
      spec: { hard: { pods: '5' }, scopeSelector: { matchExpressions: [expression] } },
    });
    const status = () => get(RESOURCE_QUOTAS, 'q')?.['status'];
    await until(() => status()?.used?.pods === '1');
    await client
      .resource('acme', RESOURCE_QUOTAS, 'default')
      .patch('q', 'merge', { spec: { hard: { pods: '7', cpu: '1' } } });
    await until(() => status().hard.pods === '7');
    assert.deepEqual(status(), { hard: { pods: '7', cpu: '1' }, used: { pods: '1', cpu: '250m' } });
  });

  it('counts custom resources', async (t) => {
    const harness = createHarness(t);
    const { create, get, client } = harness;
    await harness.run(createResourceQuotaController(harness.dependencies, resources));
    await client.resource<any>('acme', DEFINITIONS).create(definition);
    await create(WIDGETS, { metadata: { name: 'w' } });
    await create(RESOURCE_QUOTAS, { metadata: { name: 'q' }, spec: { hard: { 'count/widgets.example.com': '3' } } });
    const used = () => get(RESOURCE_QUOTAS, 'q')?.['status']?.used?.['count/widgets.example.com'];
    await until(() => used() !== undefined);
    await client.resource('acme', WIDGETS, 'default').delete('w');
    await until(() => used() === '0');
  });
});
