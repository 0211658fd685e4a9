import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../generated/core-v1.ts';
import { Findings } from '../findings.ts';
import { validatePodResize } from './resize.ts';

const resources = (cpu: string, memory?: string, more: object = {}) => ({
  requests: { cpu, ...(memory !== undefined && { memory }), ...more },
});

function pod(container: object, more: object = {}): Pod {
  return {
    metadata: { name: 'p', namespace: 'default', uid: 'u', resourceVersion: '1', creationTimestamp: '' },
    spec: {
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      terminationGracePeriodSeconds: 30,
      containers: [
        {
          name: 'c',
          image: 'i',
          imagePullPolicy: 'IfNotPresent',
          terminationMessagePolicy: 'File',
          terminationMessagePath: '/dev/termination-log',
          ...container,
        },
      ],
      ...more,
    },
  } as Pod;
}

function findings(next: Pod, old: Pod): string[] {
  const found = new Findings();
  validatePodResize(next, old, found);
  return found.list.map(({ field, message }) => `${field}: ${message}`);
}

const old = pod({ resources: resources('100m', '64Mi') });

test('cpu and memory may change, and be added', () => {
  assert.deepEqual(findings(pod({ resources: resources('200m', '32Mi') }), old), []);
  const limited = { ...resources('100m', '64Mi'), limits: { cpu: '1' } };
  assert.deepEqual(findings(pod({ resources: limited }), old), []);
});

test('they cannot be removed, nor change the class of service', () => {
  assert.deepEqual(findings(pod({ resources: resources('100m') }), old), [
    'spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed',
  ]);
  const guaranteed = { ...resources('100m', '64Mi'), limits: { cpu: '100m', memory: '64Mi' } };
  assert.match(findings(pod({ resources: guaranteed }), old).join(), /Pod QOS Class may not change/);
});

test('nothing else may', () => {
  const only = 'spec: Forbidden: only cpu and memory resources are mutable';
  const stored = pod({ resources: resources('100m', '64Mi', { 'ephemeral-storage': '1Gi' }) });
  const more = pod({ resources: resources('200m', '64Mi', { 'ephemeral-storage': '2Gi' }) });
  assert.deepEqual(findings(more, stored), [only]);
  assert.deepEqual(findings(pod({ resources: resources('200m', '64Mi'), image: 'other' }), old), [only]);
});

test('a node that reports no resources cannot resize', () => {
  const status = { containerStatuses: [{ name: 'c', state: { running: {} } }] };
  const unaware = { ...old, status } as unknown as Pod;
  assert.deepEqual(findings(pod({ resources: resources('200m', '64Mi') }), unaware), [
    'spec: Forbidden: Pod running on node without support for resize',
  ]);
});

test('containers are neither renamed nor more', () => {
  const renamed = pod({ name: 'd', resources: resources('200m', '64Mi') });
  assert.deepEqual(findings(renamed, old), [
    'spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize',
  ]);
  const more = pod({ resources: resources('200m', '64Mi') });
  more.spec.containers = [...more.spec.containers, { ...more.spec.containers[0]!, name: 'd' }];
  assert.deepEqual(findings(more, old), [
    'spec.containers: Forbidden: containers may not be added or removed on resize',
  ]);
});
