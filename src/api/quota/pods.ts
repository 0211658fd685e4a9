import type { Affinity, Pod, PodAffinityTerm, PodSpec } from '../generated/core-v1.ts';
import type { KubeObject } from '../object.ts';
import { hasPodLevelResources, podResourceList } from '../pods/pod-resource-lists.ts';
import { computeQuotaResources } from '../resource-names.ts';
import { qosClassOf } from '../strategies/qos-class.ts';
import { type QuotaEvaluator, selectsName } from './evaluator.ts';
import { addTo, type ResourceList } from './resource-list.ts';

const objectCount = 'count/pods';
const computeNames = new Set([objectCount, ...computeQuotaResources, 'pods']);
const deviceClassPrefix = 'deviceclass.resource.kubernetes.io/';

const isNative = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/');
const isExtended = (name: string): boolean => !isNative(name) && !name.startsWith('requests.');
/** Extended resources are limited by what is requested of them alone. */
const isExtendedQuota = (name: string): boolean =>
  name.startsWith('requests.') && (!isNative(name) || name.startsWith(`requests.${deviceClassPrefix}`));

/** Limited, these must be given for each container; no others ever will (upstream calls it a mistake). */
const mustBeGiven = new Set(['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory']);

const isTerminating = ({ spec }: KubeObject): boolean => (spec.activeDeadlineSeconds ?? -1) >= 0;

export const podEvaluator: QuotaEvaluator = {
  handles({ operation, subresource, object, oldObject }) {
    if (subresource === 'resize') return operation === 'UPDATE';
    if (subresource !== '') return false;
    return operation === 'CREATE' || (operation === 'UPDATE' && isTerminating(object!) !== isTerminating(oldObject!));
  },
  isMine: (name) =>
    computeNames.has(name) ||
    name.startsWith('hugepages-') ||
    name.startsWith('requests.hugepages-') ||
    isExtendedQuota(name),
  matchesScope(selector, pod) {
    const { spec } = pod;
    switch (selector.scopeName) {
      case 'Terminating':
        return isTerminating(pod);
      case 'NotTerminating':
        return !isTerminating(pod);
      case 'BestEffort':
        return qosOf(pod) === 'BestEffort';
      case 'NotBestEffort':
        return qosOf(pod) !== 'BestEffort';
      case 'PriorityClass':
        return selectsName(selector, spec.priorityClassName ?? '');
      case 'CrossNamespacePodAffinity':
        return reachesOtherNamespaces(spec);
      default:
        return false;
    }
  },
  missing(limited, { spec }) {
    if (hasPodLevelResources(spec)) return undefined;
    const required = limited.filter((name) => mustBeGiven.has(name));
    const without = new Map<string, Set<string>>();
    for (const { name, resources } of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
      const given = computeUsage(resources?.requests ?? {}, resources?.limits ?? {});
      for (const resource of required) {
        if (given[resource] !== undefined) continue;
        if (!without.has(resource)) without.set(resource, new Set());
        without.get(resource)!.add(name);
      }
    }
    if (without.size === 0) return undefined;
    const parts = [...without.keys()].sort().map((name) => `${name} for: ${[...without.get(name)!].sort().join(',')}`);
    return `must specify ${parts.join('; ')}`;
  },
  usage: (pod, nowMs) => (endsCharging(pod) > nowMs ? liveUsage(pod) : { [objectCount]: '1' }),
};

/** When the pod stops counting although it is there (epoch milliseconds): it has ended, or should be gone by now. */
export function endsCharging({ status, metadata }: KubeObject): number {
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return Number.NEGATIVE_INFINITY;
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return Number.POSITIVE_INFINITY;
  return Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000 + 1;
}

/** Pods are shared objects that never change: their sums are made once. */
const known = new WeakMap<KubeObject, ResourceList>();

function liveUsage(pod: KubeObject): ResourceList {
  // A fresh object (no resourceVersion) is still being written to.
  const isShared = Boolean(pod.metadata.resourceVersion) && Boolean(pod.metadata.clusterName);
  const cached = isShared ? known.get(pod) : undefined;
  if (cached !== undefined) return cached;
  const options = { useStatus: true, podLevelHugePages: true };
  const requests = podResourceList(pod as unknown as Pod as never, 'requests', options);
  const limits = podResourceList(pod as unknown as Pod as never, 'limits', options);
  const usage = addTo({ [objectCount]: '1' }, computeUsage(requests, limits));
  if (isShared) known.set(pod, usage);
  return usage;
}

function computeUsage(requests: ResourceList, limits: ResourceList): Record<string, string> {
  const usage: Record<string, string> = { pods: '1' };
  for (const name of ['cpu', 'memory', 'ephemeral-storage']) {
    if (requests[name] !== undefined) usage[name] = usage[`requests.${name}`] = requests[name];
    if (limits[name] !== undefined) usage[`limits.${name}`] = limits[name];
  }
  for (const name in requests) {
    if (name.startsWith('hugepages-')) usage[name] = usage[`requests.${name}`] = requests[name]!;
    if (isExtended(name) || name.startsWith(deviceClassPrefix)) usage[`requests.${name}`] = requests[name]!;
  }
  return usage;
}

const qosOf = ({ spec, status }: KubeObject): string => status?.qosClass || qosClassOf(spec as PodSpec);

function reachesOtherNamespaces({ affinity }: { affinity?: Affinity }): boolean {
  const reaches = (term: PodAffinityTerm) =>
    (term.namespaces ?? []).length > 0 ||
    (term.namespaceSelector !== undefined && (term.namespaceSelector as unknown) !== null);
  return [affinity?.podAffinity, affinity?.podAntiAffinity].some(
    (one) =>
      one?.requiredDuringSchedulingIgnoredDuringExecution?.some(reaches) ||
      one?.preferredDuringSchedulingIgnoredDuringExecution?.some(({ podAffinityTerm }) => reaches(podAffinityTerm)),
  );
}
