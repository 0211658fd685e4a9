import { tolerates } from '../filter/taint-toleration.ts';
import type { PodScore } from '../filter/types.ts';

/** Fewer PreferNoSchedule taints that the pod does not tolerate are better. */
export const preferredTaintToleration: PodScore = {
  name: 'TaintToleration',
  weight: 3,
  normalize: true,
  prepare: (pod) => (target) =>
    -(target.node.spec?.taints ?? []).filter(
      (taint) =>
        taint.effect === 'PreferNoSchedule' &&
        !pod.spec.tolerations?.some((toleration) => tolerates(toleration, taint)),
    ).length,
};
