import type { Entry } from './entry.ts';
import type { TenantUsage } from './tenant-usage.ts';
import type { CacheScope, ObjectFilter } from './watch-cache.ts';

/**
 * The objects of one namespace (or the cluster-scoped ones, under ''). Sorted when first listed, then kept so; who took
 * a snapshot keeps it, the next change goes into a copy.
 */
class NamespaceObjects {
  readonly entries = new Map<string, Entry>();
  #sorted: Entry[] | undefined;
  #shared = false;

  /** In the order of names, until the next change. */
  sorted(): readonly Entry[] {
    return (this.#sorted ??= [...this.entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1)));
  }

  /** In the order of names, for ever as they are now. */
  snapshot(): readonly Entry[] {
    this.#shared = true;
    return this.sorted();
  }

  set(entry: Entry): void {
    const isNew = !this.entries.has(entry.name);
    this.entries.set(entry.name, entry);
    if (this.#sorted === undefined) return;
    const sorted = this.#own(this.#sorted);
    sorted.splice(lowerBound(sorted, entry.name), isNew ? 0 : 1, entry);
  }

  delete(name: string): void {
    if (!this.entries.delete(name) || this.#sorted === undefined) return;
    const sorted = this.#own(this.#sorted);
    sorted.splice(lowerBound(sorted, name), 1);
  }

  #own(sorted: Entry[]): Entry[] {
    if (!this.#shared) return sorted;
    this.#shared = false;
    return (this.#sorted = sorted.slice());
  }
}

/** What is kept by name and walked in the order of keys. */
class Named<Value> {
  readonly byName = new Map<string, Value>();
  #sorted: Value[] | undefined;

  add(name: string, value: Value): Value {
    this.byName.set(name, value);
    this.#sorted = undefined;
    return value;
  }

  delete(name: string): void {
    this.byName.delete(name);
    this.#sorted = undefined;
  }

  sorted(): readonly Value[] {
    return (this.#sorted ??= [...this.byName]
      .sort(([a], [b]) => (sortsBefore(a, b) ? -1 : 1))
      .map(([, value]) => value));
  }
}

type TenantObjects = Named<NamespaceObjects>;

/** The current objects of one resource by tenant, namespace and name: a tenant without objects costs nothing. */
export class ObjectIndex {
  readonly #tenants = new Named<TenantObjects>();
  readonly #usage: TenantUsage | undefined;
  size = 0;

  /** What is held here is counted in `usage`. */
  constructor(usage?: TenantUsage) {
    this.#usage = usage;
  }

  /** Nothing of this counts any more. */
  release(): void {
    for (const entry of this.entries({ tenant: undefined })) this.#usage?.add(entry.tenant, -1, -entry.size);
  }

  get(tenant: string, namespace: string, name: string): Entry | undefined {
    return this.#tenants.byName.get(tenant)?.byName.get(namespace)?.entries.get(name);
  }

  set(entry: Entry): Entry | undefined {
    const tenant = this.#tenants.byName.get(entry.tenant) ?? this.#tenants.add(entry.tenant, new Named());
    const namespace = tenant.byName.get(entry.namespace) ?? tenant.add(entry.namespace, new NamespaceObjects());
    const previous = namespace.entries.get(entry.name);
    namespace.set(entry);
    if (previous === undefined) this.size++;
    this.#usage?.add(entry.tenant, previous === undefined ? 1 : 0, entry.size - (previous?.size ?? 0));
    return previous;
  }

  delete(tenant: string, namespace: string, name: string): Entry | undefined {
    const namespaces = this.#tenants.byName.get(tenant);
    const objects = namespaces?.byName.get(namespace);
    const previous = objects?.entries.get(name);
    if (previous === undefined) return undefined;
    objects!.delete(name);
    this.size--;
    this.#usage?.add(tenant, -1, -previous.size);
    if (objects!.entries.size === 0) namespaces!.delete(namespace);
    if (namespaces!.byName.size === 0) this.#tenants.delete(tenant);
    return previous;
  }

  tenants(): IterableIterator<string> {
    return this.#tenants.byName.keys();
  }

  /** How many there are, from `start` (see `entries`) on. */
  count(scope: CacheScope, start = ''): number {
    const { tenant, namespace } = scope;
    if (tenant === undefined && namespace === undefined && start === '') return this.size;
    if (tenant !== undefined && namespace !== undefined && start === '') {
      return this.#tenants.byName.get(tenant)?.byName.get(namespace)?.entries.size ?? 0;
    }
    let count = 0;
    for (const objects of this.#namespaces(scope)) {
      count += start === '' ? objects.entries.size : objects.entries.size - firstNotBefore(objects.sorted(), start);
    }
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
      const sorted = objects.sorted();
      for (let index = firstNotBefore(sorted, start); index < sorted.length; index++) {
        const entry = sorted[index]!;
        if (filter === undefined || filter.matches(entry.object)) yield entry;
      }
    }
  }

  /** All of a scope as they are now, in the order of keys: costs nothing for one namespace, however many it has. */
  snapshot(scope: CacheScope): readonly Entry[] {
    const parts: (readonly Entry[])[] = [];
    for (const objects of this.#namespaces(scope)) parts.push(objects.snapshot());
    return parts.length === 1 ? parts[0]! : parts.flat();
  }

  *#namespaces({ tenant, namespace }: CacheScope): Generator<NamespaceObjects> {
    const tenants = tenant === undefined ? this.#tenants.sorted() : [this.#tenants.byName.get(tenant)];
    for (const namespaces of tenants) {
      if (namespaces === undefined) continue;
      if (namespace === undefined) {
        yield* namespaces.sorted();
        continue;
      }
      const objects = namespaces.byName.get(namespace);
      if (objects !== undefined) yield objects;
    }
  }
}

/** Within keys, where `/` follows, `a-b/` comes before `a/`. */
const sortsBefore = (a: string, b: string) => `${a}/` < `${b}/`;

/** The index of the first entry whose suffix is not before `start`. */
export function firstNotBefore(sorted: readonly Entry[], start: string): number {
  if (start === '') return 0;
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]!.suffix < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lowerBound(sorted: readonly Entry[], name: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]!.name < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
