import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeMetricsOf, podMetricsOf } from './pod-usage.ts';

const pod = {
  metadata: {
    name: 'web',
    namespace: 'shop',
    uid: 'u',
    labels: { app: 'web' },
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: { containers: [] },
} as any;
const container = (name: string, cpuNanoCores?: number) => ({
  name,
  ...(cpuNanoCores !== undefined && { cpuNanoCores }),
  cpuUsageCoreNanoSeconds: 5,
  memoryWorkingSetBytes: 5 * 1024 * 1024 + 1,
  timestamp: '2026-01-01T00:01:00.123Z',
  windowSeconds: 10.0004,
});

test('usage as metrics-server writes it', () => {
  const metrics = podMetricsOf(pod, { uid: 'u', containers: [container('a', 12_345_678), container('b', 0)] })!;
  assert.equal(metrics.timestamp, '2026-01-01T00:01:00Z');
  assert.equal(metrics.window, '10s');
  assert.deepEqual(metrics.metadata.labels, { app: 'web' });
  assert.deepEqual(metrics.containers, [
    { name: 'a', usage: { cpu: '12345678n', memory: '5121Ki' } },
    { name: 'b', usage: { cpu: '0', memory: '5121Ki' } },
  ]);
});

test('a pod measured only once is left out rather than shown idle', () => {
  assert.equal(podMetricsOf(pod, { uid: 'u', containers: [container('a', 5), container('b')] }), undefined);
  assert.equal(podMetricsOf(pod, { uid: 'u', containers: [] }), undefined);
});

test('a virtual node uses what its pods use', () => {
  const rows = [{ uid: 'u', containers: [container('a', 5), container('b', 7)] }];
  assert.deepEqual(nodeMetricsOf('n', {}, rows, 0).usage, { cpu: '12n', memory: '10241Ki' });
});
