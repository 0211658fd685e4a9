import type { Pod } from '../../api/generated/core-v1.ts';
import type { ObjectKey } from '../../client/informer.ts';

/** The key of the node a pod is bound to. */
export const nodeKeyOf = (pod: Pod): ObjectKey => `${pod.metadata.clusterName}//${pod.spec?.nodeName ?? ''}`;

/** Pods by the key of their node. */
export const byNode = {
  node: (pod: Pod) => ((pod.spec?.nodeName ?? '') === '' ? [] : [nodeKeyOf(pod)]),
};
