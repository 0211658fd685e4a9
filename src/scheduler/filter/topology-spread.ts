import type { TopologySpreadConstraint } from '../../api/generated/core-v1.ts';
import { requiredNodeAffinityMatches } from '../../api/selectors/node-selectors.ts';
import { labelSelectorMatches } from '../snapshot/selector.ts';
import type { NodeInfo } from '../snapshot/tenant-snapshot.ts';
import { labelsOf, selectorWithKeys } from './selector-of.ts';
import { untoleratedTaint } from './taint-toleration.ts';
import type { Pod, PodFilter, PodView } from './types.ts';

const skewed = { reasons: ["node(s) didn't match pod topology spread constraints"], resolvable: true };
const unlabelled = {
  reasons: ["node(s) didn't match pod topology spread constraints (missing required label)"],
  resolvable: false,
};

/** topologySpreadConstraints with whenUnsatisfiable DoNotSchedule (KEP-895, KEP-3022, KEP-3094, KEP-3243). */
export const topologySpread: PodFilter = {
  name: 'PodTopologySpread',
  helpedBy: ['targetAdded', 'targetUpdated', 'unitPlaced', 'unitRemoved'],
  prepare(pod, view) {
    const constraints = (pod.spec.topologySpreadConstraints ?? []).filter(
      (constraint) => constraint.whenUnsatisfiable === 'DoNotSchedule',
    );
    if (constraints.length === 0) return undefined;
    const spreads = constraints.map((constraint) => {
      const { counts, matchesSelf } = domainCounts(pod, view, constraint, constraints);
      const enoughDomains = counts.size >= (constraint.minDomains ?? 1);
      const lowest = enoughDomains && counts.size > 0 ? Math.min(...counts.values()) : 0;
      return { constraint, counts, lowest, own: matchesSelf ? 1 : 0 };
    });
    return (target) => {
      for (const { constraint, counts, lowest, own } of spreads) {
        const value = target.labels[constraint.topologyKey];
        if (value === undefined) return unlabelled;
        if ((counts.get(value) ?? 0) + own - lowest > constraint.maxSkew) return skewed;
      }
      return undefined;
    };
  },
};

/** Matching pods by domain, over the domains this pod could go to. */
export function domainCounts(
  pod: Pod,
  view: PodView,
  constraint: TopologySpreadConstraint,
  together: readonly TopologySpreadConstraint[],
): { counts: Map<string, number>; matchesSelf: boolean } {
  const labels = labelsOf(pod);
  const selector = selectorWithKeys(constraint.labelSelector, labels, constraint.matchLabelKeys);
  const matching = view.snapshot.matches([pod.metadata.namespace ?? ''], selector).live;
  const counts = new Map<string, number>();
  for (const target of view.snapshot.targets) {
    if (!isEligible(pod, target, constraint, together)) continue;
    const value = target.labels[constraint.topologyKey]!;
    counts.set(value, (counts.get(value) ?? 0) + (matching.get(target.name) ?? 0));
  }
  return { counts, matchesSelf: labelSelectorMatches(selector, labels) };
}

function isEligible(
  pod: Pod,
  target: NodeInfo,
  constraint: TopologySpreadConstraint,
  together: readonly TopologySpreadConstraint[],
): boolean {
  if (together.some(({ topologyKey }) => target.labels[topologyKey] === undefined)) return false;
  const honorsAffinity = (constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor';
  if (honorsAffinity && !requiredNodeAffinityMatches(pod.spec, target.name, target.labels)) return false;
  return (
    constraint.nodeTaintsPolicy !== 'Honor' ||
    untoleratedTaint(target.node.spec?.taints, pod.spec.tolerations) === undefined
  );
}
