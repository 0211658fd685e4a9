import type { PodDisruptionBudget } from '../../api/generated/policy-v1.ts';
import { type Labels, labelSelectorMatches } from './selector.ts';

interface Protected {
  name: string;
  namespace: string;
  labels: Labels;
}

/**
 * Those of the pods whose leaving their disruption budgets do not allow, when the ones before them leave too. Source:
 * filterPodsWithPDBViolation. Evictions that a budget has granted already are not counted again.
 */
export function violating<P extends Protected>(
  pods: readonly P[],
  budgetsOf: (namespace: string) => readonly PodDisruptionBudget[],
): Set<P> {
  const budgets = new Map<string, { budget: PodDisruptionBudget; allowed: number }[]>();
  const found = new Set<P>();
  for (const pod of pods) {
    if (Object.keys(pod.labels).length === 0) continue;
    let ofNamespace = budgets.get(pod.namespace);
    if (ofNamespace === undefined) {
      ofNamespace = budgetsOf(pod.namespace)
        .filter(({ spec }) => !isEmpty(spec?.selector))
        .map((budget) => ({ budget, allowed: budget.status?.disruptionsAllowed ?? 0 }));
      budgets.set(pod.namespace, ofNamespace);
    }
    for (const each of ofNamespace) {
      const { spec, status } = each.budget;
      if (!labelSelectorMatches(spec?.selector, pod.labels)) continue;
      if (status?.disruptedPods?.[pod.name] !== undefined) continue;
      each.allowed--;
      if (each.allowed < 0) found.add(pod);
    }
  }
  return found;
}

/** A budget that selects everything protects nobody here, as upstream. */
function isEmpty(selector: { matchLabels?: object; matchExpressions?: unknown[] } | undefined): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length === 0 && (selector?.matchExpressions ?? []).length === 0;
}
