import { NO_RESOURCES, type PodResources, podRequests, resourcesOf } from '../../api/pods/pod-resources.ts';
import type { ContainerInstance, Host } from '../../api/pool.ts';
import { quantityValue } from '../../api/quantity.ts';
import type { Target } from '../framework/plugin.ts';

/** A host with what is placed on it. */
export interface HostInfo extends Target {
  host: Host;
  zones: ReadonlySet<string>;
  allocatable: PodResources & { instances: number };
  used: PodResources;
  instances: number;
  /** Bytes by image reference. */
  images: ReadonlyMap<string, number>;
}

/** How many times over a host's resources may be promised. */
export interface Overcommit {
  cpu: number;
  memory: number;
}

/** CPU that one pod leaves idle another takes; memory cannot be taken back. */
const DEFAULT_OVERCOMMIT: Overcommit = { cpu: 4, memory: 1 };

/** An instance that asks for nothing still keeps some processes in memory. */
const LEAST_CPU_MILLIS = 1;
const LEAST_MEMORY_BYTES = 16 * 1024 * 1024;

/**
 * What an instance takes up on its host: what its pod asks for. Pods that ask for less than the shape they are billed by
 * run in what the others leave, as on any Kubernetes node.
 */
export function placementOf(instance: ContainerInstance): PodResources {
  const requests = podRequests(instance.spec.pod);
  return {
    ...requests,
    cpuMillis: Math.max(requests.cpuMillis, LEAST_CPU_MILLIS),
    memoryBytes: Math.max(requests.memoryBytes, LEAST_MEMORY_BYTES),
  };
}

interface Placed {
  hostName: string;
  resources: PodResources;
}

/** All hosts and the instances on them, kept incrementally. */
export class PoolSnapshot {
  readonly hosts = new Map<string, HostInfo>();
  readonly #instances = new Map<string, Placed>();
  /** Hosts that have an image, by reference: spreading an image's weight needs the number. */
  readonly #imageHosts = new Map<string, number>();
  readonly #overcommit: Overcommit;
  #targets: readonly HostInfo[] | undefined;

  constructor(overcommit: Overcommit = DEFAULT_OVERCOMMIT) {
    this.#overcommit = overcommit;
  }

  get targets(): readonly HostInfo[] {
    this.#targets ??= [...this.hosts.values()];
    return this.#targets;
  }

  hostsWithImage(reference: string): number {
    return this.#imageHosts.get(reference) ?? 0;
  }

  setHost(host: Host): void {
    this.#targets = undefined;
    const name = host.metadata.name;
    const known = this.hosts.get(name);
    const { allocatable, images } = host.status ?? {};
    const own = resourcesOf(allocatable);
    const info: HostInfo = {
      name,
      host,
      zones: new Set(zonesOf(host)),
      allocatable: {
        ...own,
        cpuMillis: own.cpuMillis * this.#overcommit.cpu,
        memoryBytes: own.memoryBytes * this.#overcommit.memory,
        instances: allocatable?.['pods'] === undefined ? Infinity : quantityValue(allocatable['pods']),
      },
      used: known?.used ?? { ...NO_RESOURCES },
      instances: known?.instances ?? 0,
      images: known !== undefined && known.host.status?.images === images ? known.images : imageSizes(images),
    };
    if (known === undefined) {
      for (const placed of this.#instances.values()) if (placed.hostName === name) account(info, placed, 1);
    }
    this.#countImages(known?.images, -1);
    this.#countImages(info.images, 1);
    this.hosts.set(name, info);
  }

  removeHost(name: string): void {
    this.#targets = undefined;
    this.#countImages(this.hosts.get(name)?.images, -1);
    this.hosts.delete(name);
  }

  setInstance(instance: ContainerInstance, hostName: string): void {
    this.removeInstance(instance.metadata.uid);
    const placed = { hostName, resources: placementOf(instance) };
    this.#instances.set(instance.metadata.uid, placed);
    const info = this.hosts.get(hostName);
    if (info !== undefined) account(info, placed, 1);
  }

  /** Where the instance counts, be it assumed or seen. */
  hostOf(uid: string): string | undefined {
    return this.#instances.get(uid)?.hostName;
  }

  /** True when it was known. */
  removeInstance(uid: string): boolean {
    const placed = this.#instances.get(uid);
    if (placed === undefined) return false;
    this.#instances.delete(uid);
    const info = this.hosts.get(placed.hostName);
    if (info !== undefined) account(info, placed, -1);
    return true;
  }

  #countImages(images: ReadonlyMap<string, number> | undefined, by: number): void {
    for (const reference of images?.keys() ?? []) {
      const next = (this.#imageHosts.get(reference) ?? 0) + by;
      if (next <= 0) this.#imageHosts.delete(reference);
      else this.#imageHosts.set(reference, next);
    }
  }
}

/** One machine may stand for several zones. */
export const zonesOf = (host: Host): string[] => host.spec.zones ?? [host.spec.zone];

function account(info: HostInfo, placed: Placed, by: 1 | -1): void {
  info.instances += by;
  info.used.cpuMillis += by * placed.resources.cpuMillis;
  info.used.memoryBytes += by * placed.resources.memoryBytes;
}

function imageSizes(images: NonNullable<Host['status']>['images']): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { names, sizeBytes } of images ?? [])
    for (const name of names) sizes.set(normalizedImage(name), sizeBytes);
  return sizes;
}

/** `nginx` -> `docker.io/library/nginx:latest`: hosts report what the runtime resolved, pods say what people type. */
export function normalizedImage(reference: string): string {
  const slash = reference.indexOf('/');
  const first = slash < 0 ? '' : reference.slice(0, slash);
  const isHost = first === 'localhost' || first.includes('.') || first.includes(':');
  const full = isHost ? reference : `docker.io/${slash < 0 ? 'library/' : ''}${reference}`;
  if (full.includes('@')) return full;
  return full.lastIndexOf(':') > full.lastIndexOf('/') ? full : `${full}:latest`;
}

/** It holds its host's resources until its sandbox is gone. */
export const isEnded = (instance: ContainerInstance): boolean =>
  instance.status?.meteredTo !== undefined ||
  instance.status?.phase === 'Succeeded' ||
  instance.status?.phase === 'Failed';
