import { afterEach, beforeEach } from 'node:test';
import type { KubeObject } from '../../../api/object.ts';
import { ManualClock } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/log.ts';
import { openMemoryStore } from '../../../store/memory/memory-store.ts';
import type { Store } from '../../../store/store.ts';
import { createWatchCaches } from '../caches.ts';
import { encodeForStore } from '../encoding.ts';
import { storeKey } from '../keys.ts';
import type { CacheEvent, CacheWatchRequest, ObjectFilter, WatchCache, WatchCaches } from '../watch-cache.ts';

/** For tests of the cache: each gets a store and a cache of pods of its own, which these names always mean. */
export const PODS = { group: '', resource: 'pods' };

export let store: Store;
export let clock: ManualClock;
export let caches: WatchCaches;
export let cache: WatchCache;

beforeEach(async () => {
  store = openMemoryStore();
  clock = new ManualClock();
  caches = createWatchCaches({ store, clock, logger: silentLogger, ringCapacity: 200 });
  cache = await caches.for(PODS);
});

afterEach(async () => {
  caches.close();
  await store.close();
});

export function pod(
  namespace: string,
  name: string,
  labels: Record<string, string> = {},
  spec: object = {},
): KubeObject {
  return {
    metadata: { name, namespace, labels, uid: 'u', resourceVersion: '', creationTimestamp: '2026-01-01T00:00:00Z' },
    apiVersion: 'v1',
    kind: 'Pod',
    spec,
  };
}

export async function put(tenant: string, object: KubeObject): Promise<number> {
  const { namespace = '', name } = object.metadata;
  const key = storeKey(PODS, tenant, namespace, name);
  const result = await store.commit({
    compare: [],
    operations: [{ type: 'put', key, value: encodeForStore(object) }],
  });
  await cache.waitForRevision(result.revision);
  return result.revision;
}

export async function remove(tenant: string, namespace: string, name: string): Promise<number> {
  const key = storeKey(PODS, tenant, namespace, name);
  return (await store.commit({ compare: [], operations: [{ type: 'delete', key }] })).revision;
}

export const labelled = (key: string, value: string): ObjectFilter => ({
  matches: (object) => object.metadata.labels?.[key] === value,
});

export function watch(request: Partial<CacheWatchRequest>) {
  const events: CacheEvent[] = [];
  let ended = 0;
  const handle = cache.watch({
    tenant: undefined,
    afterRevision: cache.revision,
    onEvents: (some) => void events.push(...some),
    onEnd: () => void ended++,
    ...request,
  });
  return { events, describe: () => events.map(describeEvent), close: () => handle.close(), ended: () => ended };
}

export const describeEvent = (event: CacheEvent) =>
  `${event.type} ${event.entry.object.metadata.clusterName}/${event.entry.name}@${event.revision}`;
