import type { Filter } from '../chain.ts';
import type { RequestContext } from '../request-context.ts';

/**
 * Where other control planes write too: what was acknowledged before a request came is seen by all that decides about
 * it, its credential and tenant included. Reads that name a resourceVersion have said how new they want it.
 *
 * @param fresh resolves with the newest revision of the store, once this process has seen it
 */
export function freshnessFilter(fresh: () => Promise<number>): Filter {
  return async (context, next) => {
    if (wantsNewest(context)) context.freshRevision = await fresh();
    return next(context);
  };
}

const reading = new Set(['get', 'list', 'watch']);

function wantsNewest({ info, query }: RequestContext): boolean {
  if (!info.isResourceRequest) return false;
  return !reading.has(info.verb) || (query.get('resourceVersion') ?? '') === '';
}
