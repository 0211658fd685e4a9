import type { GroupResource, KubeObject } from '../../api/object.ts';
import { qualifiedResource } from '../../api/status.ts';
import { Count } from '../../base/metrics.ts';
import { ResourceCache } from './resource-cache.ts';
import { TenantUsage } from './tenant-usage.ts';
import type { WatchCache, WatchCaches, WatchCachesOptions } from './watch-cache.ts';
import type { FieldValues } from './watcher-index.ts';

const defaultIndexedFields: Record<string, FieldValues> = {
  pods: { 'spec.nodeName': (object) => object.spec?.nodeName ?? '' },
  'containerinstances.pool.skypod.io': { 'spec.hostName': (object) => object.spec?.hostName ?? '' },
};

const nameField: FieldValues = { 'metadata.name': (object: KubeObject) => object.metadata.name };

/** The caches of all resources over one store. */
export function createWatchCaches(options: WatchCachesOptions): WatchCaches {
  const caches = new Map<string, Promise<ResourceCache>>();
  const loaded = new Map<string, ResourceCache>();
  /** Whatever becomes of the caches that count. */
  const received = new Map<string, { resource: GroupResource; count: Count }>();
  const usage = new TenantUsage();
  let closed = false;

  const forget = (name: string, cache: ResourceCache) => {
    if (loaded.get(name) !== cache) return;
    loaded.delete(name);
    caches.delete(name);
  };

  const countOf = (resource: GroupResource, name: string): Count => {
    let known = received.get(name);
    if (known === undefined) received.set(name, (known = { resource, count: new Count() }));
    return known.count;
  };

  const load = async (resource: GroupResource, name: string): Promise<ResourceCache> => {
    const fields = (options.indexedFields ?? defaultIndexedFields)[name];
    const cache = await ResourceCache.load({
      store: options.store,
      clock: options.clock,
      resource,
      indexedFields: { ...nameField, ...fields },
      bookmarkIntervalMs: options.bookmarkIntervalMs ?? 60_000,
      usage,
      received: countOf(resource, name),
      ringCapacity: options.ringCapacity ?? 16_384,
      onLost: (lost, error) => {
        if (!closed) options.logger.warn({ resource: name, error: error.message }, 'the store ended a watch');
        forget(name, lost);
      },
    });
    if (closed || caches.get(name) === undefined) cache.close();
    else loaded.set(name, cache);
    return cache;
  };

  return {
    for(resource: GroupResource): Promise<WatchCache> {
      const name = qualifiedResource(resource);
      let cache = caches.get(name);
      if (cache === undefined) {
        cache = load(resource, name);
        caches.set(name, cache);
        cache.catch(() => caches.delete(name));
      }
      return cache;
    },
    peek: (resource) => loaded.get(qualifiedResource(resource)),
    loaded: () => loaded.values(),
    *received() {
      for (const { resource, count } of received.values()) yield { ...resource, value: count.value };
    },
    usage,
    drop(resource) {
      const name = qualifiedResource(resource);
      loaded.get(name)?.close();
      loaded.delete(name);
      caches.delete(name);
      received.delete(name);
    },
    close() {
      closed = true;
      for (const cache of loaded.values()) cache.close();
      loaded.clear();
      caches.clear();
    },
  };
}
