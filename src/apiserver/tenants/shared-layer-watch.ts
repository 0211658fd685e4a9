import { SYSTEM_TENANT } from '../../api/tenants.ts';
import type {
  CacheEntry,
  CacheEvent,
  CacheEventType,
  CacheWatch,
  CacheWatchRequest,
  Variant,
  WatchCache,
} from '../watch-cache/watch-cache.ts';
import type { SharedLayer } from './shared-layer.ts';
import type { Withdrawal } from './withdrawals.ts';

/**
 * A watch that also tells of shared objects: they come and go with their Tenant, give way to an object a tenant writes
 * over one (MODIFIED instead of ADDED), and come back when that is deleted.
 */
export class SharedLayerWatch implements CacheWatch {
  readonly #cache: WatchCache;
  readonly #tenants: WatchCache;
  readonly #layer: SharedLayer;
  readonly #request: CacheWatchRequest;
  readonly #watches: { close(): void }[] = [];
  readonly #names: ReadonlySet<string>;
  #ended = false;

  constructor(cache: WatchCache, tenants: WatchCache, layer: SharedLayer, request: CacheWatchRequest) {
    this.#cache = cache;
    this.#tenants = tenants;
    this.#layer = layer;
    this.#request = request;
    const { namespaces, names } = layer.places(cache.resource);
    this.#names = names;
    const { afterRevision, namespace } = request;
    if (namespace !== undefined && namespace !== '' && !namespaces.has(namespace)) {
      this.#watches.push(cache.watch(request));
      return;
    }
    if (afterRevision === undefined) this.#sendPresent();
    const onEnd = () => {
      if (this.#ended) return;
      this.close();
      request.onEnd();
    };
    this.#watches.push(
      cache.watch({ ...request, filter: undefined, onEvents: (events) => this.#onEvents(events), onEnd }),
    );
    this.#watches.push(
      tenants.watch({
        tenant: SYSTEM_TENANT,
        afterRevision: afterRevision ?? tenants.revision,
        onEvents: (events) => this.#onTenants(events),
        onEnd,
      }),
    );
    if (layer.withdrawals?.covers(cache.resource) !== true) return;
    const withdrawn = layer.withdrawals.watch(
      { tenant: request.tenant, afterRevision: afterRevision ?? tenants.revision, onEnd },
      cache.resource,
      (record, withdrawal) => this.#onWithdrawal(record, withdrawal),
    );
    if (withdrawn !== undefined) this.#watches.push(withdrawn);
  }

  close(): void {
    this.#ended = true;
    for (const watch of this.#watches) watch.close();
  }

  #sendPresent(): void {
    const { tenant } = this.#request;
    const present = this.#tenants
      .entries({ tenant: SYSTEM_TENANT })
      .filter((entry) => tenant === undefined || entry.name === tenant)
      .flatMap((entry) => this.#visible(entry));
    this.#emit(present.map((entry) => event('ADDED', entry, undefined, entry.revision)));
  }

  /** The shared objects of a tenant that lie in the watch's scope and are not written over. */
  #visible(tenant: CacheEntry): CacheEntry[] {
    return this.#layer
      .entries(this.#cache.resource, tenant)
      .filter((entry) => this.#inScope(entry))
      .filter((entry) => this.#cache.get(entry.tenant, entry.namespace, entry.name) === undefined);
  }

  #inScope(entry: CacheEntry): boolean {
    const { tenant, namespace } = this.#request;
    return (
      (tenant === undefined || entry.tenant === tenant) &&
      (namespace === undefined || namespace === '' || entry.namespace === namespace)
    );
  }

  #onTenants(events: CacheEvent[]): void {
    const { tenant } = this.#request;
    for (const { type, entry, revision } of events) {
      if (tenant !== undefined && entry.name !== tenant) continue;
      if (type !== 'ADDED' && type !== 'DELETED') continue;
      this.#emit(this.#visible(entry).map((shared) => event(type, shared, undefined, revision)));
    }
  }

  /** A shared object is deleted, or there again; one that a tenant wrote over it has events of its own. */
  #onWithdrawal({ type, entry: record, revision }: CacheEvent, { namespace, name }: Withdrawal): void {
    const { resource } = this.#cache;
    const tenant = this.#tenants.get(SYSTEM_TENANT, '', record.tenant);
    if (tenant === undefined || this.#cache.get(record.tenant, namespace, name) !== undefined) return;
    const shared = this.#layer.original(resource, tenant, namespace, name);
    if (shared === undefined || !this.#inScope(shared)) return;
    this.#emit([event(type === 'DELETED' ? 'ADDED' : 'DELETED', shared.at(revision), undefined, revision)]);
  }

  #onEvents(events: CacheEvent[]): void {
    const { resource } = this.#cache;
    const mayBeShared = ({ type, entry }: CacheEvent) =>
      (type === 'ADDED' || type === 'DELETED') && this.#names.has(`${entry.namespace}/${entry.name}`);
    if (!events.some(mayBeShared)) {
      this.#emit(events);
      return;
    }
    this.#emit(
      events.flatMap((original) => {
        if (!mayBeShared(original)) return [original];
        const { type, entry, revision } = original;
        const tenant = this.#tenants.get(SYSTEM_TENANT, '', entry.tenant);
        const shared =
          tenant === undefined ? undefined : this.#layer.entry(resource, tenant, entry.namespace, entry.name);
        if (shared === undefined) return [original];
        if (type === 'DELETED') return [original, event('ADDED', shared, undefined, revision)];
        return this.#request.afterRevision === undefined && original.previousEntry === undefined && this.#starting
          ? [original]
          : [event('MODIFIED', entry, shared, revision)];
      }),
    );
  }

  /** While the cache delivers what is present, an ADDED is the first the client hears of an object. */
  get #starting(): boolean {
    return this.#watches.length === 0;
  }

