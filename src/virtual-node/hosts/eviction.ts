import type { Pod } from '../../api/generated/core-v1.ts';

const UNREACHABLE = 'node.kubernetes.io/unreachable';

/**
 * How long a pod stays on a host that went silent: what it tolerates of the taint that upstream puts on such a node (300 s
 * by admission's default). Infinity: for ever.
 */
export function toleratedMs({ spec }: Pod): number {
  const matching = (spec.tolerations ?? []).filter(
    ({ key, operator, effect }) =>
      (key === UNREACHABLE || (!key && operator === 'Exists')) && (!effect || effect === 'NoExecute'),
  );
  if (matching.length === 0) return 0;
  // The shortest of those that say a time counts, as in upstream's taint eviction.
  const seconds = matching.flatMap(({ tolerationSeconds }) =>
    tolerationSeconds === undefined ? [] : [tolerationSeconds],
  );
  return seconds.length === 0 ? Infinity : Math.max(0, Math.min(...seconds)) * 1000;
}
