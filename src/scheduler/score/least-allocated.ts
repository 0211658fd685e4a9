import type { HostScore } from '../filter/host-types.ts';
import { placementOf } from '../snapshot/pool-snapshot.ts';

/** The mean free share of CPU and memory once the instance is there, 0..100. */
export const leastAllocated: HostScore = {
  name: 'LeastAllocated',
  weight: 1,
  normalize: false,
  prepare(instance) {
    const wanted = placementOf(instance);
    const free = (limit: number, used: number) => (limit <= 0 ? 0 : Math.max(0, (100 * (limit - used)) / limit));
    return ({ allocatable, used }) =>
      (free(allocatable.cpuMillis, used.cpuMillis + wanted.cpuMillis) +
        free(allocatable.memoryBytes, used.memoryBytes + wanted.memoryBytes)) /
      2;
  },
};
