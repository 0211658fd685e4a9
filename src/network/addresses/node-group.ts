import { VPC_NODE_CIDR } from '../../api/pool.ts';
import { contains, isAddress, parseAddress, parseCidr } from './ipv4.ts';

const nodeCidr = parseCidr(VPC_NODE_CIDR);

export const isNodeAddress = (address: string): boolean =>
  isAddress(address) && contains(nodeCidr, parseAddress(address));

/**
 * The kernel's interface group of the pods of one virtual node, by which rules know where a packet comes from; 0 is the
 * group of all others.
 */
export const nodeGroup = (nodeAddress: string | undefined): number =>
  nodeAddress !== undefined && isNodeAddress(nodeAddress) ? parseAddress(nodeAddress) & 0xffff : 0;
