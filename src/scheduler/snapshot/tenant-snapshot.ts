import type { Node, Pod, PodAffinityTerm } from '../../api/generated/core-v1.ts';
import type { LabelSelector } from '../../api/generated/meta-v1.ts';
import { hostPortsOf, type TakenPort } from '../../api/pods/host-ports.ts';
import { NO_RESOURCES, type PodResources, podRequests, resourcesOf } from '../../api/pods/pod-resources.ts';
import { quantityValue } from '../../api/quantity.ts';
import type { Target } from '../framework/plugin.ts';
import type { Placed } from '../framework/preemption.ts';
import { extendedRequests } from './extended-requests.ts';
import { type Labels, labelSelectorMatches } from './selector.ts';

/** A tenant's virtual Node with what is placed on it. */
export interface NodeInfo extends Target {
  node: Node;
  labels: Labels;
  /** Undefined: the node says nothing about it. */
  allocatable: (PodResources & { pods: number }) | undefined;
  requested: PodResources;
  podCount: number;
  /** The pods on it that hold host ports or extended resources; nearly always none. */
  holders: Set<PlacedPod>;
}

/** A placed pod, as far as placing others depends on it; worked out once. */
export interface PlacedPod extends Placed {
  uid: string;
  name: string;
  nodeName: string;
  namespace: string;
  labels: Labels;
  terminating: boolean;
  /** On its way out because the scheduler sent it away. */
  preempted: boolean;
  /** uid of its controller. */
  owner: string | undefined;
  requests: PodResources;
  antiAffinity: readonly PodAffinityTerm[];
  hostPorts: readonly TakenPort[];
  /** By resource. */
  extended: ReadonlyMap<string, number>;
}

/** How many placed pods match a selector, by node; kept up to date with every pod. */
export interface MatchCounts {
  all: Map<string, number>;
  /** Without the terminating ones. */
  live: Map<string, number>;
  total: number;
}

interface Counter extends MatchCounts {
  matches(pod: PlacedPod): boolean;
}

/** Counters are made on demand; a tenant with more selectors than this in use starts over. */
const MAX_COUNTERS = 256;
/** Preemption takes out so many pods, times the counters each is counted by, in one go: others wait for it. */
const CANDIDATE_WORK = 50_000;
const FEWEST_CANDIDATES = 50;
const noLabels: Labels = {};

/** One tenant's nodes and placed pods, kept incrementally: every question a filter asks is O(nodes) or O(1). */
export class TenantSnapshot {
  readonly nodes = new Map<string, NodeInfo>();
  readonly #pods = new Map<string, PlacedPod>();
  readonly #repellers = new Set<PlacedPod>();
  /** How many placed pods have each priority. */
  readonly #priorities = new Map<number, number>();
  readonly #counters = new Map<string, Counter>();
  readonly #byOwner = new Map<string, Map<string, number>>();
  #targets: readonly NodeInfo[] | undefined;

  /** Every node, in the order they came. */
  get targets(): readonly NodeInfo[] {
    this.#targets ??= [...this.nodes.values()];
    return this.#targets;
  }

  /** Placed pods with required anti-affinity. */
  get repellers(): Iterable<PlacedPod> {
    return this.#repellers;
  }

  get hasPods(): boolean {
    return this.#pods.size > 0;
  }

