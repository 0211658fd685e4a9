import { semanticEqual } from '../equality.ts';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '../generated/rbac-v1.ts';
import { isPathSegmentName, nameIsDnsSubdomain } from '../names.ts';
import { selectorFromLabelSelector } from '../selectors/label-selectors.ts';
import type { Findings } from './findings.ts';
import { goValueOf } from './go-value.ts';
import { validateLabelSelector } from './metadata.ts';

const RBAC = 'rbac.authorization.k8s.io';

function validateRule(rule: PolicyRule, isNamespaced: boolean, path: string, findings: Findings): void {
  if (!rule.verbs?.length) findings.required(`${path}.verbs`, 'verbs must contain at least one value');
  if (rule.nonResourceURLs?.length) {
    if (isNamespaced) {
      findings.invalid(
        `${path}.nonResourceURLs`,
        rule.nonResourceURLs,
        'namespaced rules cannot apply to non-resource URLs',
      );
    }
    if (rule.apiGroups?.length || rule.resources?.length || rule.resourceNames?.length) {
      findings.invalid(
        `${path}.nonResourceURLs`,
        rule.nonResourceURLs,
        'rules cannot apply to both regular resources and non-resource URLs',
      );
    }
    return;
  }
  if (!rule.apiGroups?.length) {
    findings.required(`${path}.apiGroups`, 'resource rules must supply at least one api group');
  }
  if (!rule.resources?.length) {
    findings.required(`${path}.resources`, 'resource rules must supply at least one resource');
  }
}

export function validateRole({ rules }: Role, findings: Findings): void {
  rules?.forEach((rule, index) => {
    validateRule(rule, true, `rules[${index}]`, findings);
  });
}

export function validateClusterRole({ rules, aggregationRule }: ClusterRole, findings: Findings): void {
  rules?.forEach((rule, index) => {
    validateRule(rule, false, `rules[${index}]`, findings);
  });
  if (aggregationRule === undefined || aggregationRule === null) return;
  const path = 'aggregationRule.clusterRoleSelectors';
  if (!aggregationRule.clusterRoleSelectors?.length) {
    findings.required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil');
  }
  aggregationRule.clusterRoleSelectors?.forEach((selector, index) => {
    const at = `${path}[${index}]`;
    validateLabelSelector(selector, at, findings);
    try {
      selectorFromLabelSelector(selector);
    } catch {
      // What could not be made of it is shown.
      findings.invalid(at, null, 'invalid label selector.');
    }
  });
}

type Binding = RoleBinding | ClusterRoleBinding;

function validateBinding(
  { roleRef, subjects }: Binding,
  kinds: string[],
  isNamespaced: boolean,
  findings: Findings,
): void {
  if (roleRef.apiGroup !== RBAC) findings.notSupported('roleRef.apiGroup', roleRef.apiGroup, [RBAC]);
  if (!kinds.includes(roleRef.kind)) findings.notSupported('roleRef.kind', roleRef.kind, kinds);
  if (!roleRef.name) findings.required('roleRef.name');
  else findings.invalidEach('roleRef.name', roleRef.name, isPathSegmentName(roleRef.name));
  subjects?.forEach((subject, index) => {
    validateSubject(subject, isNamespaced, `subjects[${index}]`, findings);
  });
}

function validateSubject(subject: Subject, isNamespaced: boolean, path: string, findings: Findings): void {
  const { kind, name, namespace, apiGroup = '' } = subject;
  if (!name) findings.required(`${path}.name`);
  if (kind === 'ServiceAccount') {
    if (name) findings.invalidEach(`${path}.name`, name, nameIsDnsSubdomain(name, false));
    if (apiGroup !== '') findings.notSupported(`${path}.apiGroup`, apiGroup, ['']);
    if (!isNamespaced && !namespace) findings.required(`${path}.namespace`);
  } else if (kind === 'User' || kind === 'Group') {
    if (apiGroup !== RBAC) findings.notSupported(`${path}.apiGroup`, apiGroup, [RBAC]);
  } else findings.notSupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group']);
}

export const validateRoleBinding = (binding: RoleBinding, findings: Findings): void =>
  validateBinding(binding, ['Role', 'ClusterRole'], true, findings);
export const validateClusterRoleBinding = (binding: ClusterRoleBinding, findings: Findings): void =>
  validateBinding(binding, ['ClusterRole'], false, findings);

export function validateRoleRefUpdate(binding: Binding, old: Binding, findings: Findings): void {
  if (!semanticEqual(binding.roleRef, old.roleRef)) {
    findings.invalid('roleRef', goValueOf('io.k8s.api.rbac.v1.RoleRef', binding.roleRef), 'cannot change roleRef');
  }
}
