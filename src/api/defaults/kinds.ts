import type { KubeObject } from '../object.ts';
import { podRequests } from '../pods/pod-resources.ts';
import { quantityOf, quantityOfMillis } from '../quantity.ts';
import { setDefault, setUnset } from './walk.ts';

/** Defaults of a kind as a whole, by `group/resource`; they come before those of its parts. */
export const kindDefaults: Record<string, (object: KubeObject) => void> = {
  '/pods': (pod) => {
    const { spec } = pod;
    requestWhatIsLimited(spec.containers);
    requestWhatIsLimited(spec.initContainers);
    requestForPod(spec);
    setDefault(spec, 'enableServiceLinks', true);
    // Of pods alone; templates keep what they say. Source: Convert_v1_Pod_To_core_Pod.
    if (spec.terminationGracePeriodSeconds < 0) spec.terminationGracePeriodSeconds = 1;
    if (spec.hostNetwork === true) {
      exposeOnHost(spec.containers);
      exposeOnHost(spec.initContainers);
    }
  },
  '/secrets': (secret) => setDefault(secret, 'type', 'Opaque'),
  '/services': setServiceDefaults,
  '/namespaces': (namespace) => {
    if (!namespace.metadata.name) return;
    namespace.metadata.labels = {
      ...namespace.metadata.labels,
      'kubernetes.io/metadata.name': namespace.metadata.name,
    };
  },
  '/nodes': ({ spec }) => {
    if (!spec?.podCIDR || spec.podCIDRs?.[0] === spec.podCIDR) return;
    spec.podCIDRs = [spec.podCIDR];
  },
  '/replicationcontrollers': (controller) => {
    setDefault(controller.spec, 'replicas', 1);
    const labels = controller.spec.template?.metadata?.labels;
    if (labels === undefined) return;
    if (!Object.keys(controller.spec.selector ?? {}).length) controller.spec.selector = { ...labels };
    if (!Object.keys(controller.metadata.labels ?? {}).length) controller.metadata.labels = { ...labels };
  },
  'batch/jobs': setJobDefaults,
  'apiextensions.k8s.io/customresourcedefinitions': (definition) => {
    const { spec } = definition;
    spec.conversion ??= { strategy: 'None' };
    spec.names ??= {};
    if (!spec.names.singular && spec.names.kind) spec.names.singular = spec.names.kind.toLowerCase();
    if (!spec.names.listKind && spec.names.kind) spec.names.listKind = `${spec.names.kind}List`;
    const reference = spec.conversion.webhook?.clientConfig?.service;
    if (reference && reference.port === undefined) reference.port = 443;
    const storage = spec.versions?.find((version: { storage?: boolean }) => version.storage === true);
    if (storage === undefined || definition['status']?.storedVersions?.length) return;
    definition['status'] = { ...definition['status'], storedVersions: [storage.name] };
  },
  'apiregistration.k8s.io/apiservices': (service) => {
    const reference = service.spec?.service;
    if (reference && reference.port === undefined) reference.port = 443;
  },
};

function requestWhatIsLimited(containers: any[] | undefined): void {
  for (const { resources } of containers ?? []) {
    if (resources?.limits === undefined) continue;
    resources.requests = { ...resources.limits, ...resources.requests };
  }
}

/** Of the pod as a whole: what its containers ask for together, or else its limits. Source: defaultPodRequests. */
function requestForPod(spec: any): void {
  const limits = spec.resources?.limits;
  if (limits === undefined || Object.keys(limits).length === 0) return;
  const requests: Record<string, string> = { ...spec.resources.requests };
  const all = podRequests(spec);
  if (all.cpuMillis > 0) requests['cpu'] ??= quantityOfMillis(all.cpuMillis);
  if (all.memoryBytes > 0) requests['memory'] ??= quantityOf(all.memoryBytes, 'BinarySI');
  for (const name of Object.keys(limits)) {
    if (name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')) requests[name] ??= limits[name];
  }
  if (Object.keys(requests).length > 0) spec.resources.requests = requests;
}

function exposeOnHost(containers: any[] | undefined): void {
  for (const container of containers ?? []) {
    for (const port of container.ports ?? [])
      if (!port.hostPort && port.containerPort) port.hostPort = port.containerPort;
  }
}

const CLIENT_IP_SECONDS = 10_800;

function setServiceDefaults(service: KubeObject): void {
  const { spec } = service;
  setDefault(spec, 'sessionAffinity', 'None');
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP' && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined) {
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: CLIENT_IP_SECONDS } };
  }
  setDefault(spec, 'type', 'ClusterIP');
  const isExternal = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  if (isExternal || (spec.type === 'ClusterIP' && spec.externalIPs?.length > 0)) {
    setDefault(spec, 'externalTrafficPolicy', 'Cluster');
  }
  if (isExternal || spec.type === 'ClusterIP') setUnset(spec, 'internalTrafficPolicy', 'Cluster');
  if (spec.type === 'LoadBalancer') {
    setDefault(spec, 'allocateLoadBalancerNodePorts', true);
    for (const ingress of service.status?.loadBalancer?.ingress ?? [])
      if (ingress.ip) setDefault(ingress, 'ipMode', 'VIP');
  }
}

const LARGEST_INT32 = 2_147_483_647;

function setJobDefaults(job: KubeObject): void {
  const { spec } = job;
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  setDefault(spec, 'parallelism', 1);
  setDefault(spec, 'backoffLimit', spec.backoffLimitPerIndex === undefined ? 6 : LARGEST_INT32);
  const labels = spec.template?.metadata?.labels;
  // The very same, as upstream: what the strategy adds to the one is the other's too.
  if (labels !== undefined && !Object.keys(job.metadata.labels ?? {}).length) job.metadata.labels = labels;
  setUnset(spec, 'completionMode', 'NonIndexed');
  setDefault(spec, 'suspend', false);
  setUnset(spec, 'podReplacementPolicy', spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed');
  setDefault(spec, 'manualSelector', false);
}