  /** Applies the request's filter: an object may come into view or leave it with a change. */
  #emit(events: CacheEvent[]): void {
    if (this.#ended) return;
    const { filter } = this.#request;
    const seen =
      filter === undefined
        ? events
        : events.flatMap((original) => {
            if (original.type === 'BOOKMARK') return [original];
            const now = original.type !== 'DELETED' && filter.matches(original.entry.object);
            const before =
              original.type === 'DELETED'
                ? filter.matches(original.entry.object)
                : original.previousEntry !== undefined && filter.matches(original.previousEntry.object);
            if (!now && !before) return [];
            const type: CacheEventType = now ? (before ? 'MODIFIED' : 'ADDED') : 'DELETED';
            return type === original.type
              ? [original]
              : [event(type, original.entry, original.previousEntry, original.revision)];
          });
    if (seen.length > 0) this.#request.onEvents(seen);
  }
}

/**
 * A watch across all tenants of a resource whose shared objects it does not tell of: of one that a tenant deletes it
 * says in passing that it was there and went, for what was made of it (an aggregated role) must be made again.
 */
export function watchWithWithdrawals(
  cache: WatchCache,
  tenants: WatchCache,
  layer: SharedLayer,
  request: CacheWatchRequest,
): CacheWatch {
  const { filter, onEvents } = request;
  const watches: { close(): void }[] = [];
  let isEnded = false;
  const close = () => {
    isEnded = true;
    for (const watch of watches) watch.close();
  };
  const onEnd = () => {
    if (isEnded) return;
    close();
    request.onEnd();
  };
  const withdrawn = layer.withdrawals?.watch(
    { tenant: undefined, afterRevision: request.afterRevision ?? cache.revision, onEnd },
    cache.resource,
    ({ type, entry: record, revision }, { namespace, name }) => {
      const tenant = tenants.get(SYSTEM_TENANT, '', record.tenant);
      if (isEnded || type === 'DELETED' || tenant === undefined) return;
      if (cache.get(record.tenant, namespace, name) !== undefined) return;
      const shared = layer.original(cache.resource, tenant, namespace, name)?.at(revision);
      if (shared === undefined || filter?.matches(shared.object) === false) return;
      if (request.namespace && request.namespace !== namespace) return;
      onEvents([event('ADDED', shared, undefined, revision), event('DELETED', shared, undefined, revision)]);
    },
  );
  if (withdrawn !== undefined) watches.push(withdrawn);
  watches.push(cache.watch({ ...request, onEnd }));
  return { close };
}

function event(
  type: CacheEventType,
  entry: CacheEntry,
  previousEntry: CacheEntry | undefined,
  revision: number,
): CacheEvent {
  return {
    type,
    revision,
    entry,
    previousEntry,
    frame: (variant: Variant) =>
      Buffer.concat([Buffer.from(`{"type":"${type}","object":`), entry.bytes(variant), Buffer.from('}\n')]),
  };
}
