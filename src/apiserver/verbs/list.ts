import { ALL_TENANTS } from '../../api/tenants.ts';
import type { Answer } from '../answer.ts';
import type { Environment } from '../environment.ts';
import { readListOptions } from './options/list-options.ts';
import { filterOf } from './options/selectors.ts';
import type { ResourceRequest } from './scope.ts';
import { viewFilter } from './views.ts';

/** GET of a collection. Source: API concepts, "Retrieving large results sets in chunks", "Resource versions". */
export async function listObjects(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, namespace } = request;
  const { turn } = context;
  const { limit, continueToken, freshness } = readListOptions(context);
  const filter = viewFilter(request.view, filterOf(context, request.view ?? definition));
  if (freshness.type === 'newest' && continueToken === '')
    await environment.objects.fresh(definition, context.freshRevision);
  if (freshness.type === 'notOlderThan') {
    await (await environment.objects.cache(definition)).waitForRevision(freshness.revision);
  }
  const list = await environment.objects.list(definition, {
    tenant: context.tenant === ALL_TENANTS ? undefined : context.tenant,
    ...(namespace !== '' && { namespace }),
    filter,
    // "Any" is answered from memory as a whole: reflectors ask with resourceVersion=0 and a limit they don't mean.
    limit: freshness.type === 'any' && continueToken === '' ? 0 : limit,
    ...(continueToken !== '' && { continue: continueToken }),
    ...(freshness.type === 'exact' && { exactRevision: freshness.revision }),
    ...(turn !== undefined && { pause: () => turn.slice() }),
  });
  return {
    type: 'list',
    definition,
    entries: list.entries,
    metadata: {
      resourceVersion: String(list.revision),
      ...(list.continue !== undefined && { continue: list.continue }),
      ...(list.remainingItemCount !== undefined && { remainingItemCount: list.remainingItemCount }),
    },
  };
}
