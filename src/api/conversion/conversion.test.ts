import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../object.ts';
import { storedForms } from './index.ts';

const metadata = { name: 'a', namespace: 'b', uid: 'u', resourceVersion: '1', creationTimestamp: 'x' };

test('events of either API are one object', () => {
  const core: KubeObject = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata,
    involvedObject: { kind: 'Pod', name: 'p' },
    reason: 'Started',
    message: 'm',
    source: { component: 'kubelet' },
    firstTimestamp: 't',
    count: 2,
    reportingComponent: 'kubelet',
    reportingInstance: '',
  };
  const { fromStored, toStored } = storedForms['events.k8s.io/v1/events']!;
  const event = fromStored(core);
  assert.deepEqual(event, {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata,
    regarding: { kind: 'Pod', name: 'p' },
    reason: 'Started',
    note: 'm',
    deprecatedSource: { component: 'kubelet' },
    deprecatedFirstTimestamp: 't',
    deprecatedCount: 2,
    reportingController: 'kubelet',
  });
  assert.deepEqual(toStored(event), core);
});

test('an autoscaler loses nothing on its way through v1', () => {
  const v2: KubeObject = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { ...metadata, annotations: { mine: 'x' } },
    spec: {
      maxReplicas: 3,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
        { type: 'Resource', resource: { name: 'memory', target: { type: 'Utilization', averageUtilization: 60 } } },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 1 } },
    },
    status: { desiredReplicas: 1, currentReplicas: 1, currentMetrics: [], conditions: [{ type: 'AbleToScale' }] },
  };
  const { fromStored, toStored } = storedForms['autoscaling/v1/horizontalpodautoscalers']!;
  const v1 = fromStored(v2);
  assert.equal(v1['spec'].targetCPUUtilizationPercentage, 50);
  assert.equal(v1['spec'].metrics, undefined);
  assert.deepEqual(toStored(v1), v2);
});

test('an autoscaler of v1 without target or metrics has the target that v2 would have', () => {
  const { fromStored, toStored } = storedForms['autoscaling/v1/horizontalpodautoscalers']!;
  const bare: KubeObject = {
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata,
    spec: { maxReplicas: 3 },
  };
  assert.equal(fromStored(toStored(bare))['spec'].targetCPUUtilizationPercentage, 80);
  const target = { type: 'Utilization', averageUtilization: 60 };
  const metrics = [{ type: 'Resource', resource: { name: 'memory', target } }];
  const annotations = { 'autoscaling.alpha.kubernetes.io/metrics': JSON.stringify(metrics) };
  assert.deepEqual(toStored({ ...bare, metadata: { ...metadata, annotations } })['spec'].metrics, metrics);
});
