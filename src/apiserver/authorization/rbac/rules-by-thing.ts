import type { Steps } from '../../../base/steps.ts';
import type { PolicyRule } from './rules.ts';

/** So many texts are looked at between two steps. */
const textsAtOnce = 2000;

/**
 * The rules of a long list by what they are about, so that who looks for one thing need not go through all of them.
 *
 *     [{ resources: [pods, pods/log] }, { resources: ['*'] }]  ->  { pods: [0], pods/log: [0], '*': [1] }
 */
export class RulesByThing {
  readonly #byResource = new Map<string, PolicyRule[]>();
  readonly #ofPaths: PolicyRule[] = [];

  static *of(rules: readonly PolicyRule[]): Steps<RulesByThing> {
    const made = new RulesByThing();
    let looked = 0;
    for (const rule of rules) {
      for (const resource of rule.resources ?? []) {
        made.#add(resource, rule);
        if (++looked % textsAtOnce === 0) yield;
      }
      if ((rule.nonResourceURLs ?? []).length > 0) made.#ofPaths.push(rule);
      if (++looked % textsAtOnce === 0) yield;
    }
    return made;
  }

  #add(resource: string, rule: PolicyRule): void {
    const rules = this.#byResource.get(resource);
    if (rules === undefined) this.#byResource.set(resource, [rule]);
    else if (rules.at(-1) !== rule) rules.push(rule);
  }

  /** Rules that may speak of a resource (`pods`, `pods/log`); undefined asks for those of paths. */
  *about(resource: string | undefined): Generator<PolicyRule, void, void> {
    if (resource === undefined) {
      yield* this.#ofPaths;
      return;
    }
    yield* this.#byResource.get(resource) ?? [];
    yield* this.#byResource.get('*') ?? [];
    const slash = resource.indexOf('/');
    if (slash >= 0) yield* this.#byResource.get(`*${resource.slice(slash)}`) ?? [];
  }
}

/** Shorter lists are gone through. */
const longList = 64;
const kept = new WeakMap<readonly PolicyRule[], RulesByThing>();

/** Those of a role's rules that may speak of the resource: found by it in long lists, once those were looked through. */
export function* rulesAbout(rules: readonly PolicyRule[], resource: string | undefined): Steps<Iterable<PolicyRule>> {
  if (rules.length < longList) return rules;
  let byThing = kept.get(rules);
  if (byThing === undefined) kept.set(rules, (byThing = yield* RulesByThing.of(rules)));
  return byThing.about(resource);
}

/** How long it takes to hold something to a rule, in comparisons. */
export const effortOf = ({ verbs, apiGroups, resources, resourceNames, nonResourceURLs }: PolicyRule): number =>
  1 +
  (verbs.length +
    (apiGroups?.length ?? 0) +
    (resources?.length ?? 0) +
    (resourceNames?.length ?? 0) +
    (nonResourceURLs?.length ?? 0)) /
    16;
