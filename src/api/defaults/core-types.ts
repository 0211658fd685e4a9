import { imageTagOf } from '../pods/image-reference.ts';
import type { TypeDefaults } from './walk.ts';
import { setDefault, setUnset } from './walk.ts';

const DEFAULT_FILE_MODE = 0o644;

/** Defaults of core/v1's types wherever they occur. Source: Kubernetes' pkg/apis/core/v1/defaults.go. */
export const coreTypeDefaults: TypeDefaults = {
  'io.k8s.api.core.v1.PodSpec': (spec) => {
    setDefault(spec, 'dnsPolicy', 'ClusterFirst');
    setDefault(spec, 'restartPolicy', 'Always');
    if (spec.securityContext === undefined) spec.securityContext = {};
    setDefault(spec, 'terminationGracePeriodSeconds', 30);
    setDefault(spec, 'schedulerName', 'default-scheduler');
    // Both names are always written alike.
    const account = spec.serviceAccountName ?? spec.serviceAccount;
    if (account !== undefined) {
      spec.serviceAccountName = account;
      spec.serviceAccount = account;
    }
  },
  'io.k8s.api.core.v1.Container': setContainerDefaults,
  'io.k8s.api.core.v1.EphemeralContainer': setContainerDefaults,
  'io.k8s.api.core.v1.Volume': (volume) => {
    let hasSource = false;
    for (const key in volume) if (key !== 'name') hasSource = true;
    if (!hasSource) volume.emptyDir = {};
    if (volume.image !== undefined) setDefault(volume.image, 'pullPolicy', pullPolicyOf(volume.image.reference));
  },
  'io.k8s.api.core.v1.Probe': (probe) => {
    setDefault(probe, 'timeoutSeconds', 1);
    setDefault(probe, 'periodSeconds', 10);
    setDefault(probe, 'successThreshold', 1);
    setDefault(probe, 'failureThreshold', 3);
  },
  'io.k8s.api.core.v1.HTTPGetAction': (action) => {
    setDefault(action, 'path', '/');
    setDefault(action, 'scheme', 'HTTP');
  },
  'io.k8s.api.core.v1.GRPCAction': (action) => {
    if (action.service === undefined || action.service === null) action.service = '';
  },
  'io.k8s.api.core.v1.ObjectFieldSelector': (selector) => setDefault(selector, 'apiVersion', 'v1'),
  'io.k8s.api.core.v1.SecretVolumeSource': setModeDefault,
  'io.k8s.api.core.v1.ConfigMapVolumeSource': setModeDefault,
  'io.k8s.api.core.v1.DownwardAPIVolumeSource': setModeDefault,
  'io.k8s.api.core.v1.ProjectedVolumeSource': setModeDefault,
  'io.k8s.api.core.v1.ServiceAccountTokenProjection': (projection) => setDefault(projection, 'expirationSeconds', 3600),
  'io.k8s.api.core.v1.HostPathVolumeSource': (source) => {
    if (source.type === undefined) source.type = '';
  },
  'io.k8s.api.core.v1.PersistentVolumeClaimSpec': (spec) => setUnset(spec, 'volumeMode', 'Filesystem'),
  'io.k8s.api.core.v1.PersistentVolumeClaimStatus': (status) => setDefault(status, 'phase', 'Pending'),
  'io.k8s.api.core.v1.PersistentVolumeSpec': (spec) => {
    setDefault(spec, 'persistentVolumeReclaimPolicy', 'Retain');
    setUnset(spec, 'volumeMode', 'Filesystem');
  },
  'io.k8s.api.core.v1.PersistentVolumeStatus': (status) => setDefault(status, 'phase', 'Pending'),
  'io.k8s.api.core.v1.NamespaceStatus': (status) => setDefault(status, 'phase', 'Active'),
  'io.k8s.api.core.v1.NodeStatus': (status) => {
    if (status.allocatable === undefined && status.capacity !== undefined) status.allocatable = { ...status.capacity };
  },
  'io.k8s.api.core.v1.EndpointPort': (port) => setDefault(port, 'protocol', 'TCP'),
  'io.k8s.api.core.v1.ServicePort': (port) => {
    setDefault(port, 'protocol', 'TCP');
    if (!port.targetPort) port.targetPort = port.port;
  },
  'io.k8s.api.core.v1.LimitRangeItem': setLimitRangeDefaults,
};

function setContainerDefaults(container: any): void {
  setDefault(container, 'imagePullPolicy', pullPolicyOf(container.image));
  setDefault(container, 'terminationMessagePath', '/dev/termination-log');
  setDefault(container, 'terminationMessagePolicy', 'File');
}

const pullPolicyOf = (image: string | undefined): string =>
  imageTagOf(image ?? '') === 'latest' ? 'Always' : 'IfNotPresent';

function setModeDefault(source: any): void {
  if (source.defaultMode === undefined) source.defaultMode = DEFAULT_FILE_MODE;
}

function setLimitRangeDefaults(item: any): void {
  if (item.type !== 'Container') return;
  const limits = { ...item.max, ...item.default };
  const requests = { ...item.min, ...limits, ...item.defaultRequest };
  if (Object.keys(limits).length > 0) item.default = limits;
  if (Object.keys(requests).length > 0) item.defaultRequest = requests;
}
