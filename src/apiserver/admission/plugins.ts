import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { RoleBasedAccess } from '../authorization/rbac/role-based-access.ts';
import type { Objects } from '../objects.ts';
import type { ResourceRegistry } from '../registry.ts';
import type { TenantDirectory } from '../tenants/tenant-directory.ts';
import type { WebhookClient } from '../webhooks/webhook-client.ts';
import { Admission, type AdmissionObserver } from './admission.ts';
import { certificateRequests } from './certificate-requests.ts';
import { claimResize } from './claim-resize.ts';
import { defaultIngressClass, defaultStorageClass } from './default-classes.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { hostRestriction } from './host-restriction.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { nodeTaint } from './node-taint.ts';
import { ownerReferences } from './owner-references.ts';
import { podResize } from './pod-resize.ts';
import { type PodSecurityObserver, podSecurity } from './pod-security/index.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import {
  mutatingPolicies,
  type PolicyObserver,
  type PolicyOptions,
  policyParamsAccess,
  validatingPolicies,
} from './policies/index.ts';
import { priorityAdmission } from './priority.ts';
import { resourceQuotaAdmission } from './resource-quota/index.ts';
import { roleEscalation } from './role-escalation.ts';
import { runtimeClassAdmission } from './runtime-class.ts';
import { serviceAccountAdmission } from './service-account.ts';
import { storageInUse } from './storage-in-use.ts';
import {
  mutatingWebhooks,
  Patience,
  validatingWebhooks,
  type WebhookAdmissionOptions,
  type WebhookObserver,
} from './webhooks/index.ts';

export interface AdmissionParts {
  authorizer: Authorizer;
  access: RoleBasedAccess;
  clock: Clock;
  registry: ResourceRegistry;
  webhookClient: WebhookClient;
  logger: Logger;
  observer?: AdmissionObserver & WebhookObserver & PolicyObserver & PodSecurityObserver;
}

/** Upstream's order of the plug-ins that are on by default, and of NodeRestriction, which every installer turns on. */
export function createAdmission(
  objects: Objects,
  tenants: TenantDirectory,
  { authorizer, access, clock, registry, webhookClient, logger, observer }: AdmissionParts,
): Admission {
  const common = { objects, registry, authorizer, ...(observer !== undefined && { observer }) };
  const policies: PolicyOptions = common;
  const webhooks: WebhookAdmissionOptions = { ...common, client: webhookClient, patience: new Patience(), logger };
  const plugins = [
    namespaceLifecycle(objects, tenants),
    limitRanger(objects),
    serviceAccountAdmission(objects),
    nodeRestriction(objects, authorizer),
    nodeTaint,
    podSecurity(objects, {}, observer),
    priorityAdmission(objects),
    defaultTolerationSeconds,
    defaultStorageClass(objects),
    ownerReferences(authorizer, registry),
    claimResize(objects),
    storageInUse,
    runtimeClassAdmission(objects),
    hostRestriction,
    roleEscalation(authorizer, access),
    policyParamsAccess(policies),
    certificateRequests(authorizer, clock),
    defaultIngressClass(objects),
    podTopologyLabels(objects),
    podResize(objects),
    mutatingPolicies(policies),
    mutatingWebhooks(webhooks),
    validatingPolicies(policies),
    validatingWebhooks(webhooks),
    // Last, so that only what is admitted counts.
    resourceQuotaAdmission(objects, clock, registry),
  ];
  return new Admission(plugins, observer);
}
