import { formatTime } from '../object.ts';
import { quantityOf } from '../quantity.ts';
import { setDefault, setUnset, type TypeDefaults } from './walk.ts';

const RBAC = 'rbac.authorization.k8s.io';

/** Everything outside core and workloads. Source: defaults.go of each version in Kubernetes' pkg/apis. */
export const otherTypeDefaults: TypeDefaults = {
  'io.k8s.api.networking.v1.NetworkPolicyPort': (port) => setUnset(port, 'protocol', 'TCP'),
  'io.k8s.api.networking.v1.NetworkPolicySpec': (spec) => {
    if (spec.policyTypes?.length) return;
    spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
  },
  'io.k8s.api.networking.v1.IngressClassParametersReference': (reference) => setUnset(reference, 'scope', 'Cluster'),
  'io.k8s.api.rbac.v1.RoleRef': (reference) => setDefault(reference, 'apiGroup', RBAC),
  'io.k8s.api.rbac.v1.Subject': (subject) => {
    if (subject.kind === 'User' || subject.kind === 'Group') setDefault(subject, 'apiGroup', RBAC);
  },
  'io.k8s.api.storage.v1.StorageClass': (storageClass) => {
    setUnset(storageClass, 'reclaimPolicy', 'Delete');
    setUnset(storageClass, 'volumeBindingMode', 'Immediate');
  },
  'io.k8s.api.storage.v1.CSIDriverSpec': (spec) => {
    setDefault(spec, 'attachRequired', true);
    setDefault(spec, 'podInfoOnMount', false);
    setDefault(spec, 'storageCapacity', false);
    setUnset(spec, 'fsGroupPolicy', 'ReadWriteOnceWithFSType');
    if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ['Persistent'];
    setDefault(spec, 'requiresRepublish', false);
    setDefault(spec, 'seLinuxMount', false);
  },
  'io.k8s.api.discovery.v1.EndpointPort': (port) => {
    if (port.name === undefined) port.name = '';
    setUnset(port, 'protocol', 'TCP');
  },
  'io.k8s.api.scheduling.v1.PriorityClass': (priorityClass) =>
    setUnset(priorityClass, 'preemptionPolicy', 'PreemptLowerPriority'),
  'io.k8s.api.admissionregistration.v1.ValidatingWebhook': setWebhookDefaults,
  'io.k8s.api.admissionregistration.v1.MutatingWebhook': (webhook) => {
    setWebhookDefaults(webhook);
    setUnset(webhook, 'reinvocationPolicy', 'Never');
  },
  'io.k8s.api.admissionregistration.v1.RuleWithOperations': (rule) => setUnset(rule, 'scope', '*'),
  'io.k8s.api.admissionregistration.v1.NamedRuleWithOperations': (rule) => setUnset(rule, 'scope', '*'),
  'io.k8s.api.admissionregistration.v1.ServiceReference': (reference) => setDefault(reference, 'port', 443),
  'io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicySpec': (spec) =>
    setUnset(spec, 'failurePolicy', 'Fail'),
  'io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicySpec': (spec) => setUnset(spec, 'failurePolicy', 'Fail'),
  'io.k8s.api.admissionregistration.v1.MatchResources': (match) => {
    setUnset(match, 'matchPolicy', 'Equivalent');
    match.namespaceSelector ??= {};
    match.objectSelector ??= {};
  },
  'io.k8s.api.resource.v1.DeviceTaint': (taint) => {
    if (!taint.timeAdded) taint.timeAdded = formatTime(Date.now());
  },
  'io.k8s.api.resource.v1.ExactDeviceRequest': setDeviceCount,
  'io.k8s.api.resource.v1.DeviceSubRequest': setDeviceCount,
  'io.k8s.api.resource.v1.NodeAllocatableResourceMapping': (mapping) =>
    setDefault(mapping, 'allocationMultiplier', quantityOf(1)),
  'io.k8s.api.flowcontrol.v1.FlowSchemaSpec': (spec) => {
    if (!spec.matchingPrecedence) spec.matchingPrecedence = 1000;
  },
  'io.k8s.api.flowcontrol.v1.ExemptPriorityLevelConfiguration': (configuration) => {
    setDefault(configuration, 'nominalConcurrencyShares', 0);
    setDefault(configuration, 'lendablePercent', 0);
  },
  'io.k8s.api.flowcontrol.v1.LimitedPriorityLevelConfiguration': (configuration) => {
    setDefault(configuration, 'nominalConcurrencyShares', 30);
    setDefault(configuration, 'lendablePercent', 0);
  },
  'io.k8s.api.flowcontrol.v1.QueuingConfiguration': (configuration) => {
    if (!configuration.handSize) configuration.handSize = 8;
    if (!configuration.queues) configuration.queues = 64;
    if (!configuration.queueLengthLimit) configuration.queueLengthLimit = 50;
  },
};

function setWebhookDefaults(webhook: any): void {
  setUnset(webhook, 'failurePolicy', 'Fail');
  setUnset(webhook, 'matchPolicy', 'Equivalent');
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  setDefault(webhook, 'timeoutSeconds', 10);
}

function setDeviceCount(request: any): void {
  setDefault(request, 'allocationMode', 'ExactCount');
  if (request.allocationMode === 'ExactCount' && !request.count) request.count = 1;
}
