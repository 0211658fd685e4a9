import type { WatchCaches, WatchCachesOptions } from './watch-cache.ts';

/** The caches of all resources over one store. */
export declare function createWatchCaches(options: WatchCachesOptions): WatchCaches;
