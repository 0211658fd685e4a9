import type { Pod } from '../../api/generated/core-v1.ts';
import type { InstanceStats } from '../../api/instance-stats.ts';
import type { NodeMetrics, PodMetrics } from '../../api/metrics.ts';
import { goDuration } from '../../base/go-duration.ts';

const API_VERSION = 'metrics.k8s.io/v1beta1';

/** Undefined while a running container of the pod has not been measured twice. */
export function podMetricsOf(pod: Pod, stats: InstanceStats): PodMetrics | undefined {
  const { containers } = stats;
  const first = containers[0];
  if (first === undefined || containers.some(({ cpuNanoCores }) => cpuNanoCores === undefined)) return undefined;
  const { name, namespace, labels, creationTimestamp } = pod.metadata;
  return {
    apiVersion: API_VERSION,
    kind: 'PodMetrics',
    metadata: { name, namespace, creationTimestamp, ...(labels !== undefined && { labels }) } as PodMetrics['metadata'],
    timestamp: wholeSeconds(first.timestamp),
    window: goDuration(Math.round(Math.max(...containers.map(({ windowSeconds }) => windowSeconds)) * 1000)),
    containers: containers.map((container) => ({
      name: container.name,
      usage: { cpu: cpuQuantity(container.cpuNanoCores!), memory: memoryQuantity(container.memoryWorkingSetBytes) },
    })),
  };
}

/** The sum of what a tenant's pods use on one of its virtual nodes. */
export function nodeMetricsOf(
  nodeName: string,
  labels: Readonly<Record<string, string>>,
  stats: readonly InstanceStats[],
  nowMs: number,
): NodeMetrics {
  let nanoCores = 0;
  let bytes = 0;
  for (const { containers } of stats) {
    for (const container of containers) {
      nanoCores += container.cpuNanoCores ?? 0;
      bytes += container.memoryWorkingSetBytes;
    }
  }
  const timestamp = wholeSeconds(new Date(nowMs).toISOString());
  return {
    apiVersion: API_VERSION,
    kind: 'NodeMetrics',
    metadata: { name: nodeName, creationTimestamp: timestamp, labels } as NodeMetrics['metadata'],
    timestamp,
    window: '10s',
    usage: { cpu: cpuQuantity(nanoCores), memory: memoryQuantity(bytes) },
  };
}

const cpuQuantity = (nanoCores: number): string => (nanoCores === 0 ? '0' : `${Math.round(nanoCores)}n`);
const memoryQuantity = (bytes: number): string => `${Math.ceil(bytes / 1024)}Ki`;
const wholeSeconds = (time: string): string => `${time.slice(0, 19)}Z`;
