import { badRequest, pageNotFound, pathNotFound } from '../api/status.ts';
import { admitConnection } from './admission/admit.ts';
import type { Answer } from './answer.ts';
import type { Handler } from './chain.ts';
import { connectionOptionsOf } from './connect/connection-options.ts';
import { podLog } from './connect/log.ts';
import { proxy } from './connect/proxy.ts';
import { podAttach, podExec, podPortForward } from './connect/stream.ts';
import type { Environment } from './environment.ts';
import { acceptedForm, checkRoute } from './http/negotiate.ts';
import { metricsVerbs } from './metrics-api.ts';
import type { RequestContext } from './request-context.ts';
import { bind, bindByBody } from './subresources/binding.ts';
import { componentStatuses } from './subresources/component-statuses.ts';
import { evict } from './subresources/eviction.ts';
import { reviews } from './subresources/reviews.ts';
import { requestToken } from './subresources/token.ts';
import { create } from './verbs/create.ts';
import { remove } from './verbs/delete.ts';
import { removeCollection } from './verbs/delete-collection.ts';
import { getObject } from './verbs/get.ts';
import { listObjects } from './verbs/list.ts';
import { patch } from './verbs/patch.ts';
import { scale } from './verbs/scale.ts';
import {
  checkNameInPath,
  creationWhileTerminating,
  methodNotAllowedHere,
  type ResourceRequest,
  requestScope,
} from './verbs/scope.ts';
import { update } from './verbs/update.ts';
import { viewAnswer } from './verbs/views.ts';
import { watchObjects } from './verbs/watch.ts';

export type Verb = (environment: Environment, request: ResourceRequest) => Promise<Answer>;

const verbs: Record<string, Verb> = {
  get: getObject,
  list: listObjects,
  watch: watchObjects,
  create,
  update,
  patch,
  delete: remove,
  deletecollection: removeCollection,
};

/** Resources that are answered and never stored. */
const withoutStorage: Record<string, Verb> = {
  ...reviews,
  '/bindings': bindByBody,
  '/componentstatuses': componentStatuses,
};

/** Subresources that are more than a part of the object; the rest (`status`) takes the object's own verbs. */
const subresourceVerbs: Record<string, Verb> = {
  scale,
  binding: bind,
  eviction: evict,
  token: requestToken,
  log: podLog,
  exec: podExec,
  attach: podAttach,
  portforward: podPortForward,
  proxy,
};

/** Collections are not replaced, what has a name is not created by it, and HEAD is nobody's method. */
function hasRoute({ method, info }: RequestContext): boolean {
  if (method === 'HEAD') return false;
  if (info.verb === 'watch') return method === 'GET';
  if (info.verb === 'create') return !info.hasNameInPath || info.subresource !== '';
  return info.hasNameInPath || (info.verb !== 'update' && info.verb !== 'patch');
}

/** Their HTTP method says nothing: discovery names them by what a first GET or POST would be. */
const connecting = new Set(['exec', 'attach', 'portforward', 'proxy']);

/** From a request that may be served to the verb that serves it. */
export function createDispatch(environment: Environment, nonResource: Handler): Handler {
  const answered: Record<string, Verb> = { ...withoutStorage, ...metricsVerbs(() => environment.metrics?.()) };
  return (context: RequestContext) => {
    const { info } = context;
    const remote = environment.aggregation?.serve(context);
    if (remote !== undefined) return remote;
    if (!info.isResourceRequest) return nonResource(context);
    const definition = environment.registry.find(context.tenant, info.group, info.version, info.resource);
    if (definition === undefined) {
      throw environment.registry.hasBuiltinGroup(context.tenant, info.group) ? pathNotFound() : pageNotFound();
    }
    const request = requestScope(context, definition);
    if (definition.isTerminating === true && info.verb === 'create') throw creationWhileTerminating();
    const supported = request.subresource === undefined ? definition.verbs : request.subresource.verbs;
    if (
      !connecting.has(info.subresource) &&
      !(supported.includes(info.verb) && (definition.versioned !== undefined || hasRoute(context)))
    ) {
      throw methodNotAllowedHere();
    }
    if (info.verb === 'update' && !info.hasNameInPath) throw badRequest('name must be provided');
    // What replaces an object is read first.
    if (info.hasNameInPath && info.verb !== 'update') checkNameInPath(info.name);
    if (definition.deprecationWarning !== undefined) context.warnings.push(definition.deprecationWarning);
    if (!context.inProcess && definition.versioned === undefined && !connecting.has(info.subresource)) {
      checkRoute(context.accept, { isCollection: info.verb === 'list' || info.verb === 'watch' });
      acceptedForm(context.accept, { protobuf: true, stream: info.verb === 'watch' });
    }
    const verb =
      request.subresource === undefined
        ? answered[`${definition.group}/${definition.resource}`]
        : subresourceVerbs[request.subresource.name];
    if (connecting.has(info.subresource) && verb !== undefined) {
      const options = connectionOptionsOf(request);
      if (options !== undefined) {
        return admitConnection(environment, request, options).then(() => verb(environment, request));
      }
    }
    const serve = verb ?? verbs[info.verb]!;
    const { storedAs } = definition;
    if (storedAs === undefined) return serve(environment, request);
    const stored = environment.registry.find(context.tenant, storedAs.group, storedAs.version, storedAs.resource);
    if (stored === undefined) throw pathNotFound();
    const answer = serve(environment, { ...request, definition: stored, view: definition });
    return answer.then((given) => viewAnswer(definition, given));
  };
}
