import type { GroupResource, KubeObject } from '../../api/object.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Store } from '../../store/store.ts';
import type { EncodedMember } from './encoding.ts';
import type { TenantUsage } from './tenant-usage.ts';

/**
 * The watch cache: one resource, all tenants, in memory. Reads, lists and watches are served from here; an object is
 * serialized once per revision and those bytes are shared by everyone.
 *
 * How a write uses it (example: PUT of a pod):
 *
 *     const cache = await caches.for({ group: '', resource: 'pods' });
 *     const before = cache.get(tenant, namespace, name);                 // CacheEntry | undefined
 *     const value = encodeForStore(changed);                             // remembers `changed`: never parsed again
 *     const key = storeKey(resource, tenant, namespace, name);
 *     const result = await store.commit({
 *       compare: [{ key, modRevision: before?.revision ?? 0 }], operations: [{ type: 'put', key, value }] });
 *     await cache.waitForRevision(result.revision);                      // reads see the write from here on
 *     const entry = cache.entryAt(key, result.revision, value);          // what to answer with
 *     response.end(entry.bytes('tenant'));
 *
 * `encodeForStore`, `storeKey` and friends stand in `encoding.ts` and `keys.ts`; `createWatchCaches` in `caches.ts`.
 */
export interface WatchCaches {
  /**
   * The cache of one resource, made and loaded at the first call (so an unused resource costs nothing). Rejects when
   * the store cannot be read; the next call tries again.
   */
  for(resource: GroupResource): Promise<WatchCache>;
  /** The cache if it is there and loaded: saves hot paths the promise. */
  peek(resource: GroupResource): WatchCache | undefined;
  /** All caches that are loaded. */
  loaded(): Iterable<WatchCache>;
  /** Events of the store by resource, for as long as it is served. */
  received(): Iterable<GroupResource & { value: number }>;
  /** What tenants have stored, as far as it is loaded. */
  readonly usage: TenantUsage;
  /** Drops the cache of a resource that is no more (a deleted CRD): its watches end. */
  drop(resource: GroupResource): void;
  /** Ends every watch and lets go of the store. */
  close(): void;
}

export interface WatchCachesOptions {
  store: Store;
  clock: Clock;
  logger: Logger;
  /**
   * Field selectors worth an index among watchers, by `resource.group` (`pods`, `containerinstances.pool.skypod.io`):
   * selector name -> its value in an object. `metadata.name` is always indexed; spec.nodeName of pods and
   * spec.hostName of container instances are the default.
   */
  indexedFields?: Record<string, Record<string, (object: KubeObject) => string>>;
  /** How often watchers that asked for bookmarks get one. 60 s when absent. */
  bookmarkIntervalMs?: number;
  /** At most so many recent events are kept for watches that start in the past. 16384 when absent. */
  ringCapacity?: number;
}

/** Who reads: tenants never see `metadata.clusterName`, components of the platform always do. */
export type Variant = 'tenant' | 'platform';

/** One object at one revision. Immutable; shared by every list, watch and informer of this process. */
export interface CacheEntry {
  readonly tenant: string;
  /** '' for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
  /** The store's modRevision, which is the object's resourceVersion. */
  readonly revision: number;
  /** Bytes it is stored in; absent where it is another's form. */
  readonly size?: number;
  /** The key in the store. */
  readonly key: string;
  /** The bytes of the object's spec, where `spec` is that very one and its bytes are known. */
  encodedSpec?(spec: unknown): EncodedMember | undefined;
  /** The store holds it in a form that is not written any more: a write that changes nothing is worth doing. */
  readonly stale?: true;
  /**
   * Carries metadata.resourceVersion and metadata.clusterName. Parsed at first use, or handed over by the writer.
   * SHARED: never mutate.
   */
  readonly object: KubeObject;
  /** The object's JSON in the stored version, made once. SHARED: never write into it. */
  bytes(variant: Variant): Buffer;
  /**
   * Another representation (another API version, a protobuf, a table row), built once per revision and kept with the
   * entry under `name`. Use few, bounded names.
   */
  representation<T>(name: string, build: (object: KubeObject) => T): T;
}

export type CacheEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';

/** One event as one kind of watcher sees it; shared by all who see it alike. */
export interface CacheEvent {
  readonly type: CacheEventType;
  readonly revision: number;
  /**
   * What the event carries. DELETED: the last state, its resourceVersion being the event's revision. BOOKMARK: an entry
   * whose object has only apiVersion, kind and metadata.resourceVersion (and annotations).
   */
  readonly entry: CacheEntry;
  /** The state before; undefined where the object is new (and for bookmarks). */
  readonly previousEntry: CacheEntry | undefined;
  /** `{"type":"MODIFIED","object":…}\n` in the stored version, built once per event, type and variant. */
  frame(variant: Variant): Buffer;
}

