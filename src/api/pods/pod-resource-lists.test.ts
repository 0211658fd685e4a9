import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podResourceList, podStatusResources } from './pod-resource-lists.ts';

const container = (requests: object = {}, limits: object = {}, more: object = {}) =>
  ({ name: 'c', image: 'i', resources: { requests, limits }, ...more }) as any;

test('containers add up, an init container counts where it is larger, sidecars run beside all', () => {
  const spec = {
    containers: [container({ cpu: '100m', memory: '64Mi' }), container({ cpu: '1', 'example.com/x': '2' })],
    initContainers: [
      container({ cpu: '200m' }, {}, { restartPolicy: 'Always' }),
      container({ cpu: '2', memory: '16Mi' }),
    ],
    overhead: { cpu: '50m' },
  };
  assert.deepEqual(podResourceList({ spec: spec as any }, 'requests'), {
    cpu: '2250m',
    memory: '64Mi',
    'example.com/x': '2',
  });
  assert.deepEqual(podResourceList({ spec: spec as any }, 'limits'), {});
});

test('a running pod has a limit where all of its containers have one, or it itself', () => {
  const spec = {
    containers: [container({ cpu: '1' }, { cpu: '1', memory: '1Gi' }), container({}, { cpu: '500m' })],
  };
  assert.deepEqual(podStatusResources(spec as any, false), {
    requests: { cpu: '1' },
    limits: { cpu: '1500m', memory: '1Gi' },
  });
  assert.deepEqual(podStatusResources(spec as any, true), { requests: { cpu: '1' }, limits: { cpu: '1500m' } });
  const podLevel = { ...spec, resources: { limits: { memory: '4Gi' } } };
  assert.deepEqual(podStatusResources(podLevel as any, true).limits, { cpu: '1500m', memory: '4Gi' });
  assert.deepEqual(podStatusResources({ containers: [container()] } as any, true), {});
});
