import type { MatchResources, NamedRuleWithOperations } from '../../../api/generated/admissionregistration-v1.ts';
import { type Selector, selectorFromLabelSelector } from '../../../api/selectors/label-selectors.ts';
import type { Objects } from '../../objects.ts';
import type { ResourceRegistry } from '../../registry.ts';
import type { AdmissionRequest } from '../admission.ts';
import { equivalentForms, type MatchedForm, requestedForm } from '../webhooks/forms.ts';
import { namespaceOf } from '../webhooks/review.ts';
import { matchesRule } from '../webhooks/rules.ts';
import { selectsNamespace, selectsObject } from '../webhooks/should-call.ts';

/** `matchConstraints` of a policy or `matchResources` of a binding, its selectors read once. */
export interface CompiledMatch {
  readonly rules: readonly NamedRuleWithOperations[];
  readonly excluded: readonly NamedRuleWithOperations[];
  readonly matchesEquivalents: boolean;
  /** undefined: everything. */
  readonly namespaceSelector: Selector | undefined;
  readonly objectSelector: Selector | undefined;
}

export function compileMatch(match: MatchResources | undefined | null): CompiledMatch {
  return {
    rules: match?.resourceRules ?? [],
    excluded: match?.excludeResourceRules ?? [],
    matchesEquivalents: match?.matchPolicy === 'Equivalent',
    namespaceSelector: selectorOf(match?.namespaceSelector),
    objectSelector: selectorOf(match?.objectSelector),
  };
}

function selectorOf(selector: MatchResources['namespaceSelector'] | null): Selector | undefined {
  if (selector === undefined || selector === null) return undefined;
  const compiled = selectorFromLabelSelector(selector);
  return compiled.requirements.length === 0 && !compiled.nothing ? undefined : compiled;
}

/** The form a request matches in; undefined: it does not. Source: admission/plugin/policy/matching. */
export async function matchedForm(
  { objects, registry }: { objects: Objects; registry: ResourceRegistry },
  match: CompiledMatch,
  request: AdmissionRequest,
): Promise<MatchedForm | undefined> {
  // Rules first: they are cheap, and most requests end here.
  const form = match.rules.length === 0 ? requestedForm(request) : formOfRules(registry, match, match.rules, request);
  if (form === undefined) return undefined;
  if (formOfRules(registry, match, match.excluded, request) !== undefined) return undefined;
  const { objectSelector, namespaceSelector } = match;
  if (objectSelector !== undefined && !selectsObject(objectSelector, request.object, request.oldObject)) {
    return undefined;
  }
  if (namespaceSelector !== undefined && !(await selectsNamespace(objects, namespaceSelector, request))) {
    return undefined;
  }
  return form;
}

function formOfRules(
  registry: ResourceRegistry,
  { matchesEquivalents }: CompiledMatch,
  rules: readonly NamedRuleWithOperations[],
  request: AdmissionRequest,
): MatchedForm | undefined {
  if (rules.length === 0) return undefined;
  const { operation, subresource, name } = request;
  const requested = requestedForm(request);
  const subject = { operation, subresource, namespace: namespaceOf(request) };
  const matches = (rule: NamedRuleWithOperations, { resource }: MatchedForm) =>
    matchesRule(rule, { ...subject, resource }) &&
    ((rule.resourceNames ?? []).length === 0 || rule.resourceNames!.includes(name));
  if (rules.some((rule) => matches(rule, requested))) return requested;
  if (!matchesEquivalents) return undefined;
  const equivalents = equivalentForms(registry, request);
  for (const rule of rules) for (const form of equivalents) if (matches(rule, form)) return form;
  return undefined;
}
