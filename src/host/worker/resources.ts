import type { Container, PodSpec } from '../../api/generated/core-v1.ts';
import type { ContainerResources } from '../../runtime/sandbox-runtime.ts';
import { bytes, milli } from '../quantities.ts';
import { qosClassOf } from '../status/qos-class.ts';
import { isRestartableInit } from './state.ts';

const PERIOD_US = 100_000;
const FEWEST_SHARES = 2;
const MOST_SHARES = 262_144;
const SMALLEST_QUOTA_US = 1000;

export const sharesOf = (milliCpu: number): number =>
  milliCpu === 0 ? FEWEST_SHARES : Math.min(Math.max(Math.floor((milliCpu * 1024) / 1000), FEWEST_SHARES), MOST_SHARES);

export const quotaOf = (milliCpu: number): number =>
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

/** What all containers of the pod may use together: of its cgroup. */
export function podResources(pod: PodSpec): ContainerResources {
  const qos = qosClassOf(pod);
  if (qos === 'BestEffort') return { cpuShares: FEWEST_SHARES };
  const request = (name: string, read: (text: string | undefined) => number) =>
    pod.resources?.requests?.[name] === undefined
      ? total(pod, ({ resources }) => read(resources?.requests?.[name] ?? resources?.limits?.[name])) +
        read(pod.overhead?.[name])
      : read(pod.resources.requests[name]);
  const limit = (name: string, read: (text: string | undefined) => number) => {
    const own = pod.resources?.limits?.[name];
    if (own !== undefined) return read(own);
    const everyone = [...(pod.initContainers ?? []), ...pod.containers];
    if (everyone.some(({ resources }) => read(resources?.limits?.[name]) === 0)) return 0;
    return total(pod, ({ resources }) => read(resources?.limits?.[name])) + read(pod.overhead?.[name]);
  };
  const cpuLimit = limit('cpu', milli);
  const memoryLimit = limit('memory', bytes);
  return {
    cpuShares: sharesOf(request('cpu', milli)),
    ...(cpuLimit > 0 && { cpuQuota: quotaOf(cpuLimit), cpuPeriod: PERIOD_US }),
    ...(memoryLimit > 0 && { memoryLimitBytes: memoryLimit }),
  };
}

/** Main containers and sidecars run together; an init container runs beside the sidecars before it. */
function total(pod: PodSpec, of: (container: Container) => number): number {
  let sidecars = 0;
  let highest = 0;
  for (const container of pod.initContainers ?? []) {
    if (isRestartableInit(container)) {
      sidecars += of(container);
      highest = Math.max(highest, sidecars);
    } else highest = Math.max(highest, sidecars + of(container));
  }
  return Math.max(
    highest,
    pod.containers.reduce((sum, container) => sum + of(container), sidecars),
  );
}
