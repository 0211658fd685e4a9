import type { GroupResource, KubeObject } from '../api/object.ts';
import type { CacheEntry } from './watch-cache/watch-cache.ts';

/** One change of one object; `before` is what the writer has seen, undefined where there must be none. */
export interface ObjectChange {
  resource: GroupResource;
  tenant: string;
  /** '' for cluster-scoped objects. */
  namespace: string;
  name: string;
  before: CacheEntry | undefined;
  /** The new state, the writer's own copy, not touched afterwards; undefined deletes. */
  after: KubeObject | undefined;
}
