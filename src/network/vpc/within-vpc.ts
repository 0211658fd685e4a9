import { BlockList, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { VPC_NODE_CIDR, VPC_POD_CIDR, VPC_SERVICE_CIDR } from '../../api/pool.ts';

const ranges = new BlockList();
for (const cidr of [VPC_POD_CIDR, VPC_SERVICE_CIDR, VPC_NODE_CIDR]) {
  const [network = '', prefix] = cidr.split('/');
  ranges.addSubnet(network, Number(prefix), 'ipv4');
}

/**
 * Whether a connection made for a VPC may go to an address. Tenants choose it (the host of a probe, of a hook), and the
 * machine's own addresses, loopback with them, come before every rule of routing: without this such a connection would
 * end at whatever listens on the machine.
 */
export function isWithinVpc(address: string): boolean {
  if (!isIPv4(address) || !ranges.check(address, 'ipv4')) return false;
  return !Object.values(networkInterfaces()).some((list) => list?.some((own) => own.address === address));
}

/** As the kernel would say it. */
export const unreachable = (address: string, port: number): Error =>
  Object.assign(new Error(`connect ENETUNREACH ${address}:${port}`), { code: 'ENETUNREACH', address, port });
