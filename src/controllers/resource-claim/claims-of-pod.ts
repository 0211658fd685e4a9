import type { Pod } from '../../api/generated/core-v1.ts';
import type { ResourceClaim } from '../../api/generated/resource-v1.ts';
import { controllerOf } from '../common/owner.ts';
import { isPodTerminal } from '../common/pod-state.ts';

export type PodClaim = NonNullable<NonNullable<Pod['spec']>['resourceClaims']>[number];

/** Which of a pod's claims a generated ResourceClaim is for. */
export const POD_CLAIM_ANNOTATION = 'resource.kubernetes.io/pod-claim-name';

export const podClaimsOf = ({ spec }: Pod): PodClaim[] => spec?.resourceClaims ?? [];

/** The ResourceClaim behind a claim of a pod: `none` when none is needed, undefined when it was not made yet. */
export function claimNameOf(pod: Pod, claim: PodClaim): string | 'none' | undefined {
  if (claim.resourceClaimName !== undefined) return claim.resourceClaimName;
  const status = pod.status?.resourceClaimStatuses?.find(({ name }) => name === claim.name);
  return status === undefined ? undefined : (status.resourceClaimName ?? 'none');
}

export const isOwnedBy = (claim: ResourceClaim, pod: Pod): boolean => controllerOf(claim)?.uid === pod.metadata.uid;

/** Nothing of it runs, or ever will. */
export const isPodDone = (pod: Pod): boolean =>
  isPodTerminal(pod) || (pod.metadata.deletionTimestamp !== undefined && !pod.spec?.nodeName);

const longestBase = 57;

/** What the names of generated claims begin with: the pod's and the claim's, both shortened alike where they are long. */
export function generateNameFor(podName: string, claimName: string): string {
  const whole = `${podName}-${claimName}-`;
  if (whole.length <= longestBase) return whole;
  const shortened = (text: string) => text.slice(0, Math.floor((text.length * longestBase) / whole.length));
  return `${shortened(podName)}-${shortened(claimName)}`;
}
