import { quantityNumber } from '../../api/quantity.ts';
import { extendedRequests } from '../snapshot/extended-requests.ts';
import type { PodFilter } from './types.ts';

/** Devices and the like: what a node says it has of them, less what its pods hold. No virtual node has any by itself. */
export const extendedResources: PodFilter = {
  name: 'NodeResourcesFit',
  helpedBy: ['targetAdded', 'targetUpdated', 'unitRemoved'],
  prepare(pod) {
    const wanted = extendedRequests(pod.spec);
    if (wanted.size === 0) return undefined;
    return ({ node, holders }) => {
      const reasons: string[] = [];
      let resolvable = true;
      for (const [resource, amount] of wanted) {
        const limit = quantityNumber(node.status?.allocatable?.[resource] ?? 0);
        let used = 0;
        for (const holder of holders) used += holder.extended.get(resource) ?? 0;
        if (used + amount <= limit) continue;
        reasons.push(`Insufficient ${resource}`);
        if (amount > limit) resolvable = false;
      }
      return reasons.length === 0 ? undefined : { reasons, resolvable };
    };
  },
};
