import type { GroupResource } from '../api/object.ts';
import type { VersionedForm } from '../api/resource-definition.ts';
import { ALL_TENANTS } from '../api/tenants.ts';
import { type Pace, runInTurns } from '../base/steps.ts';
import { type Compare, type Store, UnknownOutcomeError, type WriteOperation } from '../store/store.ts';
import {
  nameFilter,
  versionedEntries,
  versionedFilter,
  versionedFormOf,
  versionedLater,
} from './custom-resources/versioned-entries.ts';
import { watchVersioned } from './custom-resources/versioned-watch.ts';
import type { ObjectChange } from './object-change.ts';
import type { SharedLayer } from './tenants/shared-layer.ts';
import { SharedLayerWatch, watchWithWithdrawals } from './tenants/shared-layer-watch.ts';
import type { TenantDirectory } from './tenants/tenant-directory.ts';
import type { TenantQuota } from './tenants/tenant-limits.ts';
import { VirtualEntry } from './tenants/virtual-entry.ts';
import { encodeForStore, encodeMembers } from './watch-cache/encoding.ts';
import { storeKey } from './watch-cache/keys.ts';
import type {
  CacheEntry,
  CacheList,
  CacheListRequest,
  CacheScope,
  CacheWatch,
  CacheWatchRequest,
  ObjectFilter,
  WatchCache,
  WatchCaches,
} from './watch-cache/watch-cache.ts';

/**
 * Objects as the verbs see them: the watch cache for reading, with the shared layer under it, and the store for
 * writing. Nothing else of the API server touches either.
 */
export class Objects {
  readonly #store: Store;
  readonly #caches: WatchCaches;
  readonly #sharedLayer: SharedLayer;
  readonly #tenants: TenantDirectory;
  readonly #quota: TenantQuota;

  constructor(
    store: Store,
    caches: WatchCaches,
    sharedLayer: SharedLayer,
    tenants: TenantDirectory,
    quota: TenantQuota,
  ) {
    this.#quota = quota;
    this.#store = store;
    this.#caches = caches;
    this.#sharedLayer = sharedLayer;
    this.#tenants = tenants;
  }

  cache(resource: GroupResource): WatchCache | Promise<WatchCache> {
    return this.#caches.peek(resource) ?? this.#caches.for(resource);
  }

  get(resource: GroupResource, tenant: string, namespace: string, name: string): Promise<CacheEntry | undefined> {
    const found = this.find(resource, tenant, namespace, name);
    return found instanceof Promise ? found : Promise.resolve(found);
  }

