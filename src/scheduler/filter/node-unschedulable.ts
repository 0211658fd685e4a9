import { tolerates } from './taint-toleration.ts';
import type { PodFilter } from './types.ts';

const rejection = { reasons: ['node(s) were unschedulable'], resolvable: false };
const taint = { key: 'node.kubernetes.io/unschedulable', value: '', effect: 'NoSchedule' };

/** Cordoned nodes take only pods that tolerate it. */
export const nodeUnschedulable: PodFilter = {
  name: 'NodeUnschedulable',
  helpedBy: ['targetAdded', 'targetUpdated'],
  prepare(pod) {
    if (pod.spec.tolerations?.some((toleration) => tolerates(toleration, taint))) return undefined;
    return ({ node }) => (node.spec?.unschedulable === true ? rejection : undefined);
  },
};
