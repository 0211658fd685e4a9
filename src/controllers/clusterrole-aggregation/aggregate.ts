import type { ClusterRole, PolicyRule } from '../../api/generated/rbac-v1.ts';
import { selectorFromLabelSelector } from '../../api/selectors/label-selectors.ts';
import { canonical, isSame } from '../common/canonical.ts';

/** The rules an aggregated role is made of: those of the roles its selectors find, by name, each once. */
function rulesOf(role: ClusterRole, sorted: ClusterRole[]): PolicyRule[] {
  const rules: PolicyRule[] = [];
  const seen = new Set<string>();
  for (const labelSelector of role.aggregationRule?.clusterRoleSelectors ?? []) {
    const selector = selectorFromLabelSelector(labelSelector);
    for (const part of sorted) {
      if (part.metadata.name === role.metadata.name || !selector.matches(part.metadata.labels ?? {})) continue;
      for (const rule of part.rules ?? []) {
        const text = canonical(rule);
        if (!seen.has(text)) rules.push(rule);
        seen.add(text);
      }
    }
  }
  return rules;
}

/**
 * Which roles of one tenant must be written, with their new rules. An aggregated role may be part of another (`view` of
 * `edit` of `admin`), so this goes on until nothing changes; in a ring that ends after as many rounds as there are roles.
 */
export function aggregate(roles: readonly ClusterRole[]): ClusterRole[] {
  const sorted = [...roles].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const changed = new Set<number>();
  for (let round = 0; round < sorted.length; round++) {
    let settled = true;
    for (const [index, role] of sorted.entries()) {
      if (role.aggregationRule === undefined || role.aggregationRule === null) continue;
      const rules = rulesOf(role, sorted);
      if (isSame(rules, role.rules)) continue;
      sorted[index] = { ...role, rules };
      changed.add(index);
      settled = false;
    }
    if (settled) break;
  }
  return [...changed].map((index) => sorted[index]!);
}
