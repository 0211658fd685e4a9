import type { Identity } from '../../identity/identity.ts';

/** Source: rbac/v1 Subject. */
export interface Subject {
  kind: string;
  name: string;
  namespace?: string;
}

/**
 * Whom a subject means, as one string. A service account is a user of a known name, and may be bound by either:
 *
 *     { kind: ServiceAccount, name: ci, namespace: dev }          user:system:serviceaccount:dev:ci
 *     { kind: User, name: 'system:serviceaccount:dev:ci' }        user:system:serviceaccount:dev:ci
 *     { kind: Group, name: system:serviceaccounts }               group:system:serviceaccounts
 */
export function subjectKey(subject: Subject, bindingNamespace: string): string | undefined {
  switch (subject.kind) {
    case 'User':
      return `user:${subject.name}`;
    case 'Group':
      return `group:${subject.name}`;
    case 'ServiceAccount': {
      const namespace = subject.namespace || bindingNamespace;
      return namespace === '' ? undefined : `user:system:serviceaccount:${namespace}:${subject.name}`;
    }
    default:
      return undefined;
  }
}

export function* keysOfIdentity({ name, groups }: Identity): Generator<string, void, void> {
  yield `user:${name}`;
  for (const group of groups) yield `group:${group}`;
}

/** As upstream prints a subject in the reason of an access. */
export function describeSubject({ kind, name, namespace }: Subject, bindingNamespace: string): string {
  const shown = kind === 'ServiceAccount' ? `${name}/${namespace || bindingNamespace}` : name;
  return `${kind} ${JSON.stringify(shown)}`;
}
