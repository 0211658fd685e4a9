import type { KubeObject } from '../../../api/object.ts';
import { describeSubject, type Subject, subjectKey } from './subjects.ts';

/** One binding as one of its subjects has it. */
export interface Grant {
  kind: 'ClusterRoleBinding' | 'RoleBinding';
  /** Of the binding; '' for a ClusterRoleBinding. */
  namespace: string;
  name: string;
  roleKind: string;
  roleName: string;
  /** `ClusterRoleBinding "x" of ClusterRole "y" to User "z"` */
  readonly description: string;
}

/**
 * Bindings by whom they bind, in one namespace or in the cluster: what a request needs is found by its user and groups,
 * however many bindings there are.
 *
 *     'dev user:alice' -> { 'dev/alice-edits' -> grant }
 *     ' group:system:masters' -> { '/cluster-admin' -> grant }
 */
export class BindingIndex {
  readonly #bySubject = new Map<string, Map<string, Grant>>();
  /** Which of the lists above name a binding. */
  readonly #subjectsOf = new Map<string, string[]>();

  /** `bindingNamespace` '' asks for ClusterRoleBindings. */
  grants(bindingNamespace: string, subject: string): Iterable<Grant> {
    return this.#bySubject.get(`${bindingNamespace} ${subject}`)?.values() ?? [];
  }

  /** Adds a binding, or takes it anew when it changed. */
  put(binding: KubeObject): void {
    const { name, namespace = '' } = binding.metadata;
    this.delete(namespace, name);
    const { roleRef, subjects = [] } = binding as KubeObject & { roleRef: any; subjects?: Subject[] | null };
    const keys: string[] = [];
    const bindingKey = `${namespace}/${name}`;
    for (const subject of subjects ?? []) {
      const whom = subjectKey(subject, namespace);
      if (whom === undefined) continue;
      const key = `${namespace} ${whom}`;
      let grants = this.#bySubject.get(key);
      if (grants === undefined) this.#bySubject.set(key, (grants = new Map()));
      if (grants.has(bindingKey)) continue;
      grants.set(bindingKey, grantOf(binding, roleRef, subject));
      keys.push(key);
    }
    if (keys.length > 0) this.#subjectsOf.set(bindingKey, keys);
  }

  delete(namespace: string, name: string): void {
    const bindingKey = `${namespace}/${name}`;
    for (const key of this.#subjectsOf.get(bindingKey) ?? []) {
      const grants = this.#bySubject.get(key)!;
      grants.delete(bindingKey);
      if (grants.size === 0) this.#bySubject.delete(key);
    }
    this.#subjectsOf.delete(bindingKey);
  }
}

function grantOf(binding: KubeObject, roleRef: { kind: string; name: string }, subject: Subject): Grant {
  const { name, namespace = '' } = binding.metadata;
  const shown = namespace === '' ? name : `${name}/${namespace}`;
  const kind = namespace === '' ? 'ClusterRoleBinding' : 'RoleBinding';
  return {
    kind,
    namespace,
    name,
    roleKind: roleRef.kind,
    roleName: roleRef.name,
    description: `${kind} ${JSON.stringify(shown)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${describeSubject(subject, namespace)}`,
  };
}
