import type { LabelSelector } from '../generated/meta-v1.ts';
import type { KubeObject } from '../object.ts';

interface Keyed {
  labelSelector?: LabelSelector;
  matchLabelKeys?: string[];
  mismatchLabelKeys?: string[];
}

/**
 * Puts what matchLabelKeys and mismatchLabelKeys name of a new pod's own labels into the selectors they belong to.
 * Source: mutatePodAffinity and mutateTopologySpreadConstraints of pkg/registry/core/pod.
 */
export function mergeLabelKeys(pod: KubeObject): void {
  const labels = pod.metadata.labels ?? {};
  const { affinity, topologySpreadConstraints } = pod['spec'];
  for (const kind of ['podAffinity', 'podAntiAffinity']) {
    const terms = affinity?.[kind];
    for (const { podAffinityTerm } of terms?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
      if (podAffinityTerm) merge(podAffinityTerm, labels);
    }
    for (const term of terms?.requiredDuringSchedulingIgnoredDuringExecution ?? []) merge(term, labels);
  }
  for (const constraint of topologySpreadConstraints ?? []) merge(constraint, labels);
}

function merge({ labelSelector, matchLabelKeys, mismatchLabelKeys }: Keyed, labels: Record<string, string>): void {
  if (!labelSelector) return;
  for (const [keys, operator] of [
    [matchLabelKeys, 'In'],
    [mismatchLabelKeys, 'NotIn'],
  ] as const) {
    for (const key of keys ?? []) {
      const value = labels[key];
      if (value === undefined) continue;
      labelSelector.matchExpressions = [...(labelSelector.matchExpressions ?? []), { key, operator, values: [value] }];
    }
  }
}
