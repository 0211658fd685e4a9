import type { Steps } from '../../base/steps.ts';
import { isPathSegmentName, nameIsDnsLabel, nameIsDnsSubdomain } from '../names.ts';
import type { KubeObject } from '../object.ts';
import type { ResourceStrategy } from '../resource-definition.ts';
import type { FieldError } from '../status.ts';
import * as prepare from '../strategies/prepare.ts';
import { prepareClaimStatus } from '../strategies/resource-claims.ts';
import { prepareSlice } from '../strategies/resource-slices.ts';
import * as volumes from '../strategies/volumes.ts';
import { definitionStrategy } from '../structural-schema/definition/strategy.ts';
import * as access from '../validation/access.ts';
import * as policies from '../validation/admission/policies.ts';
import * as webhooks from '../validation/admission/webhook-configuration.ts';
import * as apiRegistration from '../validation/api-registration.ts';
import * as autoscaling from '../validation/autoscaling.ts';
import * as batch from '../validation/batch/batch.ts';
import * as certificates from '../validation/certificates.ts';
import * as configuration from '../validation/configuration.ts';
import * as devices from '../validation/devices.ts';
import * as events from '../validation/events.ts';
import { Findings } from '../validation/findings.ts';
import * as flowControl from '../validation/flow-control.ts';
import * as limits from '../validation/limits.ts';
import * as clusterNetworks from '../validation/networking/cluster-networks.ts';
import { canonicalAddressFindings } from '../validation/networking/ip-address.ts';
import * as networking from '../validation/networking/networking.ts';
import * as service from '../validation/networking/service.ts';
import { validatePodEphemeralContainers } from '../validation/pods/ephemeral-containers.ts';
import * as pod from '../validation/pods/pod.ts';
import { validatePodResize } from '../validation/pods/resize.ts';
import { validatePodTemplate } from '../validation/pods/spec.ts';
import * as slices from '../validation/resource-slices.ts';
import * as runtimeClass from '../validation/runtime-class.ts';
import * as conditionStatus from '../validation/status/conditions.ts';
import * as deviceStatus from '../validation/status/devices.ts';
import * as jobStatus from '../validation/status/jobs.ts';
import * as networkStatus from '../validation/status/network.ts';
import * as podStatus from '../validation/status/pods.ts';
import * as storageStatus from '../validation/status/storage.ts';
import * as workloadStatus from '../validation/status/workloads.ts';
import * as csi from '../validation/volumes/csi.ts';
import * as storage from '../validation/volumes/storage.ts';
import * as workloads from '../validation/workloads.ts';

type OnObject = (object: any, findings: Findings) => void;
type OnChange = (object: any, old: any, findings: Findings) => void;

const check =
  (validate: OnObject) =>
  (object: KubeObject): FieldError[] => {
    const findings = new Findings();
    validate(object, findings);
    return findings.list;
  };
const checkChange =
  (validate: OnChange) =>
  (object: KubeObject, old: KubeObject): FieldError[] => {
    const findings = new Findings();
    validate(object, old, findings);
    return findings.list;
  };

/** `update` when the kind has rules of its own for it; otherwise the new state is held to the same as a fresh one. */
const validated = (create: OnObject, update?: OnChange): ResourceStrategy => ({
  validateCreate: check(create),
  validateUpdate: update === undefined ? check(create) : checkChange(update),
});

type StepsOnObject = (object: any, findings: Findings) => Steps<void>;
type StepsOnChange = (object: any, old: any, findings: Findings) => Steps<void>;

/** As validated, of what a tenant can make long. */
function validatedInSteps(create: StepsOnObject, update?: StepsOnChange, updateStatus?: OnChange): ResourceStrategy {
  return {
    checks: {
      *create(object) {
        const findings = new Findings();
        yield* create(object, findings);
        return findings.list;
      },
      *update(object, old) {
        const findings = new Findings();
        yield* update === undefined ? create(object, findings) : update(object, old, findings);
        return findings.list;
      },
      // biome-ignore lint/correctness/useYield: short, and a check like the others.
      *statusUpdate(object, old) {
        const findings = new Findings();
        updateStatus?.(object, old, findings);
        return findings.list;
      },
    },
  };
}

