import type { GroupResource, KubeObject } from '../../../api/object.ts';
import type { CacheEvent, CacheWatch, WatchCache } from '../../watch-cache/watch-cache.ts';

/**
 * What is made of all tenants' objects of one kind, each when it is first asked for. It follows the watch cache, which
 * hears of a write before its writer does: an object counts from the next request on. A tenant without any costs nothing.
 */
export class Followed<T> {
  readonly resource: GroupResource;
  readonly #cacheOf: () => WatchCache | Promise<WatchCache>;
  readonly #make: (object: KubeObject) => T;
  readonly #tenants = new Map<string, Map<string, { object: KubeObject; made?: T }>>();
  readonly #sorted = new Map<string, T[]>();
  #watch: CacheWatch | undefined;
  #loading: Promise<void> | undefined;

  constructor(
    resource: GroupResource,
    cacheOf: (resource: GroupResource) => WatchCache | Promise<WatchCache>,
    make: (object: KubeObject) => T,
  ) {
    this.resource = resource;
    this.#cacheOf = () => cacheOf(resource);
    this.#make = make;
  }

  get isLoaded(): boolean {
    return this.#watch !== undefined;
  }

  /** Only once loaded: at the first request, and after the store was lost, it has to be loaded. */
  hasAny(tenant: string): boolean {
    return this.#tenants.has(tenant);
  }

  /** By name. */
  ofTenant(tenant: string): readonly T[] {
    let sorted = this.#sorted.get(tenant);
    if (sorted !== undefined) return sorted;
    const kept = this.#tenants.get(tenant);
    if (kept === undefined) return [];
    sorted = [...kept.keys()].sort().map((name) => {
      const one = kept.get(name)!;
      one.made ??= this.#make(one.object);
      return one.made;
    });
    this.#sorted.set(tenant, sorted);
    return sorted;
  }

  load(): Promise<void> {
    this.#loading ??= this.#follow().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #follow(): Promise<void> {
    const cache = await this.#cacheOf();
    this.#tenants.clear();
    this.#sorted.clear();
    this.#watch = cache.watch({
      tenant: undefined,
      afterRevision: undefined,
      onEvents: (events) => {
        for (const event of events) this.#hear(event);
      },
      onEnd: () => (this.#watch = undefined),
    });
  }

  #hear({ type, entry }: CacheEvent): void {
    if (type === 'BOOKMARK') return;
    const { tenant, name } = entry;
    this.#sorted.delete(tenant);
    const kept = this.#tenants.get(tenant) ?? new Map();
    if (type === 'DELETED') kept.delete(name);
    else kept.set(name, { object: entry.object });
    if (kept.size === 0) this.#tenants.delete(tenant);
    else this.#tenants.set(tenant, kept);
  }
}
