import type { LabelSelector } from '../../api/generated/meta-v1.ts';
import { cachedSelector } from '../../api/selectors/label-selectors.ts';

export type Labels = Record<string, string>;

/** A LabelSelector as a predicate; an absent one selects nothing, an empty one everything. */
export function compileSelector(selector: LabelSelector | undefined): (labels: Labels | undefined) => boolean {
  const compiled = cachedSelector(selector);
  return (labels) => compiled.matches(labels);
}

export function isEmptySelector(selector: LabelSelector | undefined): boolean {
  return (
    selector !== undefined &&
    Object.keys(selector.matchLabels ?? {}).length === 0 &&
    (selector.matchExpressions ?? []).length === 0
  );
}

/** Whether `labels` holds every pair of `wanted`. */
export function containsLabels(labels: Labels | undefined, wanted: Labels | undefined): boolean {
  return Object.entries(wanted ?? {}).every(([key, value]) => labels?.[key] === value);
}
