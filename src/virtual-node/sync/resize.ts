import { semanticEqual } from '../../api/equality.ts';
import type { Container, Pod } from '../../api/generated/core-v1.ts';
import { resourcesOf } from '../../api/pods/pod-resources.ts';
import type { ContainerInstance } from '../../api/pool.ts';
import { SYSTEM_TENANT } from '../../client/client.ts';
import { shapeOf } from '../resolve/shape.ts';
import { isFinishedPhase } from '../status/pod-status.ts';
import { BY_HOST, type World } from './world.ts';

/** What keeps a pod from the size it asks for: the condition PodResizePending. */
export interface PendingResize {
  reason: 'Deferred' | 'Infeasible';
  message: string;
}

/** Shapes kept for billing; more changes within a day wait. */
const LONGEST_HISTORY = 500;
const HISTORY_MS = 24 * 60 * 60_000;

type Sized = Pick<Container, 'name' | 'resources'>;

/** Whether the pod asks for other resources than its instance has. */
export function asksForResize(pod: Pod, instance: ContainerInstance): boolean {
  const given = instance.spec.pod;
  if (!semanticEqual(pod.spec.resources, given.resources)) return true;
  return (['containers', 'initContainers'] as const).some((list) =>
    (pod.spec[list] as Sized[] | undefined)?.some(
      ({ name, resources }) =>
        !semanticEqual(resources, given[list]?.find((container) => container.name === name)?.resources),
    ),
  );
}

/** What the pod asks for, as the kubelet's events about resizes say it. */
export function resizeSummary({ spec }: Pod, generation: number | undefined, error: string | undefined): string {
  const sizes = (containers: readonly Sized[] | undefined) =>
    containers?.map(({ name, resources: { limits, requests, claims } = {} }) => ({
      name,
      resources: {
        ...(limits !== undefined && { limits: sorted(limits) }),
        ...(requests !== undefined && { requests: sorted(requests) }),
        ...(claims !== undefined && { claims }),
      },
    }));
  const { initContainers = [], containers } = spec;
  return JSON.stringify({
    ...(initContainers.length > 0 && { initContainers: sizes(initContainers) }),
    containers: sizes(containers),
    generation: generation ?? 0,
    ...(error && { error }),
  });
}

const sorted = (list: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(list).sort(([a], [b]) => (a < b ? -1 : 1)));

/**
 * Whether the instance's host has room for what the pod asks for now, by billable shapes as everywhere in the pool.
 * Source of the reasons: the kubelet's allocation manager.
 * @returns undefined when it has
 */
export function judgeResize(
  pod: Pod,
  instance: ContainerInstance,
  world: World,
  nowMs: number,
): PendingResize | undefined {
  const wanted = shapeOf(pod.spec);
  if (wanted.cpu === instance.spec.resources.cpu && wanted.memory === instance.spec.resources.memory) return undefined;
  const recent = (instance.spec.resourceHistory ?? []).filter(({ until }) => Date.parse(until) > nowMs - HISTORY_MS);
  if (recent.length >= LONGEST_HISTORY) return { reason: 'Deferred', message: 'the pod was resized too often today' };
  const { hostName } = instance.spec;
  const allocatable = world.hosts.get(`${SYSTEM_TENANT}//${hostName}`)?.status?.allocatable;
  if (!hostName || allocatable === undefined) return undefined;
  const room = resourcesOf(allocatable);
  const used = { cpuMillis: 0, memoryBytes: 0 };
  for (const other of world.instances.byIndex(BY_HOST, hostName)) {
    if (other.metadata.uid === instance.metadata.uid || isFinishedPhase(other.status?.phase)) continue;
    const { cpuMillis, memoryBytes } = resourcesOf(other.spec.resources);
    used.cpuMillis += cpuMillis;
    used.memoryBytes += memoryBytes;
  }
  const asked = resourcesOf(wanted);
  const held = resourcesOf(instance.spec.resources);
  const checks = [
    ['cpu', asked.cpuMillis, used.cpuMillis, room.cpuMillis, held.cpuMillis],
    ['memory', asked.memoryBytes, used.memoryBytes, room.memoryBytes, held.memoryBytes],
  ] as const;
  for (const [resource, request, , capacity, current] of checks) {
    if (request <= capacity || request <= current) continue;
    const message = `Node didn't have enough capacity: ${resource}, requested: ${request}, capacity: ${capacity}`;
    return { reason: 'Infeasible', message };
  }
  for (const [resource, request, inUse, capacity, current] of checks) {
    if (request <= current || inUse + request <= capacity) continue;
    const message = `Node didn't have enough resource: ${resource}, requested: ${request}, used: ${inUse}, capacity: ${capacity}`;
    return { reason: 'Deferred', message };
  }
  return undefined;
}

/** The changes of the instance's spec that give the pod what it asks for: its shape as it is billed, with the old one kept. */
export function shapeChanges(
  pod: Pod,
  instance: ContainerInstance,
  nowMs: number,
): Pick<ContainerInstance['spec'], 'resources' | 'resourceHistory'> | undefined {
  const { resources: before, resourceHistory = [] } = instance.spec;
  const resources = shapeOf(pod.spec);
  if (resources.cpu === before.cpu && resources.memory === before.memory) return undefined;
  // What is not metered yet is metered by the shape it begins with.
  if (instance.status?.meteredFrom === undefined) return { resources };
  const recent = resourceHistory.filter(({ until }) => Date.parse(until) > nowMs - HISTORY_MS);
  return { resources, resourceHistory: [...recent, { ...before, until: new Date(nowMs).toISOString() }] };
}
