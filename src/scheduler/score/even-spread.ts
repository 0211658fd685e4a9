import type { PodScore } from '../filter/types.ts';

/**
 * What upstream's default spreading constraints do for Deployments and the like: pods of one controller go to the zone
 * that has the fewest of them. Pods without a controller go where fewer pods are.
 */
export const evenSpread: PodScore = {
  name: 'EvenSpread',
  weight: 1,
  normalize: true,
  prepare(pod, view) {
    const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller === true)?.uid;
    return owner === undefined ? (target) => -target.podCount : (target) => -view.snapshot.ofOwner(owner, target.name);
  },
};
