import type { Node, Pod, Taint } from '../../api/generated/core-v1.ts';
import { tolerates } from '../common/tolerations.ts';

export const noExecuteTaints = (node: Node | undefined): Taint[] =>
  (node?.spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute');

/**
 * How long the pod may stay beside these taints, in ms: 0 when it does not tolerate one, Infinity when it tolerates all
 * of them for good. Source: GetMatchingTolerations and getMinTolerationTime of the taint eviction controller.
 */
export function toleratedMs(pod: Pod, taints: readonly Taint[]): number {
  let shortestMs = Infinity;
  for (const taint of taints) {
    const toleration = pod.spec.tolerations?.find((candidate) => tolerates(candidate, taint));
    if (toleration === undefined) return 0;
    if (toleration.tolerationSeconds === undefined) continue;
    shortestMs = Math.min(shortestMs, Math.max(toleration.tolerationSeconds, 0) * 1000);
  }
  return shortestMs;
}
