import { nodeSelectorMatches } from '../snapshot/selector.ts';
import type { NodeInfo } from '../snapshot/tenant-snapshot.ts';
import type { Pod, PodFilter } from './types.ts';

const rejection = { reasons: ["node(s) didn't match Pod's node affinity/selector"], resolvable: false };

/** nodeSelector and required node affinity, both of which must match. */
export function requiredNodeAffinityMatches(pod: Pod, target: NodeInfo): boolean {
  for (const [key, value] of Object.entries(pod.spec.nodeSelector ?? {})) {
    if (target.labels[key] !== value) return false;
  }
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || nodeSelectorMatches(required, target.name, target.labels);
}

export const nodeAffinity: PodFilter = {
  name: 'NodeAffinity',
  helpedBy: ['targetAdded', 'targetUpdated'],
  prepare(pod) {
    const { nodeSelector, affinity } = pod.spec;
    const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    if (required === undefined && Object.keys(nodeSelector ?? {}).length === 0) return undefined;
    return (target) => (requiredNodeAffinityMatches(pod, target) ? undefined : rejection);
  },
};
