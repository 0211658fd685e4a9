import { StatusError } from '../../../api/status.ts';
import type { Steps } from '../../../base/steps.ts';
import { coversPath, type PolicyRule } from './rules.ts';
import { effortOf, RulesByThing } from './rules-by-thing.ts';

/** A rule of a thousand verbs, groups and resources says a billion things; nobody's roles say a thousandth of these. */
const mostAtoms = 250_000;
const mostEffort = 20_000_000;
/** What is missing is told; nobody reads more of it. */
const missingKept = 10_000;
const effortAtOnce = 2000;

/**
 * The parts of `wanted` that `held` does not cover, each of one verb and one thing: empty when everything wanted is
 * held. Throws 413 where that cannot be told in reasonable time. Source: Covers of
 * k8s.io/component-helpers/auth/rbac/validation.
 */
export function* missingRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): Steps<PolicyRule[]> {
  let count = 0;
  for (const rule of wanted) count += atomsIn(rule);
  if (count > mostAtoms) throw tooMuch(`the rules name more than ${mostAtoms} things`);
  const byThing = yield* RulesByThing.of(held);
  const missing: PolicyRule[] = [];
  let effort = 0;
  let yieldAt = effortAtOnce;
  for (const rule of wanted) {
    for (const atom of atoms(rule)) {
      let isHeld = false;
      effort++;
      for (const candidate of byThing.about(atom.resources?.[0])) {
        if (covers(candidate, atom)) {
          isHeld = true;
          break;
        }
        effort += effortOf(candidate);
        if (effort < yieldAt) continue;
        if (effort > mostEffort) throw tooMuch('the rules take too long to hold to those of their writer');
        yieldAt = effort + effortAtOnce;
        yield;
      }
      if (!isHeld && missing.push(atom) >= missingKept) return missing;
      if (effort < yieldAt) continue;
      yieldAt = effort + effortAtOnce;
      yield;
    }
  }
  return missing;
}

const tooMuch = (why: string) => new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: ${why}`);

function atomsIn({ verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: PolicyRule) {
  const things = apiGroups.length * resources.length * Math.max(1, resourceNames.length);
  return verbs.length * (things + nonResourceURLs.length);
}

/** One rule a verb, resource and name, or a verb and path. */
function* atoms({
  verbs,
  apiGroups = [],
  resources = [],
  resourceNames = [],
  nonResourceURLs = [],
}: PolicyRule): Generator<PolicyRule, void, void> {
  for (const group of apiGroups) {
    for (const resource of resources) {
      for (const verb of verbs) {
        const atom: PolicyRule = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (resourceNames.length === 0) yield atom;
        for (const name of resourceNames) yield { ...atom, resourceNames: [name] };
      }
    }
  }
  for (const url of nonResourceURLs) for (const verb of verbs) yield { verbs: [verb], nonResourceURLs: [url] };
}
function covers(rule: PolicyRule, atom: PolicyRule): boolean {
  const has = (values: string[] | undefined, wanted: string) =>
    values !== undefined && (values.includes('*') || values.includes(wanted));
  if (!has(rule.verbs, atom.verbs[0]!)) return false;
  if (atom.nonResourceURLs !== undefined) {
    return (rule.nonResourceURLs ?? []).some((url) => coversPath(url, atom.nonResourceURLs![0]!));
  }
  const resource = atom.resources![0]!;
  const slash = resource.indexOf('/');
  const coversResource =
    has(rule.resources, resource) ||
    (slash >= 0 && rule.resources !== undefined && rule.resources.includes(`*${resource.slice(slash)}`));
  const names = rule.resourceNames ?? [];
  return (
    has(rule.apiGroups, atom.apiGroups![0]!) &&
    coversResource &&
    (names.length === 0 || (atom.resourceNames !== undefined && names.includes(atom.resourceNames[0]!)))
  );
}

/** The rules with those that differ by their verb only drawn together, each in one line, sorted. As upstream prints them. */
export function describeRules(rules: PolicyRule[]): string {
  const compact = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const { verbs, ...rest } = rule;
    const key = rule.nonResourceURLs !== undefined ? JSON.stringify(rule) : JSON.stringify(rest);
    const known = compact.get(key);
    if (known === undefined) compact.set(key, { ...rule, verbs: [...verbs] });
    else if (rule.nonResourceURLs === undefined) known.verbs.push(...verbs);
  }
  return [...new Set([...compact.values()].map(describeRule))].sort().join('\n');
}

function describeRule({ apiGroups, resources, nonResourceURLs, resourceNames, verbs }: PolicyRule): string {
  const parts: [string, string[] | undefined][] = [
    ['APIGroups', apiGroups],
    ['Resources', resources],
    ['NonResourceURLs', nonResourceURLs],
    ['ResourceNames', resourceNames],
    ['Verbs', verbs],
  ];
  const shown = parts.filter(([, values]) => values !== undefined && values.length > 0);
  return `{${shown.map(([label, values]) => `${label}:${quotedList(values!)}`).join(', ')}}`;
}

/** As Go's %q prints a list of strings. */
export const quotedList = (values: readonly string[]) => `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
