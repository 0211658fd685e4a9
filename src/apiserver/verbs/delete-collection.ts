import { apiVersionOf } from '../../api/object.ts';
import { isNotFound } from '../../api/status.ts';
import { webhooksLimitMs } from '../admission/admission.ts';
import type { Answer } from '../answer.ts';
import type { Environment } from '../environment.ts';
import { withoutKind } from '../http/list-item.ts';
import { deleteObject } from './delete-object.ts';
import { readDeleteOptions } from './delete-options.ts';
import { methodNotAllowedHere, type ResourceRequest } from './scope.ts';
import { filterOf } from './selectors.ts';
import { viewFilter } from './views.ts';

/** DELETE of a collection: each object on its own, as if named; answers with what was there. */
export async function removeCollection(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, tenant, namespace } = request;
  if (definition.namespaced && namespace === '') throw methodNotAllowedHere();
  const { options, dryRun } = await readDeleteOptions(context);
  const filter = viewFilter(request.view, filterOf(context, request.view ?? definition));
  await environment.objects.fresh(definition, context.freshRevision);
  const entries = await environment.objects.entries(
    definition,
    { tenant, ...(namespace !== '' && { namespace }) },
    filter,
  );
  const { identity, warnings } = context;
  const items = [];
  const deadlineMs = performance.now() + webhooksLimitMs;
  for (const entry of entries) {
    const view = request.view === undefined ? {} : { view: request.view };
    const place = { definition, tenant, namespace: entry.namespace, name: entry.name, ...view };
    try {
      const result = await deleteObject(environment, { ...place, identity, dryRun, warnings, options, deadlineMs });
      items.push(result.object);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  const { revision } = await environment.objects.cache(definition);
  return {
    type: 'object',
    code: 200,
    object: {
      kind: definition.listKind,
      apiVersion: apiVersionOf(definition),
      metadata: { resourceVersion: String(revision) },
      items: context.showTenant || definition.versioned !== undefined ? items : items.map(withoutKind),
    },
  };
}