  setNode(node: Node): void {
    this.#targets = undefined;
    const name = node.metadata.name;
    const known = this.nodes.get(name);
    const labels = node.metadata.labels ?? noLabels;
    if (known !== undefined) {
      known.node = node;
      known.labels = labels;
      known.allocatable = allocatableOf(node);
      return;
    }
    const allocatable = allocatableOf(node);
    const info: NodeInfo = {
      name,
      node,
      labels,
      allocatable,
      requested: { ...NO_RESOURCES },
      podCount: 0,
      holders: new Set(),
    };
    this.nodes.set(name, info);
    // Pods may be heard of before their node.
    for (const pod of this.#pods.values()) if (pod.nodeName === name) account(info, pod, 1);
  }

  removeNode(name: string): void {
    this.#targets = undefined;
    this.nodes.delete(name);
  }

  hasPod(uid: string): boolean {
    return this.#pods.has(uid);
  }

  placed(uid: string): PlacedPod | undefined {
    return this.#pods.get(uid);
  }

  /**
   * Those placed on the node whose priority is lower; of very many the least important alone, as many as can be taken out
   * and put back within milliseconds.
   */
  lowerOn(nodeName: string, priority: number): PlacedPod[] {
    let isAny = false;
    for (const known of this.#priorities.keys()) isAny ||= known < priority;
    if (!isAny) return [];
    const lower = [...this.#pods.values()].filter((pod) => pod.nodeName === nodeName && pod.priority < priority);
    const most = Math.max(FEWEST_CANDIDATES, Math.floor(CANDIDATE_WORK / (1 + this.#counters.size)));
    if (lower.length <= most) return lower;
    return lower.sort((a, b) => a.priority - b.priority || b.since - a.since).slice(0, most);
  }

  /** Adds the pod, or replaces what was known of it. */
  setPod(pod: PlacedPod): void {
    this.removePod(pod.uid);
    this.#pods.set(pod.uid, pod);
    if (pod.antiAffinity.length > 0) this.#repellers.add(pod);
    this.#count(pod, 1);
  }

  removePod(uid: string): void {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    this.#pods.delete(uid);
    this.#repellers.delete(pod);
    this.#count(pod, -1);
  }

  /** Placed pods of these namespaces that match. */
  matches(namespaces: readonly string[], selector: LabelSelector | undefined): MatchCounts {
    const key = `${[...namespaces].sort().join(',')}|${JSON.stringify(selector)}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      const allowed = new Set(namespaces);
      counter = {
        all: new Map(),
        live: new Map(),
        total: 0,
        matches: (pod) => allowed.has(pod.namespace) && labelSelectorMatches(selector, pod.labels),
      };
      for (const pod of this.#pods.values()) if (counter.matches(pod)) tally(counter, pod, 1);
      if (this.#counters.size >= MAX_COUNTERS) this.#counters.clear();
      this.#counters.set(key, counter);
    }
    return counter;
  }

  /** Pods of one controller on the node. */
  ofOwner(owner: string, nodeName: string): number {
    return this.#byOwner.get(owner)?.get(nodeName) ?? 0;
  }

  #count(pod: PlacedPod, by: 1 | -1): void {
    const withPriority = (this.#priorities.get(pod.priority) ?? 0) + by;
    if (withPriority === 0) this.#priorities.delete(pod.priority);
    else this.#priorities.set(pod.priority, withPriority);
    const info = this.nodes.get(pod.nodeName);
    if (info !== undefined) account(info, pod, by);
    for (const counter of this.#counters.values()) if (counter.matches(pod)) tally(counter, pod, by);
    if (pod.owner === undefined) return;
    const counts = this.#byOwner.get(pod.owner) ?? new Map<string, number>();
    bump(counts, pod.nodeName, by);
    if (counts.size === 0) this.#byOwner.delete(pod.owner);
    else this.#byOwner.set(pod.owner, counts);
  }
}

function allocatableOf(node: Node): NodeInfo['allocatable'] {
  const list = node.status?.allocatable;
  if (list === undefined) return undefined;
  return { ...resourcesOf(list), pods: list['pods'] === undefined ? Infinity : quantityValue(list['pods']) };
}

function account(info: NodeInfo, pod: PlacedPod, by: 1 | -1): void {
  info.podCount += by;
  if (pod.hostPorts.length > 0 || pod.extended.size > 0) {
    if (by === 1) info.holders.add(pod);
    else info.holders.delete(pod);
  }
  const { requested } = info;
  requested.cpuMillis += by * pod.requests.cpuMillis;
  requested.memoryBytes += by * pod.requests.memoryBytes;
  requested.ephemeralStorageBytes += by * pod.requests.ephemeralStorageBytes;
}

function tally(counter: Counter, pod: PlacedPod, by: 1 | -1): void {
  counter.total += by;
  bump(counter.all, pod.nodeName, by);
  if (!pod.terminating) bump(counter.live, pod.nodeName, by);
}

function bump(counts: Map<string, number>, key: string, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}

export function placedPodOf(pod: Pod, nodeName: string): PlacedPod {
  const { metadata, spec } = pod;
  return {
    uid: metadata.uid,
    name: metadata.name,
    priority: spec.priority ?? 0,
    since: startOf(pod),
    nodeName,
    namespace: metadata.namespace ?? '',
    labels: metadata.labels ?? noLabels,
    terminating: metadata.deletionTimestamp !== undefined,
    preempted: isPreempted(pod),
    owner: metadata.ownerReferences?.find((reference) => reference.controller === true)?.uid,
    requests: podRequests(spec!),
    antiAffinity: spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
    hostPorts: hostPortsOf(spec),
    extended: extendedRequests(spec),
  };
}

/** A pod that has not started yet is the newest of all. */
export const startOf = ({ status }: Pod): number =>
  status?.startTime === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(status.startTime);

function isPreempted({ metadata, status }: Pod): boolean {
  if (metadata.deletionTimestamp === undefined) return false;
  const condition = status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
  return condition?.status === 'True' && condition.reason === 'PreemptionByScheduler';
}

/** Finished pods hold nothing any more. */
export const isFinished = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
