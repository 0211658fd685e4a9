import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';

/**
 * Writes src/apiserver/authorization/bootstrap/policy.json: the roles and bindings that every cluster starts with, as
 * the Kubernetes module's own golden files list them. Facts only. Run by a developer
 * (`node scripts/generate-bootstrap-policy/main.ts`), the output is committed.
 */
const module = 'k8s.io/kubernetes@v1.36.0';
const folder = 'plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata';
const output = join(import.meta.dirname, '../../src/apiserver/authorization/bootstrap/policy.json');

const { Dir } = JSON.parse(
  execFileSync('go', ['mod', 'download', '-json', module], { cwd: tmpdir(), encoding: 'utf8' }),
);
const itemsOf = (file: string): any[] => parse(readFileSync(join(Dir, folder, `${file}.yaml`), 'utf8')).items;

const aggregation = 'rbac.authorization.k8s.io/aggregate-to-';
const listed = (values: string[] | undefined) => (values ?? []).join(',');

/** `verbs groups resources names`, or `verbs paths`: the shape of a rule in one line. */
const ruleText = (rule: any): string =>
  rule.nonResourceURLs !== undefined
    ? `${listed(rule.verbs)}|${listed(rule.nonResourceURLs)}`
    : [rule.verbs, rule.apiGroups, rule.resources, ...(rule.resourceNames ? [rule.resourceNames] : [])]
        .map(listed)
        .join('|');

const subjectText = ({ kind, name, namespace }: any): string =>
  kind === 'ServiceAccount' ? `${kind}:${namespace}:${name}` : `${kind}:${name}`;

const role = ({ metadata, rules, aggregationRule }: any) => {
  const labels: Record<string, string> = metadata.labels ?? {};
  const aggregatesTo = Object.keys(labels).find((label) => label.startsWith(aggregation));
  const selected = Object.keys(aggregationRule?.clusterRoleSelectors[0].matchLabels ?? {})[0];
  return {
    name: metadata.name,
    ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
    ...(aggregatesTo !== undefined && { aggregatesTo: aggregatesTo.slice(aggregation.length) }),
    ...(selected !== undefined && { aggregates: selected.slice(aggregation.length) }),
    ...(rules !== null && { rules: rules.map(ruleText) }),
  };
};

const binding = ({ metadata, roleRef, subjects }: any) => ({
  name: metadata.name,
  ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
  role: `${roleRef.kind}:${roleRef.name}`,
  subjects: (subjects ?? []).map(subjectText),
});

const policy = {
  clusterRoles: [...itemsOf('cluster-roles'), ...itemsOf('controller-roles')].map(role),
  clusterRoleBindings: [...itemsOf('cluster-role-bindings'), ...itemsOf('controller-role-bindings')].map(binding),
  roles: itemsOf('namespace-roles').map(role),
  roleBindings: itemsOf('namespace-role-bindings').map(binding),
};
writeFileSync(output, `${JSON.stringify(policy, undefined, 2)}\n`);
