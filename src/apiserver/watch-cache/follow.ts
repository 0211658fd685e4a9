import type { GroupResource, KubeObject } from '../../api/object.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { WatchCache } from './watch-cache.ts';

const retryMs = 100;

/** `undefined`: it is gone. */
export type ObjectListener<T = KubeObject> = (tenant: string, name: string, object: T | undefined) => void;

/**
 * Tells of all tenants' objects of one cluster-scoped kind: what is there before this returns, then each change. The
 * returned function ends it.
 */
export function followObjects(cache: WatchCache, listener: ObjectListener, onEnd: () => void): () => void {
  const watch = cache.watch({
    tenant: undefined,
    afterRevision: undefined,
    onEvents: (events) => {
      for (const { type, entry } of events) {
        if (type !== 'BOOKMARK') listener(entry.tenant, entry.name, type === 'DELETED' ? undefined : entry.object);
      }
    },
    onEnd,
  });
  return () => watch.close();
}

/** The same for one who followed before: what is in `known` (tenant, then name) and not there any more is told as gone. */
export function followAgain(
  cache: WatchCache,
  known: ReadonlyMap<string, ReadonlyMap<string, unknown>>,
  listener: ObjectListener,
  onEnd: () => void,
): () => void {
  const present = new Set<string>();
  let isCounting = true;
  const end = followObjects(
    cache,
    (tenant, name, object) => {
      if (isCounting) present.add(`${tenant}/${name}`);
      listener(tenant, name, object);
    },
    onEnd,
  );
  isCounting = false;
  for (const [tenant, names] of known) {
    for (const name of names.keys()) if (!present.has(`${tenant}/${name}`)) listener(tenant, name, undefined);
  }
  return end;
}

export interface KeepFollowingOptions {
  resource: GroupResource;
  objects: { cache(resource: GroupResource): WatchCache | Promise<WatchCache> };
  clock: Clock;
  logger: Logger;
  /** Begins to follow, calls `onEnd` when it can't go on, and returns how to end it. */
  follow(cache: WatchCache, onEnd: () => void): () => void;
}

/** Follows until the returned function is called: when the store ends the watch, the cache is loaded anew. */
export async function keepFollowing(options: KeepFollowingOptions): Promise<() => void> {
  const { resource, objects, clock, logger, follow } = options;
  let stop: (() => void) | undefined;
  let isStopped = false;
  const begin = async (): Promise<void> => {
    const cache = await objects.cache(resource);
    if (!isStopped) stop = follow(cache, again);
  };
  const again = () => {
    if (isStopped) return;
    clock.schedule(retryMs, () => {
      begin().catch((error) => {
        logger.warn({ error: error.message, resource: resource.resource }, 'cannot read what is followed');
        again();
      });
    });
  };
  await begin();
  return () => {
    isStopped = true;
    stop?.();
  };
}
