import { requiredNodeAffinityMatches } from '../../api/selectors/node-selectors.ts';
import type { PodFilter } from './types.ts';

const rejection = { reasons: ["node(s) didn't match Pod's node affinity/selector"], resolvable: false };

export const nodeAffinity: PodFilter = {
  name: 'NodeAffinity',
  helpedBy: ['targetAdded', 'targetUpdated'],
  prepare(pod) {
    const { nodeSelector, affinity } = pod.spec;
    const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    if (required === undefined && Object.keys(nodeSelector ?? {}).length === 0) return undefined;
    return (target) => (requiredNodeAffinityMatches(pod.spec, target.name, target.labels) ? undefined : rejection);
  },
};
