import type { Clock } from '../../base/clock.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { RoleBasedAccess } from '../authorization/rbac/role-based-access.ts';
import type { Objects } from '../objects.ts';
import type { TenantDirectory } from '../tenants/tenant-directory.ts';
import { Admission } from './admission.ts';
import { certificateRequests } from './certificate-requests.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { hostRestriction } from './host-restriction.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { priorityAdmission } from './priority.ts';
import { roleEscalation } from './role-escalation.ts';
import { serviceAccountAdmission } from './service-account.ts';

/** Upstream's order of the plug-ins that are on by default. */
export function createAdmission(
  objects: Objects,
  tenants: TenantDirectory,
  { authorizer, access, clock }: { authorizer: Authorizer; access: RoleBasedAccess; clock: Clock },
): Admission {
  return new Admission([
    namespaceLifecycle(objects, tenants),
    // LimitRanger
    serviceAccountAdmission(objects),
    priorityAdmission(objects),
    defaultTolerationSeconds,
    hostRestriction,
    roleEscalation(authorizer, access),
    certificateRequests(authorizer, clock),
    // MutatingAdmissionPolicy, MutatingAdmissionWebhook, ValidatingAdmissionPolicy, ValidatingAdmissionWebhook
    // ResourceQuota: last, so that only what is admitted counts.
  ]);
}
