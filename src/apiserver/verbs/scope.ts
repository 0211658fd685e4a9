import type { ResourceDefinition, SubresourceDefinition } from '../../api/resource-definition.ts';
import { badRequest, notFound, pageNotFound, pathNotFound, StatusError } from '../../api/status.ts';
import type { RequestContext } from '../request-context.ts';

/** A resource request with its definition found: what every verb starts from. */
export interface ResourceRequest {
  context: RequestContext;
  /** What is stored. */
  definition: ResourceDefinition;
  /** What the client speaks, where that is another API's form of it. */
  view?: ResourceDefinition;
  /** Undefined for the resource itself. */
  subresource: SubresourceDefinition | undefined;
  tenant: string;
  /** '' for cluster-scoped resources, and for requests across namespaces. */
  namespace: string;
  /** '' for collections. */
  name: string;
}

/** What a write of the request's object takes over from it: of CreateRequest, UpdateRequest and DeleteRequest alike. */
export function writeOf({ context, definition, view, tenant, namespace, name }: ResourceRequest, dryRun: boolean) {
  const { identity, warnings } = context;
  return { definition, view, tenant, namespace, name, identity, dryRun, warnings };
}

export const methodNotAllowedHere = () =>
  new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});

/** As upstream: what is made now would outlive the definition or be deleted with it. */
export const creationWhileTerminating = () =>
  new StatusError(405, 'MethodNotAllowed', 'create not allowed while custom resource definition is terminating', {});

/** A name stands alone in its path. Source: apimachinery's IsValidPathSegmentName. */
export function checkNameInPath(name: string): void {
  const invalid = (why: string) => badRequest(`Name parameter invalid: ${JSON.stringify(name)}: ${why}`);
  if (name === '.' || name === '..') throw invalid(`may not be '${name}'`);
  if (name.includes('%')) throw invalid("may not contain '%'");
}

/** Says no to scopes that don't exist: a namespace before a cluster-scoped resource, or a named object without one. */
export function requestScope(context: RequestContext, definition: ResourceDefinition): ResourceRequest {
  const { info } = context;
  if (info.name.includes('/')) throw pathNotFound();
  const ownNamespace = definition.resource === 'namespaces' && definition.group === '';
  const namespace = definition.namespaced ? info.namespace : '';
  const none = definition.versioned === undefined ? pathNotFound : pageNotFound;
  if (!definition.namespaced && !ownNamespace && info.namespace !== '') throw none();
  // Across namespaces, custom resources can be looked at only.
  const isLooking = info.verb === 'list' || info.verb === 'watch';
  const needsNamespace = info.hasNameInPath || (definition.versioned !== undefined && !isLooking);
  if (definition.namespaced && needsNamespace && namespace === '') throw none();
  const subresource =
    info.subresource === ''
      ? undefined
      : definition.subresources.find((candidate) => candidate.name === info.subresource);
  if (info.subresource !== '' && subresource === undefined) {
    throw definition.versioned === undefined ? pathNotFound() : notFound(definition, info.name);
  }
  return {
    context,
    definition,
    subresource,
    tenant: context.tenant,
    namespace,
    name: info.hasNameInPath ? info.name : '',
  };
}
