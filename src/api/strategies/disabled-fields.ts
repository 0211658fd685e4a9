import type { KubeObject } from '../object.ts';
import type { ResourceStrategy } from '../resource-definition.ts';

/**
 * Fields that stand in the API and belong to feature gates that are off by default in v1.36 are dropped, unless the old
 * object has them: ClusterTrustBundleProjection, PodCertificateRequest, GenericWorkload, ContainerStopSignals of pods and
 * all that makes pods. Source: dropDisabledFields in pkg/api/pod/util.go, which strategies call before they validate.
 */
export function withoutDisabledFields(key: string, strategy: ResourceStrategy): ResourceStrategy {
  const podSpecOf = Object.hasOwn(podSpecs, key) ? podSpecs[key] : undefined;
  if (podSpecOf === undefined) return strategy;
  return {
    ...strategy,
    prepareForCreate(object) {
      dropDisabled(podSpecOf(object), undefined);
      strategy.prepareForCreate?.(object);
    },
    prepareForUpdate(object, old) {
      dropDisabled(podSpecOf(object), podSpecOf(old));
      strategy.prepareForUpdate?.(object, old);
    },
    ...(key === '/pods' && {
      prepareForStatusUpdate(object: KubeObject, old: KubeObject) {
        dropDisabledStatus(object['status'], old['status']);
        strategy.prepareForStatusUpdate?.(object, old);
      },
    }),
  };
}

const ofTemplate = ({ spec }: KubeObject) => spec?.template?.spec;

const podSpecs: Record<string, (object: KubeObject) => any> = {
  '/pods': ({ spec }) => spec,
  '/podtemplates': ({ template }) => template?.spec,
  '/replicationcontrollers': ofTemplate,
  'apps/deployments': ofTemplate,
  'apps/replicasets': ofTemplate,
  'apps/statefulsets': ofTemplate,
  'apps/daemonsets': ofTemplate,
  'batch/jobs': ofTemplate,
  'batch/cronjobs': ({ spec }) => spec?.jobTemplate?.spec?.template?.spec,
};

function dropDisabled(spec: any, old: any): void {
  if (typeof spec !== 'object' || spec === null) return;
  for (const field of ['clusterTrustBundle', 'podCertificate']) {
    const sources = sourcesWith(spec, field);
    if (sources.length > 0 && sourcesWith(old, field).length === 0) for (const source of sources) delete source[field];
  }
  if (spec.schedulingGroup !== undefined && old?.schedulingGroup === undefined) delete spec.schedulingGroup;
  const signalled = containersWithStopSignal(spec);
  if (signalled.length === 0 || containersWithStopSignal(old).length > 0) return;
  for (const container of signalled) {
    delete container.lifecycle.stopSignal;
    if (Object.keys(container.lifecycle).length === 0) delete container.lifecycle;
  }
}

/** Likewise ImageVolumeWithDigest and DRANodeAllocatableResources, off as well. */
function dropDisabledStatus(status: any, old: any): void {
  if (typeof status !== 'object' || status === null) return;
  const mounts = mountsWithStatus(status);
  if (mounts.length > 0 && mountsWithStatus(old).length === 0) for (const mount of mounts) delete mount.volumeStatus;
  if (!old?.nodeAllocatableResourceClaimStatuses?.length) delete status.nodeAllocatableResourceClaimStatuses;
}

function mountsWithStatus(status: any): any[] {
  const found: any[] = [];
  for (const field of ['initContainerStatuses', 'containerStatuses', 'ephemeralContainerStatuses']) {
    for (const container of status?.[field] ?? []) {
      for (const mount of container?.volumeMounts ?? []) if (mount?.volumeStatus !== undefined) found.push(mount);
    }
  }
  return found;
}

function sourcesWith(spec: any, field: string): any[] {
  const found: any[] = [];
  for (const volume of spec?.volumes ?? []) {
    for (const source of volume?.projected?.sources ?? []) if (source?.[field] !== undefined) found.push(source);
  }
  return found;
}

function containersWithStopSignal(spec: any): any[] {
  const found: any[] = [];
  for (const field of ['initContainers', 'containers', 'ephemeralContainers']) {
    for (const container of spec?.[field] ?? [])
      if (container?.lifecycle?.stopSignal !== undefined) found.push(container);
  }
  return found;
}
