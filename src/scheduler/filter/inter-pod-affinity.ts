import { labelSelectorMatches } from '../snapshot/selector.ts';
import type { NodeInfo } from '../snapshot/tenant-snapshot.ts';
import { labelsOf, termNamespaces, termSelector } from './selector-of.ts';
import type { Pod, PodFilter, PodView } from './types.ts';

const notNear = { reasons: ["node(s) didn't match pod affinity rules"], resolvable: false };
const tooNear = { reasons: ["node(s) didn't match pod anti-affinity rules"], resolvable: true };
const repelled = { reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"], resolvable: true };

/** Required pod affinity and anti-affinity, the placed pods' anti-affinity included. */
export const interPodAffinity: PodFilter = {
  name: 'InterPodAffinity',
  helpedBy: ['targetAdded', 'targetUpdated', 'unitPlaced', 'unitRemoved', 'related'],
  prepare(pod, view) {
    const near = affinityTest(pod, view);
    const far = antiAffinityTest(pod, view);
    const repel = repelledTest(pod, view);
    if (near === undefined && far === undefined && repel === undefined) return undefined;
    return (target) => {
      if (near !== undefined && !near(target)) return notNear;
      if (far !== undefined && !far(target)) return tooNear;
      if (repel !== undefined && !repel(target)) return repelled;
      return undefined;
    };
  },
};

/** Values of `topologyKey` among the nodes that carry at least one of the counted pods. */
export function domainsOf(view: PodView, counts: ReadonlyMap<string, number>, topologyKey: string): Set<string> {
  const domains = new Set<string>();
  for (const nodeName of counts.keys()) {
    const value = view.snapshot.nodes.get(nodeName)?.labels[topologyKey];
    if (value !== undefined) domains.add(value);
  }
  return domains;
}

function affinityTest(pod: Pod, view: PodView): ((target: NodeInfo) => boolean) | undefined {
  const terms = pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  if (terms.length === 0) return undefined;
  const labels = labelsOf(pod);
  const namespace = pod.metadata.namespace ?? '';
  const needs = terms.map((term) => {
    const namespaces = termNamespaces(term, namespace, view);
    const selector = termSelector(term, labels);
    const counts = view.snapshot.matches(namespaces, selector);
    return {
      key: term.topologyKey,
      total: counts.total,
      domains: domainsOf(view, counts.all, term.topologyKey),
      matchesSelf: namespaces.includes(namespace) && labelSelectorMatches(selector, labels),
    };
  });
  // The first pod of a group that wants to be together has nobody to join yet.
  const isFirst = needs.every((need) => need.total === 0 && need.matchesSelf);
  return (target) =>
    needs.every((need) => {
      const value = target.labels[need.key];
      return value !== undefined && (isFirst || need.domains.has(value));
    });
}

function antiAffinityTest(pod: Pod, view: PodView): ((target: NodeInfo) => boolean) | undefined {
  const terms = pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  if (terms.length === 0) return undefined;
  const taken = terms.map((term) => {
    const namespaces = termNamespaces(term, pod.metadata.namespace ?? '', view);
    const counts = view.snapshot.matches(namespaces, termSelector(term, labelsOf(pod)));
    return { key: term.topologyKey, domains: domainsOf(view, counts.all, term.topologyKey) };
  });
  return (target) => taken.every(({ key, domains }) => !domains.has(target.labels[key] ?? '\0'));
}

function repelledTest(pod: Pod, view: PodView): ((target: NodeInfo) => boolean) | undefined {
  const forbidden = new Map<string, Set<string>>();
  const labels = labelsOf(pod);
  for (const placed of view.snapshot.repellers) {
    for (const term of placed.antiAffinity) {
      if (!labelSelectorMatches(termSelector(term, placed.labels), labels)) continue;
      if (!termNamespaces(term, placed.namespace, view).includes(pod.metadata.namespace ?? '')) continue;
      const value = view.snapshot.nodes.get(placed.nodeName)?.labels[term.topologyKey];
      if (value === undefined) continue;
      const values = forbidden.get(term.topologyKey) ?? new Set();
      forbidden.set(term.topologyKey, values.add(value));
    }
  }
  if (forbidden.size === 0) return undefined;
  return (target) => [...forbidden].every(([key, values]) => !values.has(target.labels[key] ?? '\0'));
}
