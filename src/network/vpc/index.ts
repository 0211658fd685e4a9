export { createVpcNetwork } from './kernel-vpc-network.ts';
export type { CarriedVpc, VpcNetwork, VpcNetworkOptions } from './vpc-network.ts';
