import type { Objects } from '../objects.ts';
import type { RequestContext } from '../request-context.ts';
import { isTrue } from '../request-info.ts';

/** Source: apiserver/pkg/util/flowcontrol/request. */
const objectsPerSeat = 100;

/**
 * Seats a request is worth: a LIST (and the beginning of a watch that starts with one) takes one for every hundred
 * objects it goes through; everything else takes one.
 */
export function estimateSeats(objects: Objects, context: RequestContext, widest: number): number {
  const { info, query, tenant } = context;
  if (!info.isResourceRequest || info.name !== '' || info.subresource !== '') return 1;
  if (info.verb === 'watch') {
    const version = query.get('resourceVersion') ?? '';
    if (version !== '' && version !== '0' && !isTrue(query.get('sendInitialEvents'))) return 1;
  } else if (info.verb !== 'list' && info.verb !== 'deletecollection') {
    return 1;
  }
  const stored = objects.count(info, tenant, info.namespace);
  const limit = Number(query.get('limit') ?? 0);
  const selective = query.has('labelSelector') || query.has('fieldSelector');
  const seen = limit > 0 && limit < stored && !selective && query.get('resourceVersion') !== '0' ? limit : stored;
  return Math.max(1, Math.min(Math.ceil(seen / objectsPerSeat), widest));
}
