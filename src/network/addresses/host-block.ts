import { VPC_POD_CIDR } from '../../api/pool.ts';
import { type Cidr, parseCidr, subnet } from './ipv4.ts';

/** Prefix of the block of pod addresses that each host has in every VPC. */
const HOST_BLOCK_PREFIX = 21;

/** The pod addresses of host number `hostIndex`, the same in every VPC. The first usable one is the gateway. */
export function hostBlock(hostIndex: number): Cidr {
  return subnet(parseCidr(VPC_POD_CIDR), HOST_BLOCK_PREFIX, hostIndex);
}
