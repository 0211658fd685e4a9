import type { PodAffinityTerm } from '../../api/generated/core-v1.ts';
import type { LabelSelector } from '../../api/generated/meta-v1.ts';
import type { Labels } from '../snapshot/selector.ts';
import type { Pod, PodView } from './types.ts';

/** A term's selector with matchLabelKeys and mismatchLabelKeys (KEP-3633) taken from the pod that carries the term. */
export function selectorWithKeys(
  selector: LabelSelector | undefined,
  labels: Labels,
  matchKeys: readonly string[] | undefined,
  mismatchKeys?: readonly string[],
): LabelSelector | undefined {
  const extra = [
    ...(matchKeys ?? [])
      .filter((key) => labels[key] !== undefined)
      .map((key) => ({ key, operator: 'In', values: [labels[key]!] })),
    ...(mismatchKeys ?? [])
      .filter((key) => labels[key] !== undefined)
      .map((key) => ({ key, operator: 'NotIn', values: [labels[key]!] })),
  ];
  if (selector === undefined || extra.length === 0) return selector;
  return { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...extra] };
}

export function termSelector(term: PodAffinityTerm, labels: Labels): LabelSelector | undefined {
  return selectorWithKeys(term.labelSelector, labels, term.matchLabelKeys, term.mismatchLabelKeys);
}

/** The namespaces a term speaks of: those named and those selected; its own pod's when it says neither. */
export function termNamespaces(term: PodAffinityTerm, ownNamespace: string, view: PodView): string[] {
  const named = term.namespaces ?? [];
  if (term.namespaceSelector === undefined) return named.length > 0 ? named : [ownNamespace];
  return [...new Set([...named, ...view.namespacesMatching(term.namespaceSelector)])];
}

export const labelsOf = (pod: Pod): Labels => pod.metadata.labels ?? {};
