import { apiVersionOf } from '../../api/object.ts';
import { type FieldError, invalid } from '../../api/status.ts';
import { ALL_TENANTS } from '../../api/tenants.ts';
import type { Answer } from '../answer.ts';
import type { Environment } from '../environment.ts';
import { isTrue } from '../request-info.ts';
import { checkInteger } from './options/delete-options.ts';
import { parseRevision } from './options/resource-version.ts';
import { filterOf } from './options/selectors.ts';
import type { ResourceRequest } from './scope.ts';
import { viewFilter } from './views.ts';

/** As kube-apiserver's --min-request-timeout: a watch without a wish lasts 30 to 60 minutes. */
const minimumTimeoutMs = 30 * 60 * 1000;

/** Source: API concepts, "Efficient detection of changes" and "Streaming lists". */
export async function watchObjects(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, namespace } = request;
  const { query } = context;
  const filter = viewFilter(request.view, filterOf(context, request.view ?? definition));
  const bookmarks = isTrue(query.get('allowWatchBookmarks'));
  const initialEvents = checkInitialEvents(request);
  const version = query.get('resourceVersion') ?? '';
  const revision = version === '' ? 0 : parseRevision(version);
  const timeoutText = query.get('timeoutSeconds') ?? '0';
  checkInteger(timeoutText);
  const timeoutMs =
    Number(timeoutText) > 0
      ? Number(timeoutText) * 1000
      : context.inProcess
        ? undefined
        : minimumTimeoutMs + Math.random() * minimumTimeoutMs;

  const cache = await environment.objects.cache(definition);
  if (initialEvents === true && revision > cache.revision) await cache.waitForRevision(revision);
  else if (version === '' || initialEvents === true) await environment.objects.fresh(definition, context.freshRevision);
  const watch = await environment.objects.watch(definition);
  const present = initialEvents ?? revision === 0;
  return {
    type: 'watch',
    definition,
    timeoutMs,
    start(onEvents, onEnd) {
      const isOver = endOfTenant(environment, request);
      let hasEnded = false;
      const started = watch({
        tenant: context.tenant === ALL_TENANTS ? undefined : context.tenant,
        ...(namespace !== '' && { namespace }),
        afterRevision: present ? undefined : revision === 0 ? cache.revision : revision,
        filter,
        ...(bookmarks && { bookmarks: { apiVersion: apiVersionOf(definition), kind: definition.kind } }),
        ...(initialEvents === true && bookmarks && { initialEventsEnd: true }),
        onEvents(events) {
          if (hasEnded) return;
          if (!isOver()) return onEvents(events);
          hasEnded = true;
          // Whoever began to watch may not be ready to hear of the end yet.
          queueMicrotask(onEnd);
        },
        onEnd,
      });
      return () => started.close();
    },
  };
}

/**
 * Whether the tenant that a watch began in is gone. Another may bear its name by then, whose objects are nobody's business
 * who was let in before. Cheap: asked whenever there is something to tell.
 */
function endOfTenant({ tenants }: Environment, { context }: ResourceRequest): () => boolean {
  const { identity, tenant } = context;
  const uidNow = () => {
    const entry = tenants.find(tenant);
    return entry instanceof Promise ? undefined : entry?.object.metadata.uid;
  };
  const uid = uidNow();
  if (identity.kind === 'platform' || uid === undefined) return () => false;
  return () => uidNow() !== uid;
}

/** sendInitialEvents as asked; undefined when it was not. 422 for combinations upstream refuses. */
function checkInitialEvents(request: ResourceRequest): boolean | undefined {
  const { query } = request.context;
  const asked = query.get('sendInitialEvents');
  const match = query.get('resourceVersionMatch') ?? '';
  const errors: FieldError[] = [];
  const forbid = (field: string, message: string) =>
    errors.push({ reason: 'FieldValueForbidden', field, message: `Forbidden: ${message}` });
  if (asked !== null && match !== 'NotOlderThan') {
    forbid('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  }
  if (asked === null && match !== '') {
    forbid('resourceVersionMatch', 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
  }
  if (match !== '' && match !== 'NotOlderThan') {
    errors.push({
      reason: 'FieldValueNotSupported',
      field: 'resourceVersionMatch',
      message: `Unsupported value: ${JSON.stringify(match)}: supported values: "NotOlderThan"`,
    });
  }
  if (match !== '' && query.get('continue')) {
    forbid('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided');
  }
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
  return asked === null ? undefined : isTrue(asked);
}
