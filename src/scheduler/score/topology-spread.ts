import { domainCounts } from '../filter/topology-spread.ts';
import type { PodScore } from '../filter/types.ts';

/** topologySpreadConstraints with ScheduleAnyway: domains with fewer matching pods are better. */
export const preferredTopologySpread: PodScore = {
  name: 'PodTopologySpread',
  weight: 2,
  normalize: true,
  prepare(pod, view) {
    const constraints = (pod.spec.topologySpreadConstraints ?? []).filter(
      (constraint) => constraint.whenUnsatisfiable === 'ScheduleAnyway',
    );
    if (constraints.length === 0) return undefined;
    const spreads = constraints.map((constraint) => ({
      constraint,
      counts: domainCounts(pod, view, constraint, [constraint]).counts,
    }));
    return (target) =>
      -spreads.reduce((sum, { constraint, counts }) => {
        const value = target.labels[constraint.topologyKey];
        // A node outside every domain is the last choice.
        return sum + (value === undefined ? 1e6 : (counts.get(value) ?? 0) / constraint.maxSkew);
      }, 0);
  },
};
