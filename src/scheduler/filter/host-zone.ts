import type { HostFilter } from './host-types.ts';

/** The virtual node a pod was bound to stands for one zone; its instance runs there. */
export const hostZone: HostFilter = {
  name: 'HostZone',
  helpedBy: ['targetAdded', 'targetUpdated'],
  prepare(instance) {
    const { zone } = instance.spec;
    const rejection = { reasons: [`host(s) were not in zone ${zone}`], resolvable: false };
    return (target) => (target.zones.has(zone) ? undefined : rejection);
  },
};
