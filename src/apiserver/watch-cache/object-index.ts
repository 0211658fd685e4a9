import type { Entry } from './entry.ts';
import type { CacheScope, ObjectFilter } from './watch-cache.ts';

/** The objects of one namespace (or the cluster-scoped ones, under ''). Names are sorted when first listed, then kept so. */
class NamespaceObjects {
  readonly entries = new Map<string, Entry>();
  #names: string[] | undefined;

  names(): string[] {
    return (this.#names ??= [...this.entries.keys()].sort());
  }

  set(entry: Entry): void {
    if (this.#names !== undefined && !this.entries.has(entry.name)) {
      this.#names.splice(lowerBound(this.#names, entry.name), 0, entry.name);
    }
    this.entries.set(entry.name, entry);
  }

  delete(name: string): void {
    if (!this.entries.delete(name) || this.#names === undefined) return;
    this.#names.splice(lowerBound(this.#names, name), 1);
  }
}

type TenantObjects = Map<string, NamespaceObjects>;

/** The current objects of one resource by tenant, namespace and name: a tenant without objects costs nothing. */
export class ObjectIndex {
  readonly #tenants = new Map<string, TenantObjects>();
  size = 0;

  get(tenant: string, namespace: string, name: string): Entry | undefined {
    return this.#tenants.get(tenant)?.get(namespace)?.entries.get(name);
  }

  set(entry: Entry): Entry | undefined {
    let tenant = this.#tenants.get(entry.tenant);
    if (tenant === undefined) this.#tenants.set(entry.tenant, (tenant = new Map()));
    let namespace = tenant.get(entry.namespace);
    if (namespace === undefined) tenant.set(entry.namespace, (namespace = new NamespaceObjects()));
    const previous = namespace.entries.get(entry.name);
    namespace.set(entry);
    if (previous === undefined) this.size++;
    return previous;
  }

  delete(tenant: string, namespace: string, name: string): Entry | undefined {
    const namespaces = this.#tenants.get(tenant);
    const objects = namespaces?.get(namespace);
    const previous = objects?.entries.get(name);
    if (previous === undefined) return undefined;
    objects!.delete(name);
    this.size--;
    if (objects!.entries.size === 0) namespaces!.delete(namespace);
    if (namespaces!.size === 0) this.#tenants.delete(tenant);
    return previous;
  }

  tenants(): IterableIterator<string> {
    return this.#tenants.keys();
  }

  count(scope: CacheScope): number {
    let count = 0;
    if (scope.tenant === undefined && scope.namespace === undefined) return this.size;
    for (const objects of this.#namespaces(scope)) count += objects.entries.size;
    return count;
  }

  /** In the order of keys, from the first key suffix (`tenant/namespace/name`) that is not before `start`. */
  *entries(scope: CacheScope, filter?: ObjectFilter, start = ''): Generator<Entry> {
    const onlyName = filter?.exactFields?.['metadata.name'];
    for (const objects of this.#namespaces(scope)) {
      if (onlyName !== undefined) {
        const entry = objects.entries.get(onlyName);
        if (entry !== undefined && entry.suffix >= start && filter!.matches(entry.object)) yield entry;
        continue;
      }
      const names = objects.names();
      let index = start === '' ? 0 : firstNotBefore(names, objects, start);
      for (; index < names.length; index++) {
        const entry = objects.entries.get(names[index]!)!;
        if (filter === undefined || filter.matches(entry.object)) yield entry;
      }
    }
  }

  *#namespaces({ tenant, namespace }: CacheScope): Generator<NamespaceObjects> {
    const tenants = tenant === undefined ? sortedAsSegments(this.#tenants.keys()) : [tenant];
    for (const name of tenants) {
      const namespaces = this.#tenants.get(name);
      if (namespaces === undefined) continue;
      if (namespace !== undefined) {
        const objects = namespaces.get(namespace);
        if (objects !== undefined) yield objects;
      } else if (namespaces.size === 1) {
        yield* namespaces.values();
      } else {
        for (const each of sortedAsSegments(namespaces.keys())) yield namespaces.get(each)!;
      }
    }
  }
}

/** As they sort within keys, where `/` follows: `a-b/` comes before `a/`. */
function sortedAsSegments(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => (`${a}/` < `${b}/` ? -1 : 1));
}

function firstNotBefore(names: string[], objects: NamespaceObjects, start: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (objects.entries.get(names[middle]!)!.suffix < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lowerBound(names: string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (names[middle]! < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
