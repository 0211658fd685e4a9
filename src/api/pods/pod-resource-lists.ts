import { own } from '../../base/table.ts';
import type { Container, ContainerStatus, PodSpec, PodStatus, ResourceRequirements } from '../generated/core-v1.ts';
import { addQuantities, compareQuantities } from '../quantity.ts';
import { addTo, hasNames, type ResourceList, raiseTo } from '../quota/resource-list.ts';

type Field = 'requests' | 'limits';

export interface PodLike {
  spec: PodSpec;
  status?: PodStatus;
}

export interface PodResourceOptions {
  /** What containers hold by their status counts as well (a resize under way). */
  useStatus?: boolean;
  /** Pod-level huge pages count as CPU and memory do. LimitRanger leaves them out. */
  podLevelHugePages?: boolean;
  withoutOverhead?: boolean;
}

const isPodLevel = (name: string, hugePages: boolean): boolean =>
  name === 'cpu' || name === 'memory' || (hugePages && name.startsWith('hugepages-'));

/** True when the pod itself, beyond its containers, says what it needs. */
export const hasPodLevelResources = ({ resources }: PodSpec): boolean =>
  [...Object.keys(resources?.requests ?? {}), ...Object.keys(resources?.limits ?? {})].some((name) =>
    isPodLevel(name, true),
  );

/**
 * Every resource a pod asks for or is limited to: running containers and sidecars together, or an init container at
 * its turn if that is more; what the pod itself says overrides. Source: component-helpers' resource/helpers.go.
 * `pod-resources.ts` has the numbers alone.
 */
export function podResourceList(pod: PodLike, field: Field, options: PodResourceOptions = {}): Record<string, string> {
  const { spec } = pod;
  const statuses = options.useStatus === true ? statusesOf(pod) : undefined;
  const running: Record<string, string> = {};
  for (const container of spec.containers ?? []) addTo(running, effective(container, field, statuses, pod));

  const sidecars: Record<string, string> = {};
  const largestInit: Record<string, string> = {};
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      const needed = effective(container, field, statuses, pod);
      addTo(running, needed);
      addTo(sidecars, needed);
      raiseTo(largestInit, sidecars);
    } else {
      raiseTo(largestInit, addTo({ ...sidecars }, container.resources?.[field]));
    }
  }
  raiseTo(running, largestInit);

  const podLevel = spec.resources?.[field];
  for (const name in podLevel) {
    if (isPodLevel(name, options.podLevelHugePages === true)) running[name] = podLevel[name]!;
  }
  if (options.withoutOverhead !== true) addOverhead(running, spec.overhead, field);
  return running;
}

/** A resource without a limit stays without one. */
function addOverhead(sum: Record<string, string>, overhead: ResourceList | undefined, field: Field): void {
  if (field === 'requests') addTo(sum, overhead);
  else {
    for (const name in overhead) {
      const limit = own(sum, name);
      if (limit !== undefined && compareQuantities(limit, 0) !== 0) sum[name] = addQuantities(limit, overhead[name]!);
    }
  }
}

function statusesOf({ status }: PodLike): Map<string, ContainerStatus> {
  const statuses = new Map<string, ContainerStatus>();
  for (const one of status?.containerStatuses ?? []) statuses.set(one.name, one);
  for (const one of status?.initContainerStatuses ?? []) statuses.set(one.name, one);
  return statuses;
}

/** While a resize is under way the larger of what is and what shall be counts; of one that cannot be, only what is. */
function effective(
  { name, resources }: Container,
  field: Field,
  statuses: Map<string, ContainerStatus> | undefined,
  { status }: PodLike,
): ResourceList | undefined {
  const wanted = resources?.[field];
  const actual = statuses?.get(name);
  if (actual?.resources === undefined || !hasNames(actual.resources as never)) return wanted;
  const isInfeasible = status?.conditions?.some(
    ({ type, reason }) => type === 'PodResizePending' && reason === 'Infeasible',
  );
  const result: Record<string, string> = { ...actual.resources[field] };
  if (field === 'requests') raiseTo(result, actual.allocatedResources);
  return isInfeasible === true ? result : raiseTo(result, wanted);
}

/**
 * What the kubelet says a pod as a whole has (`status.resources`): its cgroup, which has a limit only where every container
 * has one, or the pod itself.
 */
export function podStatusResources(spec: PodSpec, isRunning: boolean): ResourceRequirements {
  const requests = podResourceList({ spec }, 'requests', { podLevelHugePages: true });
  const limits = podResourceList({ spec }, 'limits', { podLevelHugePages: true });
  if (isRunning) {
    const all = [...(spec.initContainers ?? []), ...spec.containers];
    for (const resource of Object.keys(limits)) {
      const isOfPod = isPodLevel(resource, true) && spec.resources?.limits?.[resource] !== undefined;
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

function hasLimit({ resources }: Container, resource: string): boolean {
  const limit = resources?.limits?.[resource];
  return limit !== undefined && compareQuantities(limit, 0) !== 0;
}
