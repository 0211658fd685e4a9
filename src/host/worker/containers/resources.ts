import type { Container, PodSpec } from '../../../api/generated/core-v1.ts';
import { podLimits, podRequests } from '../../../api/pods/pod-resources.ts';
import type { ContainerResources } from '../../../runtime/sandbox-runtime.ts';
import { bytes, milli } from '../../quantities.ts';
import { qosClassOf } from '../../status/qos-class.ts';
import { isRestartableInit } from '../state.ts';

const PERIOD_US = 100_000;
const FEWEST_SHARES = 2;
const MOST_SHARES = 262_144;
const SMALLEST_QUOTA_US = 1000;

const sharesOf = (milliCpu: number): number =>
  milliCpu === 0 ? FEWEST_SHARES : Math.min(Math.max(Math.floor((milliCpu * 1024) / 1000), FEWEST_SHARES), MOST_SHARES);

const quotaOf = (milliCpu: number): number =>
  milliCpu === 0 ? 0 : Math.max(Math.floor((milliCpu * PERIOD_US) / 1000), SMALLEST_QUOTA_US);

/** A container's requests and limits as the kernel takes them, by the kubelet's formulas. */
export function containerResources(container: Container, pod: PodSpec, hostMemoryBytes: number): ContainerResources {
  const { requests, limits } = container.resources ?? {};
  const cpuLimit = milli(limits?.['cpu'] ?? pod.resources?.limits?.['cpu']);
  const cpuRequest = requests?.['cpu'] === undefined ? milli(limits?.['cpu']) : milli(requests['cpu']);
  const memoryLimit = bytes(limits?.['memory'] ?? pod.resources?.limits?.['memory']);
  return {
    cpuShares: sharesOf(cpuRequest),
    ...(cpuLimit > 0 && { cpuQuota: quotaOf(cpuLimit), cpuPeriod: PERIOD_US }),
    ...(memoryLimit > 0 && { memoryLimitBytes: memoryLimit }),
    oomScoreAdj: oomScoreAdjustment(container, pod, hostMemoryBytes),
  };
}

export function oomScoreAdjustment(container: Container, pod: PodSpec, hostMemoryBytes: number): number {
  const qos = qosClassOf(pod);
  // A tenant may not make its pods critical to the host: system priority classes count as any other.
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const ask = (other: Container) => bytes(other.resources?.requests?.['memory']);
  const adjust = (request: number) => 1000 - Math.floor((1000 * request) / hostMemoryBytes);
  const all = [...(pod.initContainers ?? []), ...pod.containers];
  const podRequest = bytes(pod.resources?.requests?.['memory']);
  const spare =
    podRequest > 0 ? Math.floor((podRequest - all.reduce((sum, other) => sum + ask(other), 0)) / all.length) : 0;
  const extra = Math.max(spare, 0);
  let adjustment = adjust(ask(container) + extra);
  if (isRestartableInit(container) && pod.initContainers?.includes(container)) {
    adjustment = Math.min(adjustment, adjust(Math.min(...pod.containers.map(ask)) + extra));
  }
  if (adjustment < 3) return 3;
  return adjustment === 1000 ? 999 : adjustment;
}

const known = new WeakMap<PodSpec, ContainerResources>();

/** What all containers of the pod may use together: of its cgroup. A limit holds only when every container has one. */
export function podResources(pod: PodSpec): ContainerResources {
  let resources = known.get(pod);
  if (resources === undefined) known.set(pod, (resources = computePodResources(pod)));
  return resources;
}

function computePodResources(pod: PodSpec): ContainerResources {
  if (qosClassOf(pod) === 'BestEffort') return { cpuShares: FEWEST_SHARES };
  const everyone = [...(pod.initContainers ?? []), ...pod.containers];
  const isLimited = (name: 'cpu' | 'memory') =>
    pod.resources?.limits?.[name] !== undefined ||
    everyone.every(({ resources }) => milli(resources?.limits?.[name]) > 0);
  const limits = podLimits(pod);
  const cpuLimit = isLimited('cpu') ? limits.cpuMillis : 0;
  const memoryLimit = isLimited('memory') ? limits.memoryBytes : 0;
  return {
    cpuShares: sharesOf(podRequests(pod).cpuMillis),
    ...(cpuLimit > 0 && { cpuQuota: quotaOf(cpuLimit), cpuPeriod: PERIOD_US }),
    ...(memoryLimit > 0 && { memoryLimitBytes: memoryLimit }),
  };
}