const both =
  (...validators: OnChange[]): OnChange =>
  (object, old, findings) => {
    for (const validate of validators) validate(object, old, findings);
  };
const asChange =
  (validate: OnObject): OnChange =>
  (object, _old, findings) =>
    validate(object, findings);

const systemPriorities: Record<string, number> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};

/** A pod stays until its containers have stopped. Source: podStrategy.CheckGracefulDelete. */
function podGracePeriodSeconds(object: KubeObject, asked: number | undefined): number {
  let period = asked ?? object['spec'].terminationGracePeriodSeconds ?? 30;
  if (!object['spec'].nodeName) period = 0;
  if (object['status']?.phase === 'Succeeded' || object['status']?.phase === 'Failed') period = 0;
  return period < 0 ? 1 : period;
}

const pathSegment: ResourceStrategy = { validateName: isPathSegmentName };
const label: ResourceStrategy = { validateName: nameIsDnsLabel };
/** Where upstream looks at the name made of generateName, and not at that. */
const nameAlone: ResourceStrategy = {
  validateName: (name, isPrefix) => (isPrefix ? [] : nameIsDnsSubdomain(name, false)),
};

const webhookConfiguration = validatedInSteps(
  webhooks.validateWebhookConfiguration,
  webhooks.validateWebhookConfigurationUpdate,
);

