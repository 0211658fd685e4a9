import { placementOf } from '../snapshot/pool-snapshot.ts';
import type { HostFilter } from './host-types.ts';

/** What the instance takes up must fit into what those already there leave. */
export const hostResources: HostFilter = {
  name: 'HostResourcesFit',
  helpedBy: ['targetAdded', 'targetUpdated', 'unitRemoved'],
  prepare(instance) {
    const wanted = placementOf(instance);
    return ({ allocatable, used, instances }) => {
      const reasons: string[] = [];
      if (instances + 1 > allocatable.instances) reasons.push('Too many instances');
      if (used.cpuMillis + wanted.cpuMillis > allocatable.cpuMillis) reasons.push('Insufficient cpu');
      if (used.memoryBytes + wanted.memoryBytes > allocatable.memoryBytes) reasons.push('Insufficient memory');
      return reasons.length === 0 ? undefined : { reasons, resolvable: true };
    };
  },
};
