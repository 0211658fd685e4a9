/** The contract lives in api/, where network/ (which implements it) may see it too. */
export type { HostPort, PodAddress, PodNetwork } from '../api/pod-network.ts';
