import type { Objects } from '../objects.ts';
import type { TenantDirectory } from '../tenants/tenant-directory.ts';
import { Admission } from './admission.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { hostRestriction } from './host-restriction.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { priorityAdmission } from './priority.ts';
import { serviceAccountAdmission } from './service-account.ts';

/** Upstream's order of the plug-ins that are on by default. */
export function createAdmission(objects: Objects, tenants: TenantDirectory): Admission {
  return new Admission([
    namespaceLifecycle(objects, tenants),
    // LimitRanger
    serviceAccountAdmission(objects),
    priorityAdmission(objects),
    defaultTolerationSeconds,
    hostRestriction,
    // MutatingAdmissionPolicy, MutatingAdmissionWebhook, ValidatingAdmissionPolicy, ValidatingAdmissionWebhook
    // ResourceQuota: last, so that only what is admitted counts.
  ]);
}
