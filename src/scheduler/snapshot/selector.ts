import type { LabelSelector } from '../../api/generated/meta-v1.ts';
import { type Labels, labelRequirementMatches } from '../../api/selectors/node-selectors.ts';

export type { Labels };

/** metav1.LabelSelector as a predicate: absent matches nothing, empty matches everything. */
export function labelSelectorMatches(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (selector === undefined) return false;
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false;
  return (selector.matchExpressions ?? []).every((requirement) => labelRequirementMatches(requirement, labels));
}
