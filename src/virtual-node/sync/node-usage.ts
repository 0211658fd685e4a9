import type { Node, Pod } from '../../api/generated/core-v1.ts';
import { NO_RESOURCES, type PodResources, podRequests, resourcesOf } from '../../api/pods/pod-resources.ts';
import type { ContainerInstance } from '../../api/pool.ts';
import { quantityValue } from '../../api/quantity.ts';
import type { Informer, InformerHandlers } from '../../client/informer.ts';
import { isFinishedPhase } from '../status/pod-status.ts';

/** What the instances of a tenant's virtual node ask for together. */
export interface NodeUsage extends PodResources {
  pods: number;
}

const nothing: Readonly<NodeUsage> = { ...NO_RESOURCES, pods: 0 };

/** By `tenant//node`, of nodes that hold any; kept up to date, since every pod that starts is held against it. */
export class NodeUsages {
  readonly #byNode = new Map<string, NodeUsage>();

  constructor(instances: Pick<Informer<ContainerInstance>, 'addHandlers'>) {
    const handlers: InformerHandlers<ContainerInstance> = {
      added: (instance) => this.#count(instance, 1),
      updated: (before, after) => {
        // Most updates are statuses that tell of something else.
        if (holds(before) === holds(after) && before.spec.podGeneration === after.spec.podGeneration) return;
        this.#count(before, -1);
        this.#count(after, 1);
      },
      deleted: (instance) => this.#count(instance, -1),
    };
    instances.addHandlers(handlers);
  }

  of(node: string): Readonly<NodeUsage> {
    return this.#byNode.get(node) ?? nothing;
  }

  #count(instance: ContainerInstance, by: 1 | -1): void {
    if (!holds(instance)) return;
    for (const key of nodeKeysOf(instance)) {
      const usage = this.#byNode.get(key) ?? { ...nothing };
      add(usage, podRequests(instance.spec.pod), by);
      if (usage.pods === 0) this.#byNode.delete(key);
      else this.#byNode.set(key, usage);
    }
  }
}

/** Those that end or have ended leave their room to others. */
const holds = ({ metadata, status }: ContainerInstance): boolean =>
  metadata.deletionTimestamp === undefined && !isFinishedPhase(status?.phase);

/** The virtual node an instance counts to, for the index. */
export const nodeKeysOf = ({ metadata, spec }: ContainerInstance): string[] =>
  spec.pod.nodeName ? [`${metadata.namespace}//${spec.pod.nodeName}`] : [];

/** What those of the instances use whose pods are still there: exact, and looked at only before a pod is refused. */
export function usageOf(instances: readonly ContainerInstance[], isThere: (instance: ContainerInstance) => boolean) {
  const usage = { ...nothing };
  for (const instance of instances) {
    if (holds(instance) && isThere(instance)) add(usage, podRequests(instance.spec.pod), 1);
  }
  return usage;
}

function add(usage: NodeUsage, resources: PodResources, by: 1 | -1): void {
  usage.pods += by;
  usage.cpuMillis += by * resources.cpuMillis;
  usage.memoryBytes += by * resources.memoryBytes;
  usage.ephemeralStorageBytes += by * resources.ephemeralStorageBytes;
}

export interface Insufficient {
  resource: string;
  requested: number;
  used: number;
  capacity: number;
}

/** What of the node's the pod would need more than there is left, the first of all. Source: noderesources.Fits. */
export function insufficientFor({ spec }: Pod, node: Node, used: Readonly<NodeUsage>): Insufficient | undefined {
  const list = node.status?.allocatable;
  if (list === undefined) return undefined;
  const wanted = podRequests(spec);
  const room = resourcesOf(list);
  const pods = list['pods'] === undefined ? Infinity : quantityValue(list['pods']);
  const checks: [string, number, number, number][] = [
    ['pods', 1, used.pods, pods],
    ['cpu', wanted.cpuMillis, used.cpuMillis, room.cpuMillis],
    ['memory', wanted.memoryBytes, used.memoryBytes, room.memoryBytes],
    ['ephemeral-storage', wanted.ephemeralStorageBytes, used.ephemeralStorageBytes, room.ephemeralStorageBytes],
  ];
  for (const [resource, requested, inUse, capacity] of checks) {
    if (requested > 0 && requested > capacity - inUse) return { resource, requested, used: inUse, capacity };
  }
  return undefined;
}
