import type { KubeObject } from '../../api/object.ts';
import type { CacheEntry } from '../watch-cache/watch-cache.ts';

/** The object as its tenant sees it: without clusterName. Made once per revision, shared: never mutate. */
export function tenantObject(entry: CacheEntry): KubeObject {
  return entry.representation('tenant-object', (object) => {
    const { clusterName: _clusterName, ...metadata } = object.metadata;
    return { ...object, metadata };
  });
}

export function visibleObject(entry: CacheEntry, showTenant: boolean): KubeObject {
  return showTenant ? entry.object : tenantObject(entry);
}