  /** As `get`; a promise only where something has to be waited for: many are asked for with each write. */
  find(
    resource: GroupResource,
    tenant: string,
    namespace: string,
    name: string,
  ): CacheEntry | undefined | Promise<CacheEntry | undefined> {
    const cache = this.#caches.peek(resource);
    if (cache === undefined || versionedFormOf(resource) !== undefined) {
      return this.#findLoading(resource, tenant, namespace, name);
    }
    const stored = cache.get(tenant, namespace, name);
    if (stored !== undefined || !this.#sharedLayer.covers(resource, tenant)) return stored;
    const owner = this.#tenants.find(tenant);
    if (owner instanceof Promise) return this.#findLoading(resource, tenant, namespace, name);
    return owner === undefined ? undefined : this.#sharedLayer.entry(resource, owner, namespace, name);
  }

  async #findLoading(
    resource: GroupResource,
    tenant: string,
    namespace: string,
    name: string,
  ): Promise<CacheEntry | undefined> {
    const cache = await this.cache(resource);
    const stored = cache.get(tenant, namespace, name);
    const form = versionedFormOf(resource);
    if (form !== undefined) return stored === undefined ? undefined : (await versionedEntries(form, [stored]))[0];
    if (stored !== undefined || !this.#sharedLayer.covers(resource, tenant)) return stored;
    const owner = await this.#tenants.entry(tenant);
    return owner === undefined ? undefined : this.#sharedLayer.entry(resource, owner, namespace, name);
  }

  /** Whether it would be stored in another form today, as after a change of keys that no cache hears of. */
  isStale(resource: GroupResource, tenant: string, namespace: string, name: string): Promise<boolean> | false {
    return this.#store.isStale?.(storeKey(resource, tenant, namespace, name)) ?? false;
  }

  async entries(resource: GroupResource, scope: CacheScope, filter?: ObjectFilter): Promise<readonly CacheEntry[]> {
    const cache = await this.cache(resource);
    const form = versionedFormOf(resource);
    if (form !== undefined) {
      if (form.fromStoredRemotely === undefined) {
        return versionedLater(form, cache.entries(scope, versionedFilter(form, filter)));
      }
      const converted = await versionedEntries(form, cache.entries(scope, nameFilter(filter)));
      return filter === undefined ? converted : converted.filter(({ object }) => filter.matches(object));
    }
    const entries = cache.entries(scope, filter);
    return this.#sharedLayer.covers(resource, scope.tenant)
      ? this.#withShared(cache, resource, scope, filter, entries)
      : entries;
  }

  /** How many there are, as far as that is known without loading or looking at any. */
  count(resource: GroupResource, tenant: string, namespace: string): number {
    const cache = this.#caches.peek(resource);
    if (cache === undefined) return 0;
    const everyone = tenant === ALL_TENANTS;
    return everyone ? cache.size : cache.count({ tenant, ...(namespace !== '' && { namespace }) });
  }

  /** Whether it is known, without waiting for anything, that a tenant's namespace has none: asked with each write. */
  hasNone(resource: GroupResource, tenant: string, namespace: string): boolean {
    const cache = this.#caches.peek(resource);
    if (cache === undefined || cache.count({ tenant, namespace }) > 0) return false;
    return !this.#sharedLayer.covers(resource, tenant);
  }

  /** Stored objects by resource, as far as they are in memory: what has been asked for since the start. */
  *counts(tenant: string | undefined): IterableIterator<GroupResource & { value: number }> {
    for (const cache of this.#caches.loaded()) {
      const value = tenant === undefined ? cache.size : cache.count({ tenant });
      const { group, resource } = cache.resource;
      if (value > 0 || tenant === undefined) yield { group, resource, value };
    }
  }

  /** Up to which revision each resource is known in memory. */
  *revisions(): IterableIterator<{ labels: string[]; value: number }> {
    for (const { resource, revision } of this.#caches.loaded()) {
      yield { labels: [resource.group, resource.resource], value: revision };
    }
  }

  /** Events of the store by resource. */
  *eventsReceived(): IterableIterator<{ labels: string[]; value: number }> {
    for (const { group, resource, value } of this.#caches.received()) yield { labels: [group, resource], value };
  }

  async list(resource: GroupResource, request: CacheListRequest): Promise<CacheList> {
    const cache = await this.cache(resource);
    const form = versionedFormOf(resource);
    if (form !== undefined) {
      return this.#listVersioned(cache, form, request);
    }
    const list = await cache.list(request);
    // Shared objects come with the last page: a page in the middle can't tell which of them it would pass.
    if (!this.#sharedLayer.covers(resource, request.tenant) || list.continue !== undefined) return list;
    return { ...list, entries: await this.#withShared(cache, resource, request, request.filter, list.entries) };
  }

  async watch(resource: GroupResource): Promise<(request: CacheWatchRequest) => CacheWatch> {
    const cache = await this.cache(resource);
    const form = versionedFormOf(resource);
    if (form !== undefined) return (request) => watchVersioned(form, cache, request);
    const tenants = await this.#tenants.cache();
    return (request) => {
      const layer = this.#sharedLayer;
      if (layer.covers(resource, request.tenant)) return new SharedLayerWatch(cache, tenants, layer, request);
      if (request.tenant !== undefined || layer.withdrawals?.covers(resource) !== true) return cache.watch(request);
      return watchWithWithdrawals(cache, tenants, layer, request);
    };
  }

  /**
   * All changes at one revision, or none. Returns the entry of each change (undefined for deletions), readable by
   * everyone from now on; undefined when some object is no longer as its writer saw it. `pace`: of the request that writes.
   */
  async commit(
    changes: ObjectChange[],
    pace?: Pace,
  ): Promise<{ revision: number; entries: (CacheEntry | undefined)[] } | undefined> {
    const compare: Compare[] = [];
    const operations: WriteOperation[] = [];
    /** Of each change; undefined for deletions. */
    const values: (Buffer | undefined)[] = [];
    // Waits only where there is something to wait for: every write passes here.
    for (const { resource, tenant, namespace, name, before, after } of changes) {
      const key = storeKey(resource, tenant, namespace, name);
      const modRevision = storedRevision(before);
      compare.push({ key, modRevision });
      if (after === undefined) {
        values.push(undefined);
        if (modRevision !== 0) operations.push({ type: 'delete', key });
        continue;
      }
      const form = versionedFormOf(resource);
      const stored = form === undefined ? after : await form.toStored(after);
      const spec = form === undefined ? before?.encodedSpec?.(after['spec']) : undefined;
      const texts = pace?.isLong === true ? await runInTurns(encodeMembers(stored, spec), pace) : undefined;
      const value = encodeForStore(stored, spec, texts);
      const isNew = modRevision === 0;
      const bytesBefore = isNew ? 0 : (this.#caches.peek(resource)?.get(tenant, namespace, name)?.size ?? 0);
      const checked = this.#quota.check({ resource, tenant, isNew, bytesBefore, bytesAfter: value.length });
      if (checked !== undefined) await checked;
      values.push(value);
      operations.push({ type: 'put', key, value });
    }
    const result = await this.#store.commit({ compare, operations });
    const entries: (CacheEntry | undefined)[] = [];
    for (let index = 0; index < changes.length; index++) {
      const { resource } = changes[index]!;
      const cache = this.#caches.peek(resource) ?? (await this.#reload(resource, result.committed));
      if (cache.revision < result.revision) {
        // A store that went away in this moment must not make a write that was done look like one that was not.
        await cache.waitForRevision(result.revision).catch((error) => {
          if (!result.committed) throw error;
        });
      }
      if (!result.committed) continue;
      const value = values[index];
      const entry = value === undefined ? undefined : cache.entryAt(compare[index]!.key, result.revision, value);
      const form = versionedFormOf(resource);
      entries.push(entry === undefined || form === undefined ? entry : (await versionedEntries(form, [entry]))[0]!);
    }
    return result.committed ? { revision: result.revision, entries } : undefined;
  }

  /**
   * Has a shared object stay away from its tenant, or what the tenant wrote over one when that is deleted. The revision
   * of it; undefined where nothing of the kind is kept.
   */
  async withdraw(
    resource: GroupResource,
    tenant: string,
    namespace: string,
    name: string,
    nowMs: number,
  ): Promise<number | undefined> {
    const { withdrawals } = this.#sharedLayer;
    if (withdrawals?.covers(resource) !== true) return undefined;
    const owner = await this.#tenants.entry(tenant);
    if (owner === undefined || this.#sharedLayer.original(resource, owner, namespace, name) === undefined)
      return undefined;
    if (withdrawals.has(owner, resource, namespace, name)) return owner.revision;
    // Who is overtaken finds it done.
    const done = await this.commit([withdrawals.change(owner, resource, namespace, name, nowMs)]);
    return done?.revision ?? owner.revision;
  }

  /** The cache of what was just written, or found changed, when it has been lost since. */
  async #reload(resource: GroupResource, isWritten: boolean): Promise<WatchCache> {
    try {
      return await this.#caches.for(resource);
    } catch (error) {
      if (isWritten) throw new UnknownOutcomeError((error as Error).message);
      throw error;
    }
  }

  /**
   * Waits until reads reflect everything committed before, by any control plane: before `revision`, where the caller has
   * asked for that already.
   */
  async fresh(resource: GroupResource, revision?: number): Promise<void> {
    const cache = await this.cache(resource);
    await (revision === undefined ? cache.fresh() : cache.waitForRevision(revision));
  }

  async #listVersioned(cache: WatchCache, form: VersionedForm, request: CacheListRequest): Promise<CacheList> {
    const { filter } = request;
    if (form.fromStoredRemotely === undefined) {
      const list = await cache.list({ ...request, filter: versionedFilter(form, filter) });
      return { ...list, entries: versionedLater(form, list.entries) };
    }
    // A page is converted as a whole, then looked at: it may turn out shorter than asked for.
    const list = await cache.list({ ...request, filter: nameFilter(filter) });
    const entries = await versionedEntries(form, list.entries);
    if (filter === undefined) return { ...list, entries };
    const { remainingItemCount: _remaining, ...rest } = list;
    return { ...rest, entries: entries.filter(({ object }) => filter.matches(object)) };
  }

  async #withShared(
    cache: WatchCache,
    resource: GroupResource,
    scope: CacheScope,
    filter: ObjectFilter | undefined,
    entries: readonly CacheEntry[],
  ): Promise<readonly CacheEntry[]> {
    const tenants =
      scope.tenant === undefined ? await this.#tenants.entries() : [await this.#tenants.entry(scope.tenant)];
    const shared: CacheEntry[] = [];
    for (const tenant of tenants) {
      if (tenant === undefined) continue;
      for (const entry of this.#sharedLayer.entries(resource, tenant)) {
        if (scope.namespace !== undefined && scope.namespace !== '' && entry.namespace !== scope.namespace) continue;
        if (cache.get(entry.tenant, entry.namespace, entry.name) !== undefined) continue;
        if (filter === undefined || filter.matches(entry.object)) shared.push(entry);
      }
    }
    if (shared.length === 0) return entries;
    return [...entries, ...shared].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  }
}

/** What the store's compare must find: a shared object is not there yet. */
export function storedRevision(entry: CacheEntry | undefined): number {
  return entry === undefined || entry instanceof VirtualEntry ? 0 : entry.revision;
}
