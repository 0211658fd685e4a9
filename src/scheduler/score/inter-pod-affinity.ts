import type { WeightedPodAffinityTerm } from '../../api/generated/core-v1.ts';
import { domainsOf } from '../filter/inter-pod-affinity.ts';
import { labelsOf, termNamespaces, termSelector } from '../filter/selector-of.ts';
import type { Pod, PodScore, PodView } from '../filter/types.ts';

/** Preferred pod affinity adds its weight where matching pods are, preferred anti-affinity takes it away. */
export const preferredInterPodAffinity: PodScore = {
  name: 'InterPodAffinity',
  weight: 2,
  normalize: true,
  prepare(pod, view) {
    const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
    const wishes = [
      ...weigh(pod, view, podAffinity?.preferredDuringSchedulingIgnoredDuringExecution, 1),
      ...weigh(pod, view, podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution, -1),
    ];
    if (wishes.length === 0) return undefined;
    return (target) =>
      wishes.reduce((sum, { key, domains, weight }) => sum + (domains.has(target.labels[key] ?? '\0') ? weight : 0), 0);
  },
};

function weigh(pod: Pod, view: PodView, terms: WeightedPodAffinityTerm[] | undefined, sign: 1 | -1) {
  return (terms ?? []).map(({ weight, podAffinityTerm: term }) => {
    const namespaces = termNamespaces(term, pod.metadata.namespace ?? '', view);
    const counts = view.snapshot.matches(namespaces, termSelector(term, labelsOf(pod)));
    return { key: term.topologyKey, domains: domainsOf(view, counts.all, term.topologyKey), weight: sign * weight };
  });
}
