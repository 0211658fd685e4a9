import type { Identity } from './identity/identity.ts';
import type { RequestContext } from './request-context.ts';

/** What is asked for, as an authorizer sees it. Source: authorization/v1 SubjectAccessReview. */
export interface Attributes {
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
  fieldSelector: string;
}

export interface Decision {
  allowed: boolean;
  /** Shown to the asker. */
  reason: string;
}

export interface ResourceRule {
  verbs: string[];
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
}

/**
 * Judges every request, in-process ones by platform identities aside. RBAC takes its place behind the same interface:
 * a union of authorizers, the first that allows wins.
 */
export interface Authorizer {
  authorize(identity: Identity, attributes: Attributes): Promise<Decision> | Decision;
  /** What the identity may do in a namespace, for SelfSubjectRulesReview. */
  rules(
    identity: Identity,
    tenant: string,
    namespace: string,
  ): {
    resourceRules: ResourceRule[];
    nonResourceRules: { verbs: string[]; nonResourceURLs: string[] }[];
  };
}

export function attributesOf(context: RequestContext): Attributes {
  const { info } = context;
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
    fieldSelector: context.query.get('fieldSelector') ?? '',
  };
}

/** The message of a 403, in upstream's words. */
export function denial(identity: Identity, attributes: Attributes, reason: string): string {
  const user = JSON.stringify(identity.name);
  const why = reason === '' ? '' : `: ${reason}`;
  if (!attributes.isResourceRequest) {
    return `forbidden: User ${user} cannot ${attributes.verb} path ${JSON.stringify(attributes.path)}${why}`;
  }
  const { group, resource, subresource, namespace, name } = attributes;
  const qualified = group === '' ? resource : `${resource}.${group}`;
  const subject = name === '' ? qualified : `${qualified} ${JSON.stringify(name)}`;
  const what = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  return `${subject} is forbidden: User ${user} cannot ${attributes.verb} resource "${what}" in API group "${group}" ${where}${why}`;
}

/** What the host rules need to know of the pool; answered from the watch cache. */
export interface HostFacts {
  /** The host an instance is bound to; undefined when there is no such instance or it is unbound. */
  hostOfInstance(namespace: string, name: string): Promise<string | undefined>;
  /** Whether the host carries an instance of the tenant (= namespace in the system tenant). */
  hasInstancesOf(hostName: string, namespace: string): Promise<boolean>;
}

const allow: Decision = { allowed: true, reason: '' };
const deny = (reason = ''): Decision => ({ allowed: false, reason });
const discoveryPaths = /^\/(api|apis|openapi|version|healthz|livez|readyz|\.well-known)(\/|$)/;

/** The platform may do everything; a tenant everything of its own; a host what its own instances need. */
export function createTenantAuthorizer(isPlatformResource: (group: string) => boolean, facts: HostFacts): Authorizer {
  return {
    authorize(identity, attributes) {
      if (identity.kind === 'platform') return allow;
      if (identity.kind === 'tenant') {
        if (identity.tenant !== attributes.tenant) return deny();
        if (attributes.isResourceRequest && isPlatformResource(attributes.group)) {
          return deny('it belongs to the platform');
        }
        return allow;
      }
      if (identity.kind === 'host') {
        if (!attributes.isResourceRequest) return discoveryPaths.test(attributes.path) ? allow : deny();
        return authorizeHost(identity.hostName!, attributes, facts);
      }
      return deny();
    },
    rules(identity) {
      const everything = identity.kind === 'platform' || identity.kind === 'tenant';
      return {
        resourceRules: everything ? [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] : [],
        nonResourceRules: everything ? [{ verbs: ['*'], nonResourceURLs: ['*'] }] : [],
      };
    },
  };
}

const reading = new Set(['get', 'list', 'watch']);
const ownObjectVerbs = new Set(['get', 'update', 'patch']);

async function authorizeHost(hostName: string, attributes: Attributes, facts: HostFacts): Promise<Decision> {
  const { group, resource, subresource, verb, namespace, name } = attributes;
  switch (group === '' ? resource : `${resource}.${group}`) {
    case 'containerinstances.pool.skypod.io': {
      if (verb === 'list' || verb === 'watch') {
        const pinned = attributes.fieldSelector
          .split(',')
          .some((term) => /^spec\.hostName==?/.test(term) && term.replace(/^spec\.hostName==?/, '') === hostName);
        return pinned ? allow : deny(`it may only see instances with fieldSelector spec.hostName=${hostName}`);
      }
      const mayDo =
        (subresource === '' && (verb === 'get' || verb === 'delete')) ||
        (subresource === 'status' && ownObjectVerbs.has(verb));
      if (!mayDo || name === '') return deny();
      return (await facts.hostOfInstance(namespace, name)) === hostName ? allow : deny('the instance is not its own');
    }
    case 'hosts.pool.skypod.io':
      // The name of a new one is in the body: admission's HostRestriction looks at it.
      if (verb === 'create' && subresource === '') return allow;
      if (name !== hostName) return deny('it may only touch its own Host');
      if (subresource === '') return reading.has(verb) || ownObjectVerbs.has(verb) ? allow : deny();
      return subresource === 'status' && ownObjectVerbs.has(verb) ? allow : deny();
    case 'leases.coordination.k8s.io':
      if (namespace !== hostLeaseNamespace || subresource !== '') return deny();
      if (verb === 'create') return allow;
      return name === hostName && (reading.has(verb) || ownObjectVerbs.has(verb)) ? allow : deny();
    case 'vpcservices.network.skypod.io':
      if (!reading.has(verb) || namespace === '') return deny();
      return (await facts.hasInstancesOf(hostName, namespace)) ? allow : deny('it carries no instance of that tenant');
    case 'events':
    case 'events.events.k8s.io':
      if ((verb !== 'create' && verb !== 'patch') || namespace === '') return deny();
      return (await facts.hasInstancesOf(hostName, namespace)) ? allow : deny('it carries no instance of that tenant');
    default:
      return deny();
  }
}

/** Namespace of the hosts' Leases in the system tenant (HOST_LEASE_NAMESPACE in api/pool.ts). */
const hostLeaseNamespace = 'skypod-hosts';
