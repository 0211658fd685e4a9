/** The contract lives in api/, where network/ (which implements it) may see it too. */
export type { PodAddress, PodNetwork } from '../api/pod-network.ts';