export interface CacheScope {
  /** undefined: every tenant. */
  tenant: string | undefined;
  /** undefined: every namespace, or a cluster-scoped resource. */
  namespace?: string;
}

/** Label and field selectors, compiled by the caller. */
export interface ObjectFilter {
  /** Pure; called with shared objects. */
  matches(object: KubeObject): boolean;
  /**
   * `field=value` requirements that every match fulfils (only `=`/`==` ones): lets lists and watches go straight to
   * what is interesting. `matches` must check them too. Unindexed fields are ignored.
   */
  exactFields?: Readonly<Record<string, string>>;
}

export interface CacheListRequest extends CacheScope {
  filter?: ObjectFilter;
  /** 0 or absent: all. */
  limit?: number;
  /** As handed out in CacheList.continue; badRequest when malformed, 410 Expired when its revision is compacted. */
  continue?: string;
  /** resourceVersionMatch=Exact: the state at this revision, read from the store if the cache has moved on. */
  exactRevision?: number;
  /** Waited for about every half a millisecond while objects are matched; all at once when absent. */
  pause?(): Promise<void>;
}

export interface CacheList {
  /** In the order of their keys. SHARED: never mutate. */
  entries: readonly CacheEntry[];
  /** The list's metadata.resourceVersion. */
  revision: number;
  /** Present when there is more. */
  continue?: string;
  /** Present when there is more and no filter was given, as upstream. */
  remainingItemCount?: number;
}

export interface CacheWatchRequest extends CacheScope {
  /**
   * Deliver what comes after this revision. undefined: first ADDED for every present object (watch without
   * resourceVersion, with 0, or with sendInitialEvents), then everything after.
   */
  afterRevision: number | undefined;
  filter?: ObjectFilter;
  /** allowWatchBookmarks: a bookmark now and then. Its object carries this apiVersion and kind. */
  bookmarks?: { apiVersion: string; kind: string };
  /** sendInitialEvents: after the initial ADDED a bookmark annotated `k8s.io/initial-events-end: "true"`. Needs `bookmarks`. */
  initialEventsEnd?: boolean;
  /**
   * In revision order, never empty, never late: the cache does not wait for a slow consumer, so end the watch (the
   * client comes back) when too much is unsent. The backlog is delivered before `watch` returns. A throw ends the watch.
   * SHARED with other watchers: never mutate.
   */
  onEvents(events: CacheEvent[]): void;
  /** The cache ends the watch (resource dropped, store lost or closed): end the response; the client starts anew. */
  onEnd(): void;
}

export interface CacheWatch {
  close(): void;
}

export interface WatchCache {
  readonly resource: GroupResource;
  /** The newest revision reflected here. Moves on with the store even when this resource does not change. */
  readonly revision: number;
  /** Objects held, of all tenants. */
  readonly size: number;

  /** The newest known state. `namespace` is '' for cluster-scoped resources. */
  get(tenant: string, namespace: string, name: string): CacheEntry | undefined;

  /** The entry of a write just committed: the cached one, or (if changed again since) one made of `stored`. */
  entryAt(key: string, revision: number, stored: Uint8Array): CacheEntry;

  /**
   * O(result) for a tenant or a namespace without filter. Synchronous work for the newest state; later pages of a list
   * come from the store when the resource has changed in between.
   */
  list(request: CacheListRequest): Promise<CacheList>;

  /** As `list` of the newest state, all at once and without a promise. */
  entries(scope: CacheScope, filter?: ObjectFilter): CacheEntry[];

  /** The first of `entries`, without looking at those after it. */
  find(scope: CacheScope, filter?: ObjectFilter): CacheEntry | undefined;

  /** How many objects there are in a scope, without looking at any. */
  count(scope: CacheScope): number;

  /** Names of tenants that hold at least one object of this resource. */
  tenants(): IterableIterator<string>;

  /**
   * Resolves when the cache reflects `revision` (at once for what this process wrote). Rejects with 504 Timeout
   * `Too large resource version: …` (cause ResourceVersionTooLarge) when that does not happen within 3 s.
   */
  waitForRevision(revision: number): Promise<void>;

  /** Resolves when the cache reflects all that was committed, by anyone, before the call (a linearizable read). */
  fresh(): Promise<void>;

  /** Throws StatusError 410 Expired `too old resource version: …` when the recent events no longer reach back that far. */
  watch(request: CacheWatchRequest): CacheWatch;
}
