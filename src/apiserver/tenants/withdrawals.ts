import { formatTime, type GroupResource } from '../../api/object.ts';
import { qualifiedResource } from '../../api/status.ts';
import { bootstrapObjects } from '../authorization/bootstrap/policy.ts';
import type { ObjectChange } from '../object-change.ts';
import type { CacheEntry, CacheEvent, WatchCache, WatchCaches } from '../watch-cache/watch-cache.ts';

const WITHDRAWALS: GroupResource = { group: 'skypod.internal', resource: 'withdrawals' };

const forgottenAtOnce = 200;

/** One shared object that a tenant has deleted. */
export interface Withdrawal {
  qualified: string;
  namespace: string;
  name: string;
}

/**
 * Roles and bindings that every tenant starts with and this one has deleted: they stay away until a control plane starts,
 * as with kube-apiserver, which writes those that are missing when it starts. One small record each, beside the objects:
 *
 *     /skypod.internal/withdrawals/TENANT/clusterroles.rbac.authorization.k8s.io/NAMESPACE:NAME
 *
 * A record is of the tenant that was when it was made: another of its name has everything. See decision 16.
 */
export class Withdrawals {
  readonly #caches: WatchCaches;
  /** The last one that was loaded: better than none while the store is away. */
  #cache: WatchCache | undefined;

  constructor(caches: WatchCaches) {
    this.#caches = caches;
  }

  /** Only what nobody writes again by itself. */
  covers(resource: GroupResource): boolean {
    return Object.hasOwn(bootstrapObjects, qualifiedResource(resource));
  }

  async load(): Promise<WatchCache> {
    return (this.#cache = await this.#caches.for(WITHDRAWALS));
  }

  /** Nobody has withdrawn anything: nearly always. */
  get isEmpty(): boolean {
    return (this.#loaded()?.size ?? 0) === 0;
  }

  /** `tenant`: its Tenant object's entry. */
  has(tenant: CacheEntry | undefined, resource: GroupResource, namespace: string, name: string): boolean {
    const cache = this.#loaded();
    if (cache === undefined || cache.size === 0 || tenant === undefined) return false;
    const record = cache.get(tenant.name, qualifiedResource(resource), recordName(namespace, name));
    return record !== undefined && record.object.metadata.uid === tenant.object.metadata.uid;
  }

  /** What is to be written with the deletion. */
  change(tenant: CacheEntry, resource: GroupResource, namespace: string, name: string, nowMs: number): ObjectChange {
    const place = {
      tenant: tenant.name,
      namespace: qualifiedResource(resource),
      name: recordName(namespace, name),
    };
    const before = this.#loaded()?.get(place.tenant, place.namespace, place.name);
    return {
      resource: WITHDRAWALS,
      ...place,
      before,
      after: {
        kind: 'Withdrawal',
        apiVersion: 'skypod.internal/v1',
        metadata: {
          name: place.name,
          namespace: place.namespace,
          uid: tenant.object.metadata.uid,
          resourceVersion: '',
          creationTimestamp: formatTime(nowMs),
        },
      },
    };
  }

  /** Deletes all records: what was withdrawn is there again. `commit`: all of them or, resolving to undefined, none. */
  async forgetAll(commit: (changes: ObjectChange[]) => Promise<unknown>): Promise<void> {
    const cache = await this.load();
    const changes = [...cache.entries({ tenant: undefined })].map((before): ObjectChange => {
      const { tenant, namespace, name } = before;
      return { resource: WITHDRAWALS, tenant, namespace, name, before, after: undefined };
    });
    for (let start = 0; start < changes.length; start += forgottenAtOnce) {
      const some = changes.slice(start, start + forgottenAtOnce);
      if ((await commit(some)) !== undefined) continue;
      // Another control plane starts too, and was first with some.
      for (const change of some) await commit([change]);
    }
  }

  /** Tells of records that come and go. Undefined before they are loaded. */
  watch(
    scope: { tenant: string | undefined; afterRevision: number; onEnd(): void },
    resource: GroupResource,
    onEvent: (event: CacheEvent, withdrawal: Withdrawal) => void,
  ): { close(): void } | undefined {
    const qualified = qualifiedResource(resource);
    return this.#loaded()?.watch({
      ...scope,
      namespace: qualified,
      onEvents(events) {
        for (const event of events) {
          if (event.type === 'BOOKMARK') continue;
          const [namespace = '', ...name] = event.entry.name.split(':');
          onEvent(event, { qualified, namespace, name: name.join(':') });
        }
      },
    });
  }

  #loaded(): WatchCache | undefined {
    const cache = this.#caches.peek(WITHDRAWALS);
    if (cache !== undefined) this.#cache = cache;
    // It was lost: it is read again, and what was known holds till then.
    else if (this.#cache !== undefined) void this.load().catch(() => undefined);
    return this.#cache;
  }
}

const recordName = (namespace: string, name: string) => `${namespace}:${name}`;
