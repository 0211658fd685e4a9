import type { Identity } from '../../identity/identity.ts';
import type { Attributes } from '../attributes.ts';
import { type ReviewRequirement, reviewedSelectors } from '../selectors.ts';

/** authorization.k8s.io/v1 SubjectAccessReviewSpec, every text of it written out. */
export interface AccessReviewSpec {
  resourceAttributes?: {
    namespace: string;
    verb: string;
    group: string;
    version: string;
    resource: string;
    subresource: string;
    name: string;
    fieldSelector?: { requirements: ReviewRequirement[] };
    labelSelector?: { requirements: ReviewRequirement[] };
  };
  nonResourceAttributes?: { path: string; verb: string };
  user: string;
  groups?: string[];
  extra?: Record<string, string[]>;
  uid?: string;
}

/** Whose API is asked, among the user's extra: a name means another user in every tenant. */
const TENANT_EXTRA = 'tenancy.skypod.io/tenant';

export function accessReviewSpec(identity: Identity, attributes: Attributes): AccessReviewSpec {
  const { isResourceRequest, path, verb, namespace, group, version, resource, subresource, name } = attributes;
  const { uid, extra, groups } = identity;
  return {
    ...(isResourceRequest
      ? {
          resourceAttributes: {
            namespace,
            verb,
            group,
            version,
            resource,
            subresource,
            name,
            ...reviewedSelectors(attributes),
          },
        }
      : { nonResourceAttributes: { path, verb } }),
    user: identity.name,
    ...(groups.length > 0 && { groups }),
    // Last, so that nobody says it of themselves.
    extra: { ...extra, [TENANT_EXTRA]: [attributes.tenant] },
    ...(uid !== undefined && uid !== '' && { uid }),
  };
}
