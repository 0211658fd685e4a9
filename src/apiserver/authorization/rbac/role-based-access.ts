import type { GroupResource, KubeObject } from '../../../api/object.ts';
import { notFound } from '../../../api/status.ts';
import { type Pace, runInTurns, type Steps } from '../../../base/steps.ts';
import type { Identity } from '../../identity/identity.ts';
import type { CacheEvent, CacheWatch, WatchCache, WatchCaches } from '../../watch-cache/watch-cache.ts';
import type { Attributes } from '../attributes.ts';
import { bootstrapObjects } from '../bootstrap/policy.ts';
import type { Decision, HeldRules } from '../decision.ts';
import { BindingIndex, type Grant } from './binding-index.ts';
import { type PolicyRule, ruleAllows } from './rules.ts';
import { effortOf, rulesAbout } from './rules-by-thing.ts';
import { keysOfIdentity } from './subjects.ts';

const group = 'rbac.authorization.k8s.io';
export const ROLES: GroupResource = { group, resource: 'roles' };
export const CLUSTER_ROLES: GroupResource = { group, resource: 'clusterroles' };
const ROLE_BINDINGS: GroupResource = { group, resource: 'rolebindings' };
export const CLUSTER_ROLE_BINDINGS: GroupResource = { group, resource: 'clusterrolebindings' };

type IsWithdrawn = (tenant: string, resource: GroupResource, namespace: string, name: string) => boolean;

interface Caches {
  roles: WatchCache;
  clusterRoles: WatchCache;
  roleBindings: WatchCache;
  clusterRoleBindings: WatchCache;
}

/** So many tenants' indexes are kept, the oldest forgotten first: one is built again from the tenant's own bindings. */
const indexedTenantsLimit = 1024;
/** Bindings and groups, and comparisons with rules, between two steps of a decision. */
const lookedAtOnce = 500;
const effortAtOnce = 2000;
/** Of all that somebody holds: who binds one long role a thousand times is not told it all. */
const mostRulesTold = 150_000;

/**
 * Roles and bindings of all tenants. An index per tenant is built at its first request out of its own bindings and then
 * follows their changes; what every tenant starts with is indexed once, and gives way to what a tenant wrote over it.
 */
export class RoleBasedAccess {
  readonly #watchCaches: WatchCaches;
  readonly #isWithdrawn: IsWithdrawn;
  readonly #indexes = new Map<string, BindingIndex>();
  readonly #shared = new SharedPolicy();
  #loaded: Caches | undefined;
  #loading: Promise<Caches> | undefined;
  #watches: CacheWatch[] = [];

  /** `isWithdrawn`: whether a tenant has deleted something of what it started with. */
  constructor(watchCaches: WatchCaches, isWithdrawn: IsWithdrawn = () => false) {
    this.#watchCaches = watchCaches;
    this.#isWithdrawn = isWithdrawn;
  }

  authorize(identity: Identity, attributes: Attributes, pace?: Pace): Decision | Promise<Decision> {
    // Probes must be answered even when the store is not well.
    if (attributes.tenant === '') return runInTurns(this.#decide(undefined, identity, attributes), pace);
    const caches = this.#caches();
    if (!(caches instanceof Promise)) return runInTurns(this.#decide(caches, identity, attributes), pace);
    return caches.then((loaded) => runInTurns(this.#decide(loaded, identity, attributes), pace));
  }

  async rules(identity: Identity, tenant: string, namespace: string, pace?: Pace): Promise<HeldRules> {
    const caches = tenant === '' ? undefined : await this.#caches();
    return runInTurns(this.#rules(caches, identity, tenant, namespace), pace);
  }

  *#rules(caches: Caches | undefined, identity: Identity, tenant: string, namespace: string): Steps<HeldRules> {
    const rules: PolicyRule[] = [];
    const errors: string[] = [];
    let incomplete = false;
    for (const grant of this.#grants(caches, identity, tenant, namespace)) {
      if (grant === undefined) {
        yield;
        continue;
      }
      const held = this.#rulesOfRole(caches, tenant, grant.roleKind, grant.namespace, grant.roleName);
      if (held === undefined) errors.push(roleNotFound(grant));
      else if (rules.length + held.length > mostRulesTold) incomplete = true;
      else for (const rule of held) rules.push(rule);
      if ((held?.length ?? 0) > 1000) yield;
    }
    return incomplete ? { rules, errors, incomplete } : { rules, errors };
  }

  /** Undefined when there is no such role. `namespace` is a Role's own. */
  async rulesOfRole(tenant: string, kind: string, namespace: string, name: string): Promise<PolicyRule[] | undefined> {
    return this.#rulesOfRole(await this.#caches(), tenant, kind, namespace, name);
  }

  *#decide(caches: Caches | undefined, identity: Identity, attributes: Attributes): Steps<Decision> {
    const { tenant, namespace, resource, subresource } = attributes;
    const combined = subresource === '' ? resource : `${resource}/${subresource}`;
    const thing = attributes.isResourceRequest ? combined : undefined;
    const errors: string[] = [];
    /** A role that many bindings give says the same each time. */
    let looked: Set<readonly PolicyRule[]> | undefined;
    let effort = 0;
    for (const grant of this.#grants(caches, identity, tenant, namespace)) {
      if (grant === undefined) {
        yield;
        continue;
      }
      const rules = this.#rulesOfRole(caches, tenant, grant.roleKind, grant.namespace, grant.roleName);
      if (rules === undefined) {
        errors.push(roleNotFound(grant));
        continue;
      }
      if (looked?.has(rules) === true) continue;
      for (const rule of yield* rulesAbout(rules, thing)) {
        if (ruleAllows(rule, attributes)) return { allowed: true, reason: `RBAC: allowed by ${grant.description}` };
        effort += effortOf(rule);
        if (effort < effortAtOnce) continue;
        effort = 0;
        yield;
      }
      (looked ??= new Set()).add(rules);
    }
    return { allowed: false, reason: errors.length === 0 ? '' : `RBAC: ${aggregate(errors)}` };
  }

  /** undefined: others may have their turns now. */
  *#grants(
    caches: Caches | undefined,
    identity: Identity,
    tenant: string,
    namespace: string,
  ): Generator<Grant | undefined, void, undefined> {
    const own = caches === undefined ? undefined : this.#indexOf(caches, tenant);
    const seen = new Set<string>();
    let looked = 0;
    for (const bindingNamespace of namespace === '' ? [''] : ['', namespace]) {
      for (const subject of keysOfIdentity(identity)) {
        if (++looked % lookedAtOnce === 0) yield undefined;
        for (const grant of this.#shared.bindings.grants(bindingNamespace, subject)) {
          const cache = bindingNamespace === '' ? caches?.clusterRoleBindings : caches?.roleBindings;
          const bindings = bindingNamespace === '' ? CLUSTER_ROLE_BINDINGS : ROLE_BINDINGS;
          if (cache?.get(tenant, bindingNamespace, grant.name) !== undefined) continue;
          if (this.#isWithdrawn(tenant, bindings, bindingNamespace, grant.name)) continue;
          if (isNew(seen, grant)) yield grant;
        }
        if (own === undefined) continue;
        for (const grant of own.grants(bindingNamespace, subject)) {
          if (++looked % lookedAtOnce === 0) yield undefined;
          if (isNew(seen, grant)) yield grant;
        }
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
    const resource = isClusterRole ? CLUSTER_ROLES : ROLES;
    return this.#isWithdrawn(tenant, resource, place, name) ? undefined : this.#shared.rules(resource, place, name);
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
