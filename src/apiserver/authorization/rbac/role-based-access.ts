import type { GroupResource, KubeObject } from '../../../api/object.ts';
import { notFound } from '../../../api/status.ts';
import type { Identity } from '../../identity/identity.ts';
import type { CacheEvent, CacheWatch, WatchCache, WatchCaches } from '../../watch-cache/watch-cache.ts';
import type { Attributes } from '../attributes.ts';
import { bootstrapObjects } from '../bootstrap/policy.ts';
import type { Decision, HeldRules } from '../decision.ts';
import { BindingIndex, type Grant } from './binding-index.ts';
import { type PolicyRule, ruleAllows } from './rules.ts';
import { keysOfIdentity } from './subjects.ts';

const group = 'rbac.authorization.k8s.io';
export const ROLES: GroupResource = { group, resource: 'roles' };
export const CLUSTER_ROLES: GroupResource = { group, resource: 'clusterroles' };
const ROLE_BINDINGS: GroupResource = { group, resource: 'rolebindings' };
export const CLUSTER_ROLE_BINDINGS: GroupResource = { group, resource: 'clusterrolebindings' };

interface Caches {
  roles: WatchCache;
  clusterRoles: WatchCache;
  roleBindings: WatchCache;
  clusterRoleBindings: WatchCache;
}

/** So many tenants' indexes are kept, the oldest forgotten first: one is built again from the tenant's own bindings. */
const indexedTenantsLimit = 1024;

/**
 * Roles and bindings of all tenants. An index per tenant is built at its first request out of its own bindings and then
 * follows their changes; what every tenant starts with is indexed once, and gives way to what a tenant wrote over it.
 */
export class RoleBasedAccess {
  readonly #watchCaches: WatchCaches;
  readonly #indexes = new Map<string, BindingIndex>();
  readonly #shared = new SharedPolicy();
  #loaded: Caches | undefined;
  #loading: Promise<Caches> | undefined;
  #watches: CacheWatch[] = [];

  constructor(watchCaches: WatchCaches) {
    this.#watchCaches = watchCaches;
  }

  authorize(identity: Identity, attributes: Attributes): Decision | Promise<Decision> {
    // Probes must be answered even when the store is not well.
    if (attributes.tenant === '') return this.#decide(undefined, identity, attributes);
    const caches = this.#caches();
    if (!(caches instanceof Promise)) return this.#decide(caches, identity, attributes);
    return caches.then((loaded) => this.#decide(loaded, identity, attributes));
  }

  async rules(identity: Identity, tenant: string, namespace: string): Promise<HeldRules> {
    const caches = tenant === '' ? undefined : await this.#caches();
    const rules: PolicyRule[] = [];
    const errors: string[] = [];
    for (const grant of this.#grants(caches, identity, tenant, namespace)) {
      const held = this.#rulesOfRole(caches, tenant, grant.roleKind, grant.namespace, grant.roleName);
      if (held === undefined) errors.push(roleNotFound(grant));
      else rules.push(...held);
    }
    return { rules, errors };
  }

  /** Undefined when there is no such role. `namespace` is a Role's own. */
  async rulesOfRole(tenant: string, kind: string, namespace: string, name: string): Promise<PolicyRule[] | undefined> {
    return this.#rulesOfRole(await this.#caches(), tenant, kind, namespace, name);
  }

  #decide(caches: Caches | undefined, identity: Identity, attributes: Attributes): Decision {
    const { tenant, namespace } = attributes;
    const errors: string[] = [];
    for (const grant of this.#grants(caches, identity, tenant, namespace)) {
      const rules = this.#rulesOfRole(caches, tenant, grant.roleKind, grant.namespace, grant.roleName);
      if (rules === undefined) errors.push(roleNotFound(grant));
      else if (rules.some((rule) => ruleAllows(rule, attributes))) {
        return { allowed: true, reason: `RBAC: allowed by ${grant.description}` };
      }
    }
    return { allowed: false, reason: errors.length === 0 ? '' : `RBAC: ${aggregate(errors)}` };
  }