const ownStrategies: Record<string, ResourceStrategy> = {
  'apiextensions.k8s.io/customresourcedefinitions': definitionStrategy,
  'admissionregistration.k8s.io/mutatingadmissionpolicies': validatedInSteps(
    policies.validateMutatingPolicy,
    policies.validateMutatingPolicyUpdate,
  ),
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings': validated(policies.validateMutatingBinding),
  'admissionregistration.k8s.io/validatingadmissionpolicies': {
    ...validatedInSteps(
      policies.validateValidatingPolicy,
      policies.validateValidatingPolicyUpdate,
      asChange(policies.validatePolicyStatus),
    ),
  },
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': validated(policies.validateValidatingBinding),
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': webhookConfiguration,
  'admissionregistration.k8s.io/validatingwebhookconfigurations': webhookConfiguration,
  '/pods': {
    ...validatedInSteps(pod.validatePodCreate, pod.validatePodUpdate, podStatus.validatePodStatusUpdate),
    validateSubresourceUpdate: {
      ephemeralcontainers: checkChange(validatePodEphemeralContainers),
      resize: checkChange(validatePodResize),
    },
    prepareForCreate: prepare.preparePod,
    prepareForStatusUpdate: prepare.preparePodStatus,
    gracePeriodSeconds: podGracePeriodSeconds,
  },
  '/podtemplates': validatedInSteps((object, findings) => validatePodTemplate(object.template, 'template', findings)),
  '/replicationcontrollers': {
    ...nameAlone,
    ...validatedInSteps(
      workloads.validateReplicationController,
      undefined,
      workloadStatus.validateWorkloadStatus('replicaSet'),
    ),
  },
  '/services': {
    validateStatusUpdate: checkChange(networkStatus.validateServiceStatus),
    ...validated((one, findings) => service.validateService(one, findings), service.validateServiceUpdate),
    validateName: nameIsDnsLabel,
    prepareForCreate: prepare.prepareService,
    prepareForUpdate: prepare.prepareServiceUpdate,
    prepareForStatusUpdate: prepare.prepareServiceStatus,
  },
  '/namespaces': {
    ...validated(configuration.validateNamespace),
    validateSubresourceUpdate: { finalize: check(configuration.validateNamespaceFinalize) },
    ...label,
    validateStatusUpdate: check(configuration.validateNamespaceStatus),
    prepareForCreate: prepare.prepareNamespace,
    prepareForUpdate: prepare.prepareNamespaceUpdate,
  },
  '/configmaps': validated(configuration.validateConfigMap, configuration.validateConfigMapUpdate),
  '/secrets': {
    ...validated(configuration.validateSecret, configuration.validateSecretUpdate),
    setDefaults: prepare.mergeStringData,
  },
  '/nodes': {
    validateStatusUpdate: checkChange(configuration.validateNodeStatusUpdate),
    ...validated(configuration.validateNode, configuration.validateNodeUpdate),
    keepsStatusOnCreate: true,
  },
  '/endpoints': validated(configuration.validateEndpoints),
  '/resourcequotas': {
    ...validatedInSteps(
      limits.validateResourceQuota,
      limits.validateResourceQuotaUpdate,
      limits.validateResourceQuotaStatus,
    ),
  },
  '/limitranges': {
    ...validated(limits.validateLimitRange),
    prepareForCreate: prepare.nameLimitRange,
  },
  '/events': {
    ...pathSegment,
    metadataLast: true,
    validateCreate: (event, view) =>
      check(view === undefined ? events.validateEvent : events.validateStrictEvent)(event),
    validateUpdate: (event, old, view) =>
      view === undefined
        ? check(events.validateEvent)(event)
        : checkChange(events.validateStrictEventUpdate)(event, old),
  },
  '/persistentvolumeclaims': {
    validateStatusUpdate: checkChange(storageStatus.validateClaimStatus),
    ...validated(storage.validateClaim, storage.validateClaimUpdate),
    prepareForCreate: volumes.prepareClaim,
    prepareForUpdate: volumes.prepareClaimUpdate,
  },
  '/persistentvolumes': {
    ...validated(storage.validateVolume, storage.validateVolumeUpdate),
    prepareForCreate: volumes.prepareVolume,
    prepareForStatusUpdate: volumes.prepareVolumeStatus,
  },
  'apps/deployments': {
    ...validatedInSteps(
      workloads.validateDeployment,
      workloads.validateDeploymentUpdate,
      workloadStatus.validateWorkloadStatus('deployment'),
    ),
    annotationsCount: true,
  },
  'apps/replicasets': {
    ...validatedInSteps(
      workloads.validateReplicaSet,
      workloads.validateReplicaSetUpdate,
      workloadStatus.validateWorkloadStatus('replicaSet'),
    ),
  },
  'apps/statefulsets': {
    ...validatedInSteps(
      workloads.validateStatefulSetCreate,
      workloads.validateStatefulSetUpdate,
      workloadStatus.validateWorkloadStatus('statefulSet'),
    ),
    ...label,
    prepareForCreate: prepare.prepareStatefulSet,
    prepareForUpdate: prepare.prepareStatefulSet,
  },
  'apps/daemonsets': {
    ...validatedInSteps(
      workloads.validateDaemonSet,
      workloads.validateDaemonSetUpdate,
      workloadStatus.validateWorkloadStatus('daemonSet'),
    ),
    setDefaults: prepare.defaultDaemonSet,
    prepareForCreate: prepare.prepareDaemonSet,
    prepareForUpdate: prepare.prepareDaemonSetUpdate,
  },
  'apps/controllerrevisions': validated(
    (object, findings) => {
      findings.nonnegative(object.revision, 'revision');
      if (object.data === undefined) findings.required('data', 'data is mandatory');
      else if (typeof object.data !== 'object' || Array.isArray(object.data))
        findings.required('data', 'data must be a valid JSON object');
    },
    both(
      asChange((object, findings) => findings.nonnegative(object.revision, 'revision')),
      (object, old, findings) => {
        if (JSON.stringify(object.data) !== JSON.stringify(old.data)) {
          findings.invalid('data', object.data, 'field is immutable');
        }
      },
    ),
  ),
  'batch/jobs': {
    ...validatedInSteps(batch.validateJob, batch.validateJobUpdate, jobStatus.validateJobStatus),
    prepareForCreate: prepare.prepareJob,
    rename: prepare.renameJob,
  },
  'batch/cronjobs': validatedInSteps(
    (object, findings) => batch.validateCronJob(object, findings),
    (object, old, findings) => batch.validateCronJob(object, findings, old),
  ),
  'autoscaling/horizontalpodautoscalers': {
    ...validated(autoscaling.validateAutoscaler),
    validateStatusUpdate: checkChange(workloadStatus.validateWorkloadStatus('autoscaler')),
  },
  'policy/poddisruptionbudgets': {
    ...pathSegment,
    ...validated(autoscaling.validateDisruptionBudget),
    validateStatusUpdate: checkChange(conditionStatus.validateDisruptionBudgetStatus),
  },
  'networking.k8s.io/ingresses': {
    ...validated(networking.validateIngress),
    validateStatusUpdate: checkChange(networkStatus.validateIngressStatus),
  },
  'networking.k8s.io/ingressclasses': validated(networking.validateIngressClass, networking.validateIngressClassUpdate),
  'networking.k8s.io/networkpolicies': validated(
    (policy, findings) => networking.validateNetworkPolicy(policy, findings),
    networking.validateNetworkPolicyUpdate,
  ),
  'networking.k8s.io/servicecidrs': validated(
    clusterNetworks.validateServiceCidr,
    clusterNetworks.validateServiceCidrUpdate,
  ),
  'networking.k8s.io/ipaddresses': {
    ...validated(clusterNetworks.validateIpAddressObject, clusterNetworks.validateIpAddressObjectUpdate),
    validateName: canonicalAddressFindings,
  },
  'discovery.k8s.io/endpointslices': {
    ...validated(networking.validateEndpointSlice, networking.validateEndpointSliceUpdate),
    prepareForUpdate: prepare.prepareEndpointSliceUpdate,
  },
  'rbac.authorization.k8s.io/roles': { ...validated(access.validateRole), ...pathSegment },
  'rbac.authorization.k8s.io/clusterroles': { ...validated(access.validateClusterRole), ...pathSegment },
  'rbac.authorization.k8s.io/rolebindings': {
    ...validated(access.validateRoleBinding, both(asChange(access.validateRoleBinding), access.validateRoleRefUpdate)),
    ...pathSegment,
  },
  'rbac.authorization.k8s.io/clusterrolebindings': {
    ...validated(
      access.validateClusterRoleBinding,
      both(asChange(access.validateClusterRoleBinding), access.validateRoleRefUpdate),
    ),
    ...pathSegment,
  },
  'storage.k8s.io/storageclasses': validated(storage.validateStorageClass, storage.validateStorageClassUpdate),
  'storage.k8s.io/csidrivers': {
    ...validated(csi.validateCsiDriver, csi.validateCsiDriverUpdate),
    prepareForUpdate: prepare.prepareCsiDriverUpdate,
  },
  'storage.k8s.io/csinodes': validated(csi.validateCsiNode, csi.validateCsiNodeUpdate),
  'storage.k8s.io/csistoragecapacities': validated(csi.validateStorageCapacity, csi.validateStorageCapacityUpdate),
  'storage.k8s.io/volumeattachments': validated(csi.validateVolumeAttachment, csi.validateVolumeAttachmentUpdate),
  'storage.k8s.io/volumeattributesclasses': validated(
    csi.validateVolumeAttributesClass,
    csi.validateVolumeAttributesClassUpdate,
  ),
  'resource.k8s.io/deviceclasses': { ...validated(devices.validateDeviceClass), ...nameAlone },
  'resource.k8s.io/resourceclaims': {
    ...validated(devices.validateResourceClaim, devices.validateResourceClaimUpdate),
    validateStatusUpdate: checkChange(deviceStatus.validateResourceClaimStatus),
    prepareForStatusUpdate: prepareClaimStatus,
  },
  'resource.k8s.io/resourceclaimtemplates': validated(
    devices.validateResourceClaimTemplate,
    devices.validateResourceClaimTemplateUpdate,
  ),
  'resource.k8s.io/resourceslices': {
    ...validated(slices.validateResourceSlice, slices.validateResourceSliceUpdate),
    prepareForCreate: (slice) => prepareSlice(slice),
    prepareForUpdate: prepareSlice,
  },
  'scheduling.k8s.io/priorityclasses': {
    ...validated(
      (object, findings) => {
        const { name = '' } = object.metadata;
        const known = systemPriorities[name];
        if (name.startsWith('system-') && (known !== object.value || object.globalDefault === true)) {
          const reserved = "priority class names with 'system-' prefix are reserved for system use only. error: ";
          const why =
            known === undefined
              ? `${name} is not a known system priority class`
              : known !== object.value
                ? `value of ${name} PriorityClass must be ${known}`
                : `globalDefault of ${name} PriorityClass must be false`;
          findings.forbidden('metadata.name', reserved + why);
        } else if (object.value > 1_000_000_000 && known === undefined) {
          findings.forbidden('value', 'maximum allowed value of a user defined priority is 1000000000');
        }
        findings.oneOf(object.preemptionPolicy, 'preemptionPolicy', ['PreemptLowerPriority', 'Never']);
      },
      (object, old, findings) => {
        if (object.value !== old.value) findings.forbidden('value', 'may not be changed in an update.');
        if (object.preemptionPolicy !== old.preemptionPolicy) {
          findings.invalid('preemptionPolicy', object.preemptionPolicy, 'field is immutable');
        }
      },
    ),
    generationStays: true,
  },
  'coordination.k8s.io/leases': {
    prepareForCreate: prepare.prepareLease,
    prepareForUpdate: prepare.prepareLease,
    ...validated((object, findings) => {
      const { leaseDurationSeconds, leaseTransitions, preferredHolder, strategy } = object.spec ?? {};
      if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0) {
        findings.invalid('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0');
      }
      findings.nonnegative(leaseTransitions, 'spec.leaseTransitions');
      // An empty holderIdentity is how client-go lets go of a lock.
      if (preferredHolder && !strategy) {
        findings.forbidden('spec.preferredHolder', 'may only be specified if `strategy` is defined');
      }
    }),
  },
  'node.k8s.io/runtimeclasses': validated(runtimeClass.validateRuntimeClass, runtimeClass.validateRuntimeClassUpdate),
  'flowcontrol.apiserver.k8s.io/flowschemas': {
    ...validated(flowControl.validateFlowSchema),
    validateStatusUpdate: checkChange(conditionStatus.validateTypedConditions),
  },
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': {
    ...validated(flowControl.validatePriorityLevel),
    validateStatusUpdate: checkChange(conditionStatus.validateTypedConditions),
  },
  'apiregistration.k8s.io/apiservices': {
    ...validated(apiRegistration.validateApiService),
    ...pathSegment,
    validateStatusUpdate: check(apiRegistration.validateApiServiceStatus),
    prepareForCreate: apiRegistration.prepareApiService,
  },
  'certificates.k8s.io/certificatesigningrequests': {
    ...validated(certificates.validateCertificateRequest, certificates.validateCertificateRequestUpdate),
    validateStatusUpdate: checkChange(certificates.validateCertificateRequestStatus),
    prepareForUpdate: certificates.prepareCertificateRequestUpdate as ResourceStrategy['prepareForUpdate'],
    prepareForStatusUpdate: certificates.prepareCertificateRequestStatus as ResourceStrategy['prepareForStatusUpdate'],
    validateName: () => [],
  },
};

