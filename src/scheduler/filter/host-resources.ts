import { resourcesOf } from '../../api/pod-resources.ts';
import type { HostFilter } from './host-types.ts';

/** The billable shape must fit into what the instances already there leave free. */
export const hostResources: HostFilter = {
  name: 'HostResourcesFit',
  helpedBy: ['targetAdded', 'targetUpdated', 'unitRemoved'],
  prepare(instance) {
    const wanted = resourcesOf(instance.spec.resources);
    return ({ allocatable, used, instances }) => {
      const reasons: string[] = [];
      if (instances + 1 > allocatable.instances) reasons.push('Too many instances');
      if (used.cpuMillis + wanted.cpuMillis > allocatable.cpuMillis) reasons.push('Insufficient cpu');
      if (used.memoryBytes + wanted.memoryBytes > allocatable.memoryBytes) reasons.push('Insufficient memory');
      return reasons.length === 0 ? undefined : { reasons, resolvable: true };
    };
  },
};
