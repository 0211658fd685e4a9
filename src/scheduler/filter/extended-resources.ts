import { quantityNumber } from '../../api/quantity.ts';
import type { Pod, PodFilter } from './types.ts';

const builtIn = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** Devices and huge pages: no virtual node offers any until its pool does, so a pod that asks for one says so. */
export const extendedResources: PodFilter = {
  name: 'NodeResourcesFit',
  helpedBy: ['targetAdded', 'targetUpdated'],
  prepare(pod) {
    const wanted = extendedRequests(pod);
    if (wanted.size === 0) return undefined;
    return ({ node }) => {
      const reasons = [...wanted]
        .filter(([resource, amount]) => amount > quantityNumber(node.status?.allocatable?.[resource] ?? 0))
        .map(([resource]) => `Insufficient ${resource}`);
      return reasons.length === 0 ? undefined : { reasons, resolvable: false };
    };
  },
};

function extendedRequests(pod: Pod): Map<string, number> {
  const wanted = new Map<string, number>();
  for (const container of pod.spec.containers) {
    for (const [resource, quantity] of Object.entries(container.resources?.requests ?? {})) {
      if (builtIn.has(resource)) continue;
      const amount = quantityNumber(quantity);
      if (amount > 0) wanted.set(resource, (wanted.get(resource) ?? 0) + amount);
    }
  }
  return wanted;
}