/** A PUT of these makes what is not there. Source: AllowCreateOnUpdate of upstream's strategies. */
const createdByUpdates = [
  '/endpoints',
  '/events',
  '/limitranges',
  '/services',
  'coordination.k8s.io/leases',
  'node.k8s.io/runtimeclasses',
  'rbac.authorization.k8s.io/clusterrolebindings',
  'rbac.authorization.k8s.io/clusterroles',
  'rbac.authorization.k8s.io/rolebindings',
  'rbac.authorization.k8s.io/roles',
];

/** These are never replaced blindly. Source: AllowUnconditionalUpdate of upstream's strategies. */
const replacedKnowingly = [
  'admissionregistration.k8s.io/mutatingadmissionpolicies',
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings',
  'admissionregistration.k8s.io/mutatingwebhookconfigurations',
  'admissionregistration.k8s.io/validatingadmissionpolicies',
  'admissionregistration.k8s.io/validatingadmissionpolicybindings',
  'admissionregistration.k8s.io/validatingwebhookconfigurations',
  'apiextensions.k8s.io/customresourcedefinitions',
  'apiregistration.k8s.io/apiservices',
  'coordination.k8s.io/leases',
  'node.k8s.io/runtimeclasses',
  'policy/poddisruptionbudgets',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/csistoragecapacities',
  'storage.k8s.io/volumeattachments',
];

function withFlags(): Record<string, ResourceStrategy> {
  const all = { ...ownStrategies };
  for (const key of createdByUpdates) all[key] = { ...all[key], createdByUpdates: true };
  for (const key of replacedKnowingly) all[key] = { ...all[key], requiresResourceVersion: true };
  return all;
}

/** What a built-in kind does besides being data, by `group/resource`. */
export const strategies: Record<string, ResourceStrategy> = withFlags();
