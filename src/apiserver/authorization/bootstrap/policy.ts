import { readFileSync } from 'node:fs';
import type { PolicyRule } from '../rbac/rules.ts';

/** The roles and bindings every cluster starts with, read from the table that scripts/generate-bootstrap-policy writes. */
interface PolicyTable {
  clusterRoles: RoleRow[];
  clusterRoleBindings: BindingRow[];
  roles: RoleRow[];
  roleBindings: BindingRow[];
}

interface RoleRow {
  name: string;
  namespace?: string;
  /** The suffix of its label `rbac.authorization.k8s.io/aggregate-to-…`. */
  aggregatesTo?: string;
  /** It is made of the roles with this suffix. */
  aggregates?: string;
  /** `verbs|groups|resources[|names]` or `verbs|paths`, each a list with commas. */
  rules?: string[];
}

interface BindingRow {
  name: string;
  namespace?: string;
  /** `ClusterRole:NAME` or `Role:NAME`. */
  role: string;
  /** `User:NAME`, `Group:NAME` or `ServiceAccount:NAMESPACE:NAME`. */
  subjects: string[];
}

export interface BootstrapObject {
  kind: string;
  apiVersion: string;
  metadata: {
    name: string;
    namespace?: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
  };
  [field: string]: any;
}

const group = 'rbac.authorization.k8s.io';
const aggregation = `${group}/aggregate-to-`;

function parseRule(text: string): PolicyRule {
  const fields = text.split('|').map((field) => field.split(','));
  const [verbs, second, resources, resourceNames] = fields as [string[], string[], string[]?, string[]?];
  if (resources === undefined) return { verbs, nonResourceURLs: second };
  return { verbs, apiGroups: second, resources, ...(resourceNames !== undefined && { resourceNames }) };
}

function metadataOf({ name, namespace, aggregatesTo }: Pick<RoleRow, 'name' | 'namespace' | 'aggregatesTo'>) {
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    labels: {
      'kubernetes.io/bootstrapping': 'rbac-defaults',
      ...(aggregatesTo !== undefined && { [`${aggregation}${aggregatesTo}`]: 'true' }),
    },
    annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
  };
}

function roleObject(kind: string, row: RoleRow, rules: PolicyRule[]): BootstrapObject {
  return {
    kind,
    apiVersion: `${group}/v1`,
    metadata: metadataOf(row),
    ...(row.aggregates !== undefined && {
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [`${aggregation}${row.aggregates}`]: 'true' } }] },
    }),
    rules,
  };
}

/** An aggregated role's rules are what the aggregation controller would fill in: those of its parts, by name. */
function rulesOfRow(row: RoleRow, rows: RoleRow[]): PolicyRule[] {
  if (row.aggregates === undefined) return (row.rules ?? []).map(parseRule);
  const parts = rows.filter(({ aggregatesTo }) => aggregatesTo === row.aggregates);
  parts.sort((a, b) => (a.name < b.name ? -1 : 1));
  const rules: PolicyRule[] = [];
  const seen = new Set<string>();
  for (const rule of parts.flatMap((part) => rulesOfRow(part, rows))) {
    const text = JSON.stringify(rule);
    if (!seen.has(text)) rules.push(rule);
    seen.add(text);
  }
  return rules;
}

function bindingObject(kind: string, row: BindingRow): BootstrapObject {
  const [roleKind, roleName] = split(row.role);
  return {
    kind,
    apiVersion: `${group}/v1`,
    metadata: metadataOf(row),
    roleRef: { apiGroup: group, kind: roleKind, name: roleName },
    ...(row.subjects.length > 0 && { subjects: row.subjects.map(subjectObject) }),
  };
}

function subjectObject(text: string): object {
  const [kind, rest] = split(text);
  if (kind !== 'ServiceAccount') return { kind, apiGroup: group, name: rest };
  const [namespace, name] = split(rest);
  return { kind, name, namespace };
}

function split(text: string): [string, string] {
  const colon = text.indexOf(':');
  return [text.slice(0, colon), text.slice(colon + 1)];
}

const table: PolicyTable = JSON.parse(readFileSync(new URL('./policy.json', import.meta.url), 'utf8'));

/** By `resource.group`, as the shared layer takes them. SHARED: never mutate. */
export const bootstrapObjects: Readonly<Record<string, BootstrapObject[]>> = {
  [`clusterroles.${group}`]: table.clusterRoles.map((row) =>
    roleObject('ClusterRole', row, rulesOfRow(row, table.clusterRoles)),
  ),
  [`clusterrolebindings.${group}`]: table.clusterRoleBindings.map((row) => bindingObject('ClusterRoleBinding', row)),
  [`roles.${group}`]: table.roles.map((row) => roleObject('Role', row, rulesOfRow(row, []))),
  [`rolebindings.${group}`]: table.roleBindings.map((row) => bindingObject('RoleBinding', row)),
};
