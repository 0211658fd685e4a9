import { TENANTS } from '../../api/resources.ts';
import { SYSTEM_TENANT } from '../../api/tenants.ts';
import type { CacheEntry, WatchCache, WatchCaches } from '../watch-cache/watch-cache.ts';

/** What tells a tenant from an earlier one of its name. */
export interface TenantBirth {
  /** Of its Tenant object. */
  uid: string;
  /** When that was made, in milliseconds since the epoch. */
  bornMs: number;
}

/** Which tenants there are: one Tenant object each, in the system tenant. The system tenant needs no object. */
export class TenantDirectory {
  readonly #caches: WatchCaches;

  constructor(caches: WatchCaches) {
    this.#caches = caches;
  }

  cache(): WatchCache | Promise<WatchCache> {
    return this.#caches.peek(TENANTS) ?? this.#caches.for(TENANTS);
  }

  exists(tenant: string): boolean | Promise<boolean> {
    if (tenant === SYSTEM_TENANT) return true;
    const cache = this.cache();
    return cache instanceof Promise
      ? cache.then((loaded) => loaded.get(SYSTEM_TENANT, '', tenant) !== undefined)
      : cache.get(SYSTEM_TENANT, '', tenant) !== undefined;
  }

  /** Which one of that name it is; undefined for an unknown one. */
  birth(tenant: string): TenantBirth | undefined {
    const entry = this.#caches.peek(TENANTS)?.get(SYSTEM_TENANT, '', tenant);
    return entry?.representation('birth', ({ metadata: { uid, creationTimestamp } }) => ({
      uid: uid ?? '',
      bornMs: Date.parse(creationTimestamp ?? ''),
    }));
  }

  /** The Tenant object; undefined for an unknown one and for the system tenant before its first start. */
  async entry(tenant: string): Promise<CacheEntry | undefined> {
    return (await this.cache()).get(SYSTEM_TENANT, '', tenant);
  }

  /** As `entry`; a promise only before the directory is loaded. */
  find(tenant: string): CacheEntry | undefined | Promise<CacheEntry | undefined> {
    const cache = this.#caches.peek(TENANTS);
    return cache === undefined ? this.entry(tenant) : cache.get(SYSTEM_TENANT, '', tenant);
  }

  async entries(): Promise<CacheEntry[]> {
    return (await this.cache()).entries({ tenant: SYSTEM_TENANT });
  }
}
