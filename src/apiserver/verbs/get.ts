import { badRequest, notFound } from '../../api/status.ts';
import type { Answer } from '../answer.ts';
import type { Environment } from '../environment.ts';
import { freshnessOf } from './options/resource-version.ts';
import type { ResourceRequest } from './scope.ts';

/** GET of one object, and of its status subresource, which shows the whole object. */
export async function getObject(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, tenant, namespace, name } = request;
  const exported = context.query.get('export');
  if (exported !== null && !/^(0|false)$/i.test(exported)) {
    throw badRequest('the export parameter, deprecated since v1.14, is no longer supported');
  }
  const version = context.query.get('resourceVersion');
  if (version !== null && version !== '' && version !== '0') {
    const freshness = freshnessOf(context, { limited: false, continued: false });
    const cache = await environment.objects.cache(definition);
    if ('revision' in freshness) await cache.waitForRevision(freshness.revision);
  } else if (!context.inProcess && version !== '0') {
    await environment.objects.fresh(definition, context.freshRevision);
  }
  const entry = await environment.objects.get(definition, tenant, namespace, name);
  if (entry === undefined) throw notFound(definition, name);
  return { type: 'entry', code: 200, definition, entry };
}
