import type { Taint, Toleration } from '../../api/generated/core-v1.ts';
import type { PodFilter } from './types.ts';

const rejection = { reasons: ['node(s) had untolerated taint(s)'], resolvable: false };

type TaintFacts = Pick<Taint, 'key' | 'effect'> & { value?: string };

/** As v1.Toleration.ToleratesTaint: an empty effect, key or operator widens the toleration. */
export function tolerates(toleration: Toleration, taint: TaintFacts): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator ?? '') {
    case '':
    case 'Equal':
      return Boolean(toleration.key) && (toleration.value ?? '') === (taint.value ?? '');
    case 'Exists':
      return true;
    default:
      return false;
  }
}

export function untoleratedTaint(
  taints: readonly Taint[] | undefined,
  tolerations: readonly Toleration[] | undefined,
): Taint | undefined {
  return taints?.find(
    (taint) =>
      (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') &&
      !tolerations?.some((toleration) => tolerates(toleration, taint)),
  );
}

export const taintToleration: PodFilter = {
  name: 'TaintToleration',
  helpedBy: ['targetAdded', 'targetUpdated'],
  prepare: (pod) => (target) =>
    untoleratedTaint(target.node.spec?.taints, pod.spec.tolerations) === undefined ? undefined : rejection,
};
