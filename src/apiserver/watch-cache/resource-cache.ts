import type { GroupResource } from '../../api/object.ts';
import { expired, StatusError, serviceUnavailable } from '../../api/status.ts';
import type { Clock } from '../../base/clock.ts';
import type { Count } from '../../base/metrics.ts';
import { prefixEnd, type Store, type StoreEvent, type Watch } from '../../store/store.ts';
import { Change, Event } from './change.ts';
import { bookmarkEntry, Entry } from './entry.ts';
import { parseKey, resourcePrefix } from './keys.ts';
import { firstNotBefore, ObjectIndex } from './object-index.ts';
import { checkNotCompacted, cutPage, decodeContinue, listFromStore, NEWEST } from './pages.ts';
import { RecentChanges } from './recent-changes.ts';
import type { TenantUsage } from './tenant-usage.ts';
import type {
  CacheEntry,
  CacheEvent,
  CacheList,
  CacheListRequest,
  CacheScope,
  CacheWatch,
  CacheWatchRequest,
  ObjectFilter,
  WatchCache,
} from './watch-cache.ts';
import { type FieldValues, type Watcher, WatcherIndex } from './watcher-index.ts';

export interface ResourceCacheOptions {
  store: Store;
  clock: Clock;
  resource: GroupResource;
  indexedFields: FieldValues;
  bookmarkIntervalMs: number;
  ringCapacity: number;
  usage?: TenantUsage;
  /** Counts the store's events. */
  received?: Count;
  /** The store ended its watch: this cache is of no more use. */
  onLost(cache: ResourceCache, error: Error): void;
}

interface Waiter {
  revision: number;
  resolve: () => void;
  reject: (error: Error) => void;
  cancelTimeout: () => void;
}

const freshnessTimeoutMs = 3000;
/** Objects are looked at for so long before others get a turn. */
const pieceMs = 0.5;
/** Recent changes are kept for watches that come back; once a minute, those of before the last minute are let go. */
const trimIntervalMs = 60_000;
const changesAlwaysKept = 128;

/** All objects of one resource, of all tenants, as of the newest revision seen, with who watches them. */
export class ResourceCache implements WatchCache {
  readonly resource: GroupResource;
  readonly #options: ResourceCacheOptions;
  readonly #prefix: string;
  readonly #objects: ObjectIndex;
  readonly #watchers: WatcherIndex;
  readonly #recent: RecentChanges;
  #revision: number;
  /** The revision at which an object of this resource last changed. */
  #changedAt: number;
  #waiters: Waiter[] = [];
  #storeWatch: Watch | undefined;
  #cancelBookmarks: (() => void) | undefined;
  #cancelTrim: (() => void) | undefined;
  #closed = false;

