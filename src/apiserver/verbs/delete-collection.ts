import { apiVersionOf } from '../../api/object.ts';
import { isNotFound } from '../../api/status.ts';
import { webhooksLimitMs } from '../admission/admission.ts';
import type { Answer } from '../answer.ts';
import type { Environment } from '../environment.ts';
import { withoutKind } from '../http/list-item.ts';
import { LoopPace, paceOf } from '../pace.ts';
import { warnOfOrphans } from './delete.ts';
import { deleteObject } from './objects/delete-object.ts';
import { readDeleteOptions } from './options/delete-options.ts';
import { readListOptions } from './options/list-options.ts';
import { filterOf } from './options/selectors.ts';
import { methodNotAllowedHere, type ResourceRequest, writeOf } from './scope.ts';
import { fromStored, viewFilter } from './views.ts';

/** DELETE of a collection: each object on its own, as if named; answers with what was there. */
export async function removeCollection(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, tenant, namespace } = request;
  if (definition.namespaced && namespace === '') throw methodNotAllowedHere();
  const { limit, continueToken, freshness } = readListOptions(context);
  const filter = viewFilter(request.view, filterOf(context, request.view ?? definition));
  const { options, dryRun } = await readDeleteOptions(context);
  const cache = await environment.objects.cache(definition);
  if (freshness.type === 'notOlderThan') await cache.waitForRevision(freshness.revision);
  else await environment.objects.fresh(definition, context.freshRevision);
  warnOfOrphans(definition, options, context.warnings);
  const { turn } = context;
  const list = await environment.objects.list(definition, {
    tenant,
    ...(namespace !== '' && { namespace }),
    filter,
    limit,
    ...(continueToken !== '' && { continue: continueToken }),
    ...(freshness.type === 'exact' && { exactRevision: freshness.revision }),
    ...(turn !== undefined && { pause: () => turn.slice() }),
  });
  const deadlineMs = performance.now() + webhooksLimitMs;
  // Where nothing is waited for (dry runs), one would follow the other until all are done.
  const pace = paceOf(context) ?? new LoopPace();
  for (const entry of list.entries) {
    const { namespace, name } = entry;
    try {
      await deleteObject(environment, {
        ...writeOf({ ...request, namespace, name }, dryRun),
        options,
        deadlineMs,
      });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    if (pace.isDue) await pace.rest();
  }
  const spoken = request.view ?? definition;
  const items = list.entries.map(({ object }) => fromStored(request.view, object));
  return {
    type: 'object',
    code: 200,
    object: {
      kind: spoken.listKind,
      apiVersion: apiVersionOf(spoken),
      metadata: {
        resourceVersion: String(list.revision),
        ...(list.continue !== undefined && { continue: list.continue }),
        ...(list.remainingItemCount !== undefined && { remainingItemCount: list.remainingItemCount }),
      },
      items: context.showTenant || definition.versioned !== undefined ? items : items.map(withoutKind),
    },
  };
}
