import type { PolicyRule } from '../../../api/generated/rbac-v1.ts';
import type { Attributes } from '../attributes.ts';

export type { PolicyRule };

const none: readonly string[] = [];
const hasOrAll = (values: readonly string[] | undefined, wanted: string) =>
  values !== undefined && (values.includes(wanted) || values.includes('*'));

/** Source: RuleAllows of upstream's RBAC authorizer. */
export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!hasOrAll(rule.verbs, attributes.verb)) return false;
  if (!attributes.isResourceRequest)
    return (rule.nonResourceURLs ?? none).some((url) => coversPath(url, attributes.path));
  return (
    hasOrAll(rule.apiGroups, attributes.group) &&
    coversResource(rule.resources ?? none, attributes.resource, attributes.subresource) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(attributes.name))
  );
}

/** `pods/log` is covered by itself, by `*` and by `*` + `/log`. */
function coversResource(resources: readonly string[], resource: string, subresource: string): boolean {
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  return hasOrAll(resources, combined) || (subresource !== '' && resources.includes(`*/${subresource}`));
}

/** An asterisk at the end stands for any rest. */
export function coversPath(rulePath: string, path: string): boolean {
  return rulePath === path || (rulePath.endsWith('*') && path.startsWith(rulePath.replace(/\*+$/, '')));
}
