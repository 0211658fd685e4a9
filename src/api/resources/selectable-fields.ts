import type { KubeObject } from '../object.ts';

/**
 * What a fieldSelector may ask for besides metadata.name and metadata.namespace, by `group/resource`.
 * Source: the field label conversions in Kubernetes' pkg/apis and SelectableFields of pkg/registry.
 */
type Selectable = Record<string, (object: KubeObject) => string>;

const text = (value: unknown): string => (value === undefined || value === null ? '' : String(value));
const count = (value: unknown): string => (value === undefined || value === null ? '0' : String(value));
const truth = (value: unknown): string => (value === true ? 'true' : 'false');

const event: Selectable = {
  'involvedObject.kind': (o) => text(o.involvedObject?.kind),
  'involvedObject.namespace': (o) => text(o.involvedObject?.namespace),
  'involvedObject.name': (o) => text(o.involvedObject?.name),
  'involvedObject.uid': (o) => text(o.involvedObject?.uid),
  'involvedObject.apiVersion': (o) => text(o.involvedObject?.apiVersion),
  'involvedObject.resourceVersion': (o) => text(o.involvedObject?.resourceVersion),
  'involvedObject.fieldPath': (o) => text(o.involvedObject?.fieldPath),
  reason: (o) => text(o.reason),
  reportingComponent: (o) => text(o.reportingComponent),
  source: (o) => text(o.source?.component) || text(o.reportingComponent),
  type: (o) => text(o.type),
};

const newEvent: Selectable = {
  'regarding.kind': (o) => text(o.regarding?.kind),
  'regarding.namespace': (o) => text(o.regarding?.namespace),
  'regarding.name': (o) => text(o.regarding?.name),
  'regarding.uid': (o) => text(o.regarding?.uid),
  'regarding.apiVersion': (o) => text(o.regarding?.apiVersion),
  'regarding.resourceVersion': (o) => text(o.regarding?.resourceVersion),
  'regarding.fieldPath': (o) => text(o.regarding?.fieldPath),
  reason: (o) => text(o.reason),
  reportingController: (o) => text(o.reportingController),
  type: (o) => text(o.type),
};

export const selectableFields: Record<string, Selectable> = {
  '/pods': {
    'spec.nodeName': (o) => text(o.spec?.nodeName),
    // How the oldest clients call it.
    'spec.host': (o) => text(o.spec?.nodeName),
    'spec.restartPolicy': (o) => text(o.spec?.restartPolicy),
    'spec.schedulerName': (o) => text(o.spec?.schedulerName),
    'spec.serviceAccountName': (o) => text(o.spec?.serviceAccountName),
    'spec.hostNetwork': (o) => truth(o.spec?.hostNetwork),
    'status.phase': (o) => text(o.status?.phase),
    'status.podIP': (o) => text(o.status?.podIPs?.[0]?.ip ?? o.status?.podIP),
    'status.podIPs': (o) => text(o.status?.podIPs?.[0]?.ip ?? o.status?.podIP),
    'status.nominatedNodeName': (o) => text(o.status?.nominatedNodeName),
  },
  '/nodes': { 'spec.unschedulable': (o) => truth(o.spec?.unschedulable) },
  '/namespaces': { 'status.phase': (o) => text(o.status?.phase) },
  '/secrets': { type: (o) => text(o.type) },
  '/services': { 'spec.clusterIP': (o) => text(o.spec?.clusterIP), 'spec.type': (o) => text(o.spec?.type) },
  '/replicationcontrollers': { 'status.replicas': (o) => count(o.status?.replicas) },
  'batch/jobs': { 'status.successful': (o) => count(o.status?.succeeded) },
  'certificates.k8s.io/certificatesigningrequests': { 'spec.signerName': (o) => text(o.spec?.signerName) },
  'resource.k8s.io/resourceslices': {
    'spec.nodeName': (o) => text(o.spec?.nodeName),
    'spec.driver': (o) => text(o.spec?.driver),
  },
  '/events': event,
  'events.k8s.io/events': newEvent,
  'pool.skypod.io/containerinstances': {
    'spec.hostName': (o) => text(o.spec?.hostName),
    'status.phase': (o) => text(o.status?.phase),
  },
};
