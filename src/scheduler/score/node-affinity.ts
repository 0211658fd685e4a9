import { nodeTermMatches } from '../../api/selectors/node-selectors.ts';
import type { PodScore } from '../filter/types.ts';

/** Preferred node affinity: the weights of the terms that match. */
export const preferredNodeAffinity: PodScore = {
  name: 'NodeAffinity',
  weight: 2,
  normalize: true,
  prepare(pod) {
    const terms = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (terms.length === 0) return undefined;
    return (target) =>
      terms.reduce(
        (sum, { weight, preference }) => sum + (nodeTermMatches(preference, target.name, target.labels) ? weight : 0),
        0,
      );
  },
};
