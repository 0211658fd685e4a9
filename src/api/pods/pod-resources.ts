import type { Container, PodSpec } from '../generated/core-v1.ts';
import { quantityMilliValue, quantityValue } from '../quantity.ts';

/** What a pod asks for, as plain numbers. */
export interface PodResources {
  /** Thousandths of a CPU. */
  cpuMillis: number;
  memoryBytes: number;
  ephemeralStorageBytes: number;
}

export const NO_RESOURCES: Readonly<PodResources> = { cpuMillis: 0, memoryBytes: 0, ephemeralStorageBytes: 0 };

type ResourceField = 'requests' | 'limits';

/**
 * A pod's effective requests, as upstream's resource.PodRequests: the larger of what the running containers (sidecars
 * included) add up to and what each init container needs at its turn, pod-level resources overriding, plus overhead.
 */
export const podRequests = (spec: PodSpec): PodResources => effective(spec, 'requests');
/** The same for limits; a container without a limit adds nothing. */
export const podLimits = (spec: PodSpec): PodResources => effective(spec, 'limits');

export function containerResources(container: Container, field: ResourceField): PodResources {
  return resourcesOf(container.resources?.[field]);
}

function effective(spec: PodSpec, field: ResourceField): PodResources {
  const running = { ...NO_RESOURCES };
  for (const container of spec.containers) add(running, containerResources(container, field));

  const sidecars = { ...NO_RESOURCES };
  const largestInit = { ...NO_RESOURCES };
  for (const container of spec.initContainers ?? []) {
    const own = containerResources(container, field);
    // Sidecars started earlier run beside every later init container.
    if (container.restartPolicy === 'Always') {
      add(running, own);
      add(sidecars, own);
      raise(largestInit, sidecars);
    } else {
      raise(largestInit, add({ ...sidecars }, own));
    }
  }
  raise(running, largestInit);
  const podLevel = spec.resources?.[field];
  if (podLevel !== undefined) {
    const own = resourcesOf(podLevel);
    if (podLevel['cpu'] !== undefined) running.cpuMillis = own.cpuMillis;
    if (podLevel['memory'] !== undefined) running.memoryBytes = own.memoryBytes;
  }
  return spec.overhead === undefined ? running : add(running, resourcesOf(spec.overhead));
}

/** A resource list (requests, allocatable) as numbers; absent is 0. */
export function resourcesOf(list: Readonly<Record<string, string>> | undefined): PodResources {
  if (list === undefined) return { ...NO_RESOURCES };
  const { cpu, memory, 'ephemeral-storage': storage } = list;
  return {
    cpuMillis: cpu ? quantityMilliValue(cpu) : 0,
    memoryBytes: memory ? quantityValue(memory) : 0,
    ephemeralStorageBytes: storage ? quantityValue(storage) : 0,
  };
}

function add(sum: PodResources, other: PodResources): PodResources {
  sum.cpuMillis += other.cpuMillis;
  sum.memoryBytes += other.memoryBytes;
  sum.ephemeralStorageBytes += other.ephemeralStorageBytes;
  return sum;
}

function raise(floor: PodResources, other: PodResources): void {
  floor.cpuMillis = Math.max(floor.cpuMillis, other.cpuMillis);
  floor.memoryBytes = Math.max(floor.memoryBytes, other.memoryBytes);
  floor.ephemeralStorageBytes = Math.max(floor.ephemeralStorageBytes, other.ephemeralStorageBytes);
}