  *#grants(
    caches: Caches | undefined,
    identity: Identity,
    tenant: string,
    namespace: string,
  ): Generator<Grant, void, undefined> {
    const own = caches === undefined ? undefined : this.#indexOf(caches, tenant);
    const seen = new Set<string>();
    const subjects = keysOfIdentity(identity);
    for (const bindingNamespace of namespace === '' ? [''] : ['', namespace]) {
      for (const subject of subjects) {
        for (const grant of this.#shared.bindings.grants(bindingNamespace, subject)) {
          const cache = bindingNamespace === '' ? caches?.clusterRoleBindings : caches?.roleBindings;
          if (cache?.get(tenant, bindingNamespace, grant.name) === undefined && isNew(seen, grant)) yield grant;
        }
        if (own === undefined) continue;
        for (const grant of own.grants(bindingNamespace, subject)) if (isNew(seen, grant)) yield grant;
      }
    }
  }

  #rulesOfRole(
    caches: Caches | undefined,
    tenant: string,
    kind: string,
    namespace: string,
    name: string,
  ): PolicyRule[] | undefined {
    const isClusterRole = kind === 'ClusterRole';
    const place = isClusterRole ? '' : namespace;
    const stored = (isClusterRole ? caches?.clusterRoles : caches?.roles)?.get(tenant, place, name);
    if (stored !== undefined) return stored.object['rules'] ?? [];
    return this.#shared.rules(isClusterRole ? CLUSTER_ROLES : ROLES, place, name);
  }

  #indexOf(caches: Caches, tenant: string): BindingIndex {
    let index = this.#indexes.get(tenant);
    if (index !== undefined) return index;
    index = new BindingIndex();
    for (const cache of [caches.clusterRoleBindings, caches.roleBindings]) {
      for (const entry of cache.entries({ tenant })) index.put(entry.object);
    }
    this.#indexes.set(tenant, index);
    if (this.#indexes.size > indexedTenantsLimit) this.#indexes.delete(this.#indexes.keys().next().value!);
    return index;
  }

  #caches(): Caches | Promise<Caches> {
    if (this.#loaded !== undefined) return this.#loaded;
    return (this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    }));
  }

  async #load(): Promise<Caches> {
    const [roles, clusterRoles, roleBindings, clusterRoleBindings] = await Promise.all(
      [ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS].map((resource) => this.#watchCaches.for(resource)),
    );
    const caches: Caches = {
      roles: roles!,
      clusterRoles: clusterRoles!,
      roleBindings: roleBindings!,
      clusterRoleBindings: clusterRoleBindings!,
    };
    this.#forget();
    const onEnd = () => this.#forget();
    for (const cache of Object.values(caches) as WatchCache[]) {
      const holdsBindings = cache === roleBindings || cache === clusterRoleBindings;
      const onEvents = (events: CacheEvent[]) => {
        if (holdsBindings) for (const event of events) this.#follow(event);
      };
      this.#watches.push(cache.watch({ tenant: undefined, afterRevision: cache.revision, onEvents, onEnd }));
    }
    this.#loaded = caches;
    return caches;
  }

  #follow({ type, entry }: CacheEvent): void {
    const index = this.#indexes.get(entry.tenant);
    if (index === undefined) return;
    if (type === 'DELETED') index.delete(entry.namespace, entry.name);
    else if (type !== 'BOOKMARK') index.put(entry.object);
  }

  /** A cache has lost the store: everything is read anew at the next request. */
  #forget(): void {
    this.#loaded = undefined;
    this.#indexes.clear();
    const watches = this.#watches;
    this.#watches = [];
    for (const watch of watches) watch.close();
  }
}

/** What every tenant starts with, indexed once for all. */
class SharedPolicy {
  readonly bindings = new BindingIndex();
  readonly #rules = new Map<string, PolicyRule[]>();

  constructor() {
    for (const { resource } of [CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS]) {
      for (const object of bootstrapObjects[`${resource}.${group}`]!)
        this.bindings.put(object as unknown as KubeObject);
    }
    for (const { resource } of [CLUSTER_ROLES, ROLES]) {
      for (const { metadata, rules } of bootstrapObjects[`${resource}.${group}`]!) {
        this.#rules.set(`${resource}/${metadata.namespace ?? ''}/${metadata.name}`, rules);
      }
    }
  }

  rules({ resource }: GroupResource, namespace: string, name: string): PolicyRule[] | undefined {
    return this.#rules.get(`${resource}/${namespace}/${name}`);
  }
}

function isNew(seen: Set<string>, { namespace, name }: Grant): boolean {
  const key = `${namespace}/${name}`;
  if (seen.has(key)) return false;
  seen.add(key);
  return true;
}

function roleNotFound({ roleKind, roleName }: Grant): string {
  return notFound({ group, resource: roleKind.toLowerCase() }, roleName).message;
}

/** As Go's aggregate of errors prints itself. */
export function aggregate(errors: string[]): string {
  const unique = [...new Set(errors)];
  return unique.length === 1 ? unique[0]! : `[${unique.join(', ')}]`;
}
