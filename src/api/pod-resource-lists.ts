import type { Container, PodSpec, ResourceRequirements } from './generated/core-v1.ts';
import { addQuantities, compareQuantities, parseQuantity } from './quantity.ts';

export type ResourceList = Record<string, string>;

type ResourceField = 'requests' | 'limits';

/** What may be said for a whole pod. */
const isPodLevel = (resource: string) =>
  resource === 'cpu' || resource === 'memory' || resource.startsWith('hugepages-');

/**
 * A pod's effective requests or limits as quantities, of every resource its containers name. Source: resource.PodRequests
 * and PodLimits; `pod-resources.ts` has the numbers alone.
 */
export function podResourceList(spec: PodSpec, field: ResourceField): ResourceList {
  const running: ResourceList = {};
  for (const container of spec.containers) add(running, container.resources?.[field]);
  const sidecars: ResourceList = {};
  const largestInit: ResourceList = {};
  for (const container of spec.initContainers ?? []) {
    const own = container.resources?.[field];
    if (container.restartPolicy === 'Always') {
      add(running, own);
      add(sidecars, own);
      raise(largestInit, sidecars);
    } else {
      const atItsTurn = { ...sidecars };
      add(atItsTurn, own);
      raise(largestInit, atItsTurn);
    }
  }
  raise(running, largestInit);
  for (const [resource, quantity] of Object.entries(spec.resources?.[field] ?? {})) {
    if (isPodLevel(resource)) running[resource] = quantity;
  }
  for (const [resource, quantity] of Object.entries(spec.overhead ?? {})) {
    // Overhead makes no limit where there is none.
    if (field === 'limits' && (running[resource] === undefined || isZero(running[resource]))) continue;
    add(running, { [resource]: quantity });
  }
  return running;
}

/**
 * What the kubelet says a pod as a whole has (`status.resources`): its cgroup, which has a limit only where every container
 * has one, or the pod itself.
 */
export function podStatusResources(spec: PodSpec, isRunning: boolean): ResourceRequirements {
  const requests = podResourceList(spec, 'requests');
  const limits = podResourceList(spec, 'limits');
  if (isRunning) {
    const all = [...(spec.initContainers ?? []), ...spec.containers];
    for (const resource of Object.keys(limits)) {
      const isOfPod = isPodLevel(resource) && spec.resources?.limits?.[resource] !== undefined;
      const isCgroup = resource === 'cpu' || resource === 'memory';
      if (!isOfPod && !(isCgroup && all.every((container) => hasLimit(container, resource)))) delete limits[resource];
    }
    for (const resource of Object.keys(requests)) {
      if (resource !== 'cpu' && resource !== 'memory' && spec.resources?.requests?.[resource] === undefined)
        delete requests[resource];
    }
  }
  return {
    ...(Object.keys(limits).length > 0 && { limits }),
    ...(Object.keys(requests).length > 0 && { requests }),
  };
}

const isZero = (quantity: string) => parseQuantity(quantity).nanos === 0n;

function hasLimit({ resources }: Container, resource: string): boolean {
  const limit = resources?.limits?.[resource];
  return limit !== undefined && !isZero(limit);
}

function add(sum: ResourceList, other: Readonly<ResourceList> | undefined): void {
  for (const [resource, quantity] of Object.entries(other ?? {})) {
    const before = sum[resource];
    sum[resource] = before === undefined ? quantity : addQuantities(before, quantity);
  }
}

function raise(floor: ResourceList, other: Readonly<ResourceList>): void {
  for (const [resource, quantity] of Object.entries(other)) {
    const before = floor[resource];
    if (before === undefined || compareQuantities(quantity, before) > 0) floor[resource] = quantity;
  }
}
