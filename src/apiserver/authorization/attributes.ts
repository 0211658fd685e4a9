import { StatusError } from '../../api/status.ts';
import type { Identity } from '../identity/identity.ts';
import type { RequestContext } from '../request-context.ts';

/** What is asked for, as an authorizer sees it. Source: authorization/v1 SubjectAccessReview. */
export interface Attributes {
  /** '' where a request names none and its credential has none: only what every tenant starts with applies. */
  tenant: string;
  isResourceRequest: boolean;
  verb: string;
  group: string;
  version: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  /** Of non-resource requests. */
  path: string;
  /** What a list, watch or deletion of a collection is narrowed to; '' otherwise. */
  fieldSelector: string;
  labelSelector: string;
}

const narrowed = new Set(['list', 'watch', 'deletecollection']);

export function attributesOf(context: RequestContext): Attributes {
  const { info } = context;
  const isNarrowed = info.isResourceRequest && narrowed.has(info.verb);
  return {
    tenant: context.tenant,
    isResourceRequest: info.isResourceRequest,
    verb: info.verb,
    group: info.group,
    version: info.version,
    resource: info.resource,
    subresource: info.subresource,
    namespace: info.namespace,
    name: info.name,
    path: info.path,
    fieldSelector: (isNarrowed && context.query.get('fieldSelector')) || '',
    labelSelector: (isNarrowed && context.query.get('labelSelector')) || '',
  };
}

/** An access to one resource, for checks that no request of its own stands for (`bind`, `impersonate`, `approve`). */
export function resourceAttributes(
  tenant: string,
  access: { verb: string; group: string; resource: string } & Partial<
    Pick<Attributes, 'version' | 'subresource' | 'namespace' | 'name'>
  >,
): Attributes {
  return {
    version: '*',
    subresource: '',
    namespace: '',
    name: '',
    ...access,
    tenant,
    isResourceRequest: true,
    path: '',
    fieldSelector: '',
    labelSelector: '',
  };
}

/** 403 in upstream's words. */
export function deniedError(identity: Identity, attributes: Attributes, reason: string): StatusError {
  const { name, group, resource } = attributes;
  return new StatusError(403, 'Forbidden', denial(identity, attributes, reason), {
    ...(name !== '' && { name }),
    ...(group !== '' && { group }),
    ...(resource !== '' && { kind: resource }),
  });
}

export function denial(identity: Identity, attributes: Attributes, reason: string): string {
  const { group, resource, name } = attributes;
  const why = reason === '' ? '' : `: ${reason}`;
  const message = `${sanitized(whatIsForbidden(identity, attributes))}${why}`;
  if (!attributes.isResourceRequest) return `forbidden: ${message}`;
  const qualified = group === '' ? resource : `${resource}.${group}`;
  const subject = name === '' ? qualified : `${qualified} ${JSON.stringify(name)}`;
  return `${subject} is forbidden: ${message}`;
}

function whatIsForbidden(identity: Identity, attributes: Attributes): string {
  const { verb, group, resource, subresource, namespace, path } = attributes;
  const user = JSON.stringify(identity.name);
  if (!attributes.isResourceRequest) return `User ${user} cannot ${verb} path ${JSON.stringify(path)}`;
  const what = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  return `User ${user} cannot ${verb} resource "${what}" in API group "${group}" ${where}`;
}

/** A browser must not take what the asker sent for HTML. */
const sanitized = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
