import { coversPath, type PolicyRule } from './rules.ts';

/**
 * The parts of `wanted` that `held` does not cover, each of one verb and one thing: empty when everything wanted is
 * held. Source: Covers of k8s.io/component-helpers/auth/rbac/validation.
 */
export function missingRules(held: PolicyRule[], wanted: PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(atoms).filter((atom) => !held.some((rule) => covers(rule, atom)));
}

/** One rule a verb, resource and name, or a verb and path. */
function atoms({ verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: PolicyRule) {
  const result: PolicyRule[] = [];
  for (const group of apiGroups) {
    for (const resource of resources) {
      for (const verb of verbs) {
        const atom: PolicyRule = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (resourceNames.length === 0) result.push(atom);
        for (const name of resourceNames) result.push({ ...atom, resourceNames: [name] });
      }
    }
  }
  for (const url of nonResourceURLs) for (const verb of verbs) result.push({ verbs: [verb], nonResourceURLs: [url] });
  return result;
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
