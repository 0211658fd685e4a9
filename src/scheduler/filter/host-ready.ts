import type { HostFilter } from './host-types.ts';

const notReady = { reasons: ['host(s) were not ready'], resolvable: false };
const unschedulable = { reasons: ['host(s) were unschedulable'], resolvable: false };

/** Hosts whose agent reports, and that the operator has not cordoned. */
export const hostReady: HostFilter = {
  name: 'HostReady',
  helpedBy: ['targetAdded', 'targetUpdated'],
  prepare:
    () =>
    ({ host }) => {
      if (host.spec.unschedulable === true) return unschedulable;
      if (host.metadata.deletionTimestamp !== undefined) return unschedulable;
      const isReady = host.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
      return isReady ? undefined : notReady;
    },
};
