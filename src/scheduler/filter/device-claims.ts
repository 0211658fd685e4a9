import type { PodFilter } from './types.ts';

/**
 * A pod that claims devices waits for its claims, in upstream's words (DynamicResources). Virtual nodes have no devices, so
 * none of its claims can ever be had here.
 */
export const deviceClaims: PodFilter = {
  name: 'DynamicResources',
  helpedBy: ['related'],
  prepare(pod, view) {
    const { namespace = '', name } = pod.metadata;
    let isAllocated = false;
    for (const { name: reference, resourceClaimName } of pod.spec.resourceClaims ?? []) {
      const made = pod.status?.resourceClaimStatuses?.find((status) => status.name === reference);
      if (resourceClaimName === undefined && made === undefined)
        return `pod "${namespace}/${name}": ResourceClaim not created yet`;
      const claimName = resourceClaimName ?? made?.resourceClaimName;
      // None was needed.
      if (claimName === undefined) continue;
      const state = view.deviceClaimState(namespace, claimName);
      if (state === undefined) return `resourceclaim.resource.k8s.io "${claimName}" not found`;
      if (state === 'deleting') return `resourceclaim "${claimName}" is being deleted`;
      if (state === 'unallocated') return () => ({ reasons: ['cannot allocate all claims'], resolvable: false });
      isAllocated = true;
    }
    if (!isAllocated) return undefined;
    return () => ({ reasons: ['resourceclaim not available on the node'], resolvable: false });
  },
};
