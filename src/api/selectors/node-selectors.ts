import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from '../generated/core-v1.ts';
import type { LabelSelectorRequirement } from '../generated/meta-v1.ts';

export type Labels = Readonly<Record<string, string>>;

/** nodeSelector and required node affinity, both of which must match. */
export function requiredNodeAffinityMatches(spec: PodSpec, name: string, labels: Labels): boolean {
  for (const [key, value] of Object.entries(spec.nodeSelector ?? {})) {
    if (labels[key] !== value) return false;
  }
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || nodeSelectorMatches(required, name, labels);
}

/** Terms are ORed; a selector without terms, like a term without requirements, matches no node. */
function nodeSelectorMatches(selector: NodeSelector, name: string, labels: Labels): boolean {
  return selector.nodeSelectorTerms.some((term) => nodeTermMatches(term, name, labels));
}

export function nodeTermMatches(term: NodeSelectorTerm, name: string, labels: Labels): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  return (
    expressions.every((requirement) => nodeRequirementMatches(requirement, labels)) &&
    // metadata.name is the one field there is.
    fields.every((requirement) => nodeRequirementMatches(requirement, { 'metadata.name': name }))
  );
}

export function labelRequirementMatches(requirement: LabelSelectorRequirement, labels: Labels): boolean {
  const value = labels[requirement.key];
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && (requirement.values ?? []).includes(value);
    case 'NotIn':
      return value === undefined || !(requirement.values ?? []).includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}

function nodeRequirementMatches(requirement: NodeSelectorRequirement, labels: Labels): boolean {
  if (requirement.operator !== 'Gt' && requirement.operator !== 'Lt') {
    return labelRequirementMatches(requirement, labels);
  }
  const value = integer(labels[requirement.key]);
  const limit = integer(requirement.values?.[0]);
  if (value === undefined || limit === undefined) return false;
  return requirement.operator === 'Gt' ? value > limit : value < limit;
}

const integer = (text: string | undefined): bigint | undefined =>
  text !== undefined && /^[+-]?[0-9]+$/.test(text) ? BigInt(text) : undefined;
