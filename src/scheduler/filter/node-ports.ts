import { hostPortsOf, portsConflict } from '../../api/pods/host-ports.ts';
import type { PodFilter } from './types.ts';

/** A node's ports have one owner each. */
export const nodePorts: PodFilter = {
  name: 'NodePorts',
  helpedBy: ['targetAdded', 'unitRemoved'],
  prepare(pod) {
    const wanted = hostPortsOf(pod.spec);
    if (wanted.length === 0) return undefined;
    return ({ holders }) => {
      for (const holder of holders) {
        if (!holder.hostPorts.some((taken) => wanted.some((port) => portsConflict(port, taken)))) continue;
        return { reasons: ["node(s) didn't have free ports for the requested pod ports"], resolvable: true };
      }
      return undefined;
    };
  },
};
