import type { Pace } from '../../base/steps.ts';
import { type Identity, SYSTEM_MASTERS } from '../identity/identity.ts';
import type { Attributes } from './attributes.ts';
import type { TenantAccess } from './configured-chain.ts';
import type { Decision, HeldRules } from './decision.ts';
import { authorizeHost, type HostFacts } from './hosts.ts';
import type { PolicyRule } from './rbac/rules.ts';

/** Judges every request, in-process ones by platform identities aside. */
export interface Authorizer {
  /** `pace`: of the request that it is for. */
  authorize(identity: Identity, attributes: Attributes, pace?: Pace): Promise<Decision> | Decision;
  /** What the identity may do in a namespace ('': in none) and beyond namespaces. */
  rules(identity: Identity, tenant: string, namespace: string, pace?: Pace): Promise<HeldRules> | HeldRules;
}

const allow: Decision = { allowed: true, reason: '' };
const deny = (reason = ''): Decision => ({ allowed: false, reason });
const everything: PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];
const discoveryPaths = /^\/(api|apis|openapi|version|healthz|livez|readyz|\.well-known)(\/|$)/;

/**
 * The boundary between tenants comes first and no role reaches over it. Within: the platform may do everything, a host
 * what its own instances need, and everyone else what the tenant's roles say, or the operator's authorizers.
 */
export function createAuthorizer(
  isPlatformResource: (group: string) => boolean,
  access: TenantAccess,
  hostFacts: HostFacts,
): Authorizer {
  return {
    authorize(identity, attributes, pace) {
      switch (identity.kind) {
        case 'platform':
          return allow;
        case 'host':
          if (!attributes.isResourceRequest) return discoveryPaths.test(attributes.path) ? allow : deny();
          return authorizeHost(identity.hostName!, attributes, hostFacts);
        case 'tenant':
          if (identity.tenant !== attributes.tenant) return deny();
          if (attributes.isResourceRequest && isPlatformResource(attributes.group)) {
            return deny('it belongs to the platform');
          }
          return identity.groups.includes(SYSTEM_MASTERS) ? allow : access.authorize(identity, attributes, pace);
        case 'anonymous':
          return access.authorize(identity, attributes, pace);
      }
    },
    rules(identity, tenant, namespace, pace) {
      if (identity.kind === 'platform') return { rules: everything, errors: [] };
      if (identity.kind === 'host' || (identity.kind === 'tenant' && identity.tenant !== tenant)) {
        return { rules: [], errors: [] };
      }
      return access.rules(identity, tenant, namespace, pace);
    },
  };
}
