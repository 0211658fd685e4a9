import type { RuleWithOperations } from '../../../api/generated/admissionregistration-v1.ts';
import type { GroupVersionResource } from '../../../api/object.ts';

/** What rules are about. */
export interface RuleSubject {
  operation: string;
  resource: GroupVersionResource;
  subresource: string;
  /** As upstream: of a namespace, its own name. */
  namespace: string;
}

/** Source: apiserver's admission/plugin/webhook/predicates/rules. */
export function matchesRule(rule: RuleWithOperations, subject: RuleSubject): boolean {
  const { resource } = subject;
  return (
    inScope(rule.scope, subject) &&
    includes(rule.operations, subject.operation) &&
    includes(rule.apiGroups, resource.group) &&
    includes(rule.apiVersions, resource.version) &&
    (rule.resources ?? []).some((pattern) => matchesResource(pattern, resource.resource, subject.subresource))
  );
}

const includes = (list: string[] | undefined, value: string) =>
  list?.some((item) => item === '*' || item === value) ?? false;

function inScope(scope: string | undefined, { resource, namespace }: RuleSubject): boolean {
  const isNamespace = resource.group === '' && resource.version === 'v1' && resource.resource === 'namespaces';
  if (scope === undefined || scope === null || scope === '*') return true;
  if (scope === 'Namespaced') return !isNamespace && namespace !== '';
  return scope === 'Cluster' && (isNamespace || namespace === '');
}

function matchesResource(pattern: string, resource: string, subresource: string): boolean {
  const slash = pattern.indexOf('/');
  const [ofResource, ofSubresource] = slash < 0 ? [pattern, ''] : [pattern.slice(0, slash), pattern.slice(slash + 1)];
  return (ofResource === '*' || ofResource === resource) && (ofSubresource === '*' || ofSubresource === subresource);
}
