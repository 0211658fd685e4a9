import { podRequests } from '../../api/pods/pod-resources.ts';
import type { PodFilter } from './types.ts';

/** Virtual nodes are practically unlimited, but an operator may give one an allocatable that is not. */
export const nodeResources: PodFilter = {
  name: 'NodeResourcesFit',
  helpedBy: ['targetAdded', 'targetUpdated', 'unitRemoved'],
  prepare(pod) {
    const wanted = podRequests(pod.spec);
    return ({ allocatable, requested, podCount }) => {
      if (allocatable === undefined) return undefined;
      const reasons: string[] = [];
      let resolvable = true;
      const check = (reason: string, want: number, used: number, limit: number) => {
        if (want === 0 || used + want <= limit) return;
        reasons.push(reason);
        // A pod larger than the whole node is not helped by others' leaving.
        if (want > limit) resolvable = false;
      };
      check('Too many pods', 1, podCount, allocatable.pods);
      check('Insufficient cpu', wanted.cpuMillis, requested.cpuMillis, allocatable.cpuMillis);
      check('Insufficient memory', wanted.memoryBytes, requested.memoryBytes, allocatable.memoryBytes);
      check(
        'Insufficient ephemeral-storage',
        wanted.ephemeralStorageBytes,
        requested.ephemeralStorageBytes,
        allocatable.ephemeralStorageBytes,
      );
      return reasons.length === 0 ? undefined : { reasons, resolvable };
    };
  },
};
