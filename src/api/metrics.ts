import type { InstanceStats } from './instance-stats.ts';
import type { KubeObject } from './object.ts';

/** metrics.k8s.io/v1beta1 PodMetrics, as `kubectl top pod` and autoscalers read it. */
export interface PodMetrics extends KubeObject {
  /** RFC 3339: the end of the window. */
  timestamp: string;
  /** Go duration: `10s`. */
  window: string;
  containers: { name: string; usage: { cpu: string; memory: string } }[];
}

/** metrics.k8s.io/v1beta1 NodeMetrics. */
export interface NodeMetrics extends KubeObject {
  timestamp: string;
  window: string;
  usage: { cpu: string; memory: string };
}

export interface NodeUsage {
  /** Never falls while the process lives. */
  cpuUsageCoreNanoSeconds: number;
  pods: { namespace: string; name: string; stats: InstanceStats }[];
}

/** How many containers of one kind ended in one way. */
export interface ContainerTerminations {
  type: 'container' | 'init_container' | 'ephemeral_container';
  exitCode: number;
  reason: string;
  count: number;
}

/**
 * What is behind the group metrics.k8s.io: virtual-node/ implements it from the hosts' statistics, compose/ hands it to the
 * API server, which lists, selects (objects carry their labels) and gets. Pods that cannot be measured (yet) are left out.
 */
export interface MetricsProvider {
  /** `namespace` undefined: all of the tenant's. */
  podMetrics(tenant: string, namespace?: string): Promise<PodMetrics[]>;
  /** A virtual node's usage is that of the tenant's pods on it. */
  nodeMetrics(tenant: string): Promise<NodeMetrics[]>;
  /** What the tenant's pods on a virtual node use, as measured, and the node's CPU time out of theirs. */
  nodeUsage(tenant: string, nodeName: string): Promise<NodeUsage>;
  /** Of the tenant's pods on a virtual node, since this process began. */
  terminations(tenant: string, nodeName: string): ContainerTerminations[];
}

export const METRICS_GROUP = 'metrics.k8s.io';
export const METRICS_VERSION = 'v1beta1';