  /** Loads the resource and follows it. Rejects when the store cannot be read. */
  static async load(options: ResourceCacheOptions): Promise<ResourceCache> {
    const start = resourcePrefix(options.resource);
    const end = prefixEnd(start);
    const { items, revision } = await options.store.range({ start, end });
    const cache = new ResourceCache(options, revision);
    for (const { key, value, modRevision, stale } of items) {
      cache.#objects.set(cache.#entry(key, modRevision, value, stale));
    }
    cache.#storeWatch = options.store.watch({
      start,
      end,
      afterRevision: revision,
      onEvents: (events, at) => cache.#apply(events, at),
      onError: (error) => {
        cache.close();
        options.onLost(cache, error);
      },
    });
    return cache;
  }

  private constructor(options: ResourceCacheOptions, revision: number) {
    this.#options = options;
    this.resource = options.resource;
    this.#objects = new ObjectIndex(options.usage);
    this.#prefix = resourcePrefix(options.resource);
    this.#revision = revision;
    this.#changedAt = revision;
    this.#watchers = new WatcherIndex(options.indexedFields);
    this.#recent = new RecentChanges(options.ringCapacity, revision);
  }

  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(tenant: string, namespace: string, name: string): CacheEntry | undefined {
    return this.#objects.get(tenant, namespace, name);
  }

  entryAt(key: string, revision: number, stored: Uint8Array): CacheEntry {
    const { tenant, namespace, name } = parseKey(this.#prefix.length, key);
    const cached = this.#objects.get(tenant, namespace, name);
    return cached?.revision === revision ? cached : this.#entry(key, revision, stored);
  }

  entries(scope: CacheScope, filter?: ObjectFilter): CacheEntry[] {
    return [...this.#objects.entries(scope, filter)];
  }

  find(scope: CacheScope, filter?: ObjectFilter): CacheEntry | undefined {
    for (const entry of this.#objects.entries(scope, filter)) return entry;
    return undefined;
  }

  async list(request: CacheListRequest): Promise<CacheList> {
    const { filter, limit } = request;
    const scope = scopeSuffix(request);
    const position =
      request.continue !== undefined
        ? decodeContinue(request.continue, scope)
        : { revision: request.exactRevision ?? this.#revision, start: scope };
    if (position.revision === NEWEST) position.revision = this.#revision;
    else {
      if (position.revision > this.#revision) await this.waitForRevision(position.revision);
      if (request.continue !== undefined) await checkNotCompacted(this.#options.store, this.#prefix, position);
    }
    if (position.revision < this.#changedAt) {
      return listFromStore(this.#options.store, this.#prefix, scope, request, position);
    }
    // A page in the middle says the revision of its list, not a newer one, or the next page would be of another.
    const revision =
      request.continue === undefined && request.exactRevision === undefined ? this.#revision : position.revision;
    const start = position.start === scope ? '' : position.start;
    if (filter !== undefined) {
      const found = await this.#matching(request, filter, start);
      return cutPage(found, revision, limit, undefined);
    }
    if (!limit && start === '') return { entries: this.#objects.snapshot(request), revision };
    return cutPage(
      this.#objects.entries(request, undefined, start),
      revision,
      limit,
      this.#objects.count(request, start),
    );
  }

  /** What matches now, at most one more than the limit; looked at in pieces when there is much. */
  async #matching(request: CacheListRequest, filter: ObjectFilter, start: string): Promise<Entry[]> {
    const { limit, pause } = request;
    const onlyName = filter.exactFields?.['metadata.name'] !== undefined;
    if (onlyName || pause === undefined) return [...this.#objects.entries(request, filter, start)];
    const found: Entry[] = [];
    const all = this.#objects.snapshot(request);
    let untilMs = performance.now() + pieceMs;
    for (let index = firstNotBefore(all, start); index < all.length; index++) {
      const entry = all[index]!;
      if (filter.matches(entry.object) && found.push(entry) > (limit || Number.POSITIVE_INFINITY)) break;
      // Asking for the time costs as much as a look at an object.
      if (index % 16 !== 0 || performance.now() < untilMs) continue;
      await pause();
      untilMs = performance.now() + pieceMs;
    }
    return found;
  }

  count(scope: CacheScope): number {
    return this.#objects.count(scope);
  }

  tenants(): IterableIterator<string> {
    return this.#objects.tenants();
  }

  waitForRevision(revision: number): Promise<void> {
    if (revision <= this.#revision) return Promise.resolve();
    if (this.#closed) return Promise.reject(lost());
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { revision, resolve, reject, cancelTimeout: () => {} };
      waiter.cancelTimeout = this.#options.clock.schedule(freshnessTimeoutMs, () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(tooLargeResourceVersion(revision, this.#revision));
      });
      this.#waiters.push(waiter);
      // A shared store tells of others' revisions elsewhere only when it is asked.
      this.#options.store.currentRevision().catch(() => {});
    });
  }

  async fresh(): Promise<void> {
    const revision = await this.#options.store.currentRevision();
    if (revision > this.#revision) await this.waitForRevision(revision);
  }

  watch(request: CacheWatchRequest): CacheWatch {
    if (this.#closed) throw lost();
    const watcher: Watcher = { request, sequence: this.#recent.nextSequence - 1, closed: false };
    const handle = { close: () => this.#remove(watcher) };
    const backlog = this.#backlog(request);
    this.#watchers.add(watcher);
    if (backlog.length > 0) this.#deliver(watcher, backlog);
    if (request.bookmarks !== undefined) this.#scheduleBookmarks();
    return handle;
  }

  /** Ends every watch. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#storeWatch?.close();
    this.#objects.release();
    this.#cancelBookmarks?.();
    this.#cancelTrim?.();
    for (const waiter of this.#waiters) {
      waiter.cancelTimeout();
      waiter.reject(lost());
    }
    this.#waiters = [];
    for (const watcher of [...this.#watchers.all]) this.#end(watcher);
  }

  #entry(key: string, revision: number, stored: Uint8Array, stale?: boolean): Entry {
    const { tenant, namespace, name } = parseKey(this.#prefix.length, key);
    const entry = new Entry(this.#prefix, tenant, namespace, name, revision, stored);
    if (stale === true) entry.stale = true;
    return entry;
  }

  #apply(events: StoreEvent[], revision: number): void {
    this.#revision = revision;
    this.#options.received?.add(events.length);
    const changes: Change[] = [];
    for (const event of events) {
      const change = this.#change(event);
      if (change === undefined) continue;
      this.#recent.push(change);
      changes.push(change);
    }
    if (changes.length > 0) {
      this.#changedAt = revision;
      this.#scheduleTrim();
    }
    for (const change of changes) {
      this.#dispatch(change);
      change.previous?.release();
    }
    if (this.#waiters.length > 0) this.#wake();
  }

  #change(event: StoreEvent): Change | undefined {
    const sequence = this.#recent.nextSequence;
    if (event.type === 'put') {
      const entry = this.#entry(event.key, event.revision, event.value, event.stale);
      return new Change(sequence, event.revision, entry, this.#objects.set(entry));
    }
    const { tenant, namespace, name } = parseKey(this.#prefix.length, event.key);
    const previous = this.#objects.delete(tenant, namespace, name);
    return previous && new Change(sequence, event.revision, undefined, previous);
  }

  #dispatch(change: Change): void {
    let told: CacheEvent[] = [];
    for (const watchers of this.#watchers.audience(change)) {
      for (const watcher of watchers) {
        // One that came while this is going on was served from the recent changes.
        if (watcher.sequence >= change.sequence) continue;
        watcher.sequence = change.sequence;
        const event = change.eventFor(watcher.request.filter);
        if (event === undefined || event.revision <= (watcher.request.afterRevision ?? 0)) continue;
        if (told[0] !== event) told = [event];
        this.#deliver(watcher, told);
      }
    }
  }

  #backlog(request: CacheWatchRequest): CacheEvent[] {
    const { afterRevision, filter, bookmarks } = request;
    if (afterRevision === undefined) {
      const events: CacheEvent[] = [];
      for (const entry of this.#objects.entries(request, filter)) events.push(new Event('ADDED', entry, undefined));
      if (request.initialEventsEnd && bookmarks !== undefined) {
        events.push(new Event('BOOKMARK', bookmarkEntry(bookmarks, this.#revision, true), undefined));
      }
      return events;
    }
    if (afterRevision < this.#recent.completeAfter) {
      throw expired(`too old resource version: ${afterRevision} (${this.#recent.completeAfter})`);
    }
    const events: CacheEvent[] = [];
    for (const change of this.#recent.after(afterRevision)) {
      const { tenant, namespace } = (change.entry ?? change.previous)!;
      if (request.tenant !== undefined && request.tenant !== tenant) continue;
      if (request.namespace !== undefined && request.namespace !== namespace) continue;
      const event = change.eventFor(filter);
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  #deliver(watcher: Watcher, events: CacheEvent[]): void {
    if (watcher.closed) return;
    try {
      watcher.request.onEvents(events);
    } catch {
      // Its consumer is broken (a response torn down, say); the others must not suffer.
      this.#end(watcher);
    }
  }

  /** A burst must not hold its memory for ever; a resource at rest has no timer. */
  #scheduleTrim(): void {
    if (this.#cancelTrim !== undefined || this.#recent.length <= changesAlwaysKept) return;
    const sequence = this.#recent.nextSequence;
    this.#cancelTrim = this.#options.clock.schedule(trimIntervalMs, () => {
      this.#cancelTrim = undefined;
      this.#recent.trim(Math.max(this.#recent.nextSequence - sequence, changesAlwaysKept));
      this.#scheduleTrim();
    });
  }

  #scheduleBookmarks(): void {
    this.#cancelBookmarks ??= this.#options.clock.schedule(this.#options.bookmarkIntervalMs, () => {
      this.#cancelBookmarks = undefined;
      const shared = new Map<string, CacheEvent>();
      let anyone = false;
      for (const watcher of this.#watchers.all) {
        const { bookmarks } = watcher.request;
        if (bookmarks === undefined) continue;
        anyone = true;
        const kind = `${bookmarks.apiVersion}/${bookmarks.kind}`;
        let event = shared.get(kind);
        if (event === undefined) {
          event = new Event('BOOKMARK', bookmarkEntry(bookmarks, this.#revision, false), undefined);
          shared.set(kind, event);
        }
        this.#deliver(watcher, [event]);
      }
      if (anyone && !this.#closed) this.#scheduleBookmarks();
    });
  }

  #wake(): void {
    const due = this.#waiters.filter((waiter) => waiter.revision <= this.#revision);
    if (due.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > this.#revision);
    for (const waiter of due) {
      waiter.cancelTimeout();
      waiter.resolve();
    }
  }

  #end(watcher: Watcher): void {
    if (watcher.closed) return;
    this.#remove(watcher);
    try {
      watcher.request.onEnd();
    } catch {}
  }

  #remove(watcher: Watcher): void {
    watcher.closed = true;
    this.#watchers.remove(watcher);
  }
}

/** '' for everything; what keys of the scope start with, else. Across tenants a namespace narrows nothing. */
function scopeSuffix({ tenant, namespace }: CacheScope): string {
  if (tenant === undefined) return '';
  return namespace === undefined || namespace === '' ? `${tenant}/` : `${tenant}/${namespace}/`;
}

const lost = () => serviceUnavailable('the cache of this resource is being rebuilt, please try again');

const tooLargeResourceVersion = (asked: number, current: number) =>
  new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
