import { formatTime, type KubeObject } from '../object.ts';

/**
 * A claim's source has two fields that say the same: each is filled in from the other. What the older one never could
 * name is dropped, as if an empty volume had been asked for. Source: pkg/api/persistentvolumeclaim (KEP-1495).
 */
export function prepareClaim(claim: KubeObject): void {
  prepareSources(claim['spec'], undefined);
}

export function prepareClaimUpdate(claim: KubeObject, old: KubeObject): void {
  prepareSources(claim['spec'], old['spec']);
}

function prepareSources(spec: any, old: any): void {
  // Other namespaces are behind a feature gate that is off.
  if (spec.dataSourceRef?.namespace && !old?.dataSourceRef) delete spec.dataSourceRef;
  const isOld = old?.dataSource || old?.dataSourceRef;
  if (!isOld && !spec.dataSourceRef && spec.dataSource && !isClaimOrSnapshot(spec.dataSource)) delete spec.dataSource;
  normalizeSources(spec);
}

const isClaimOrSnapshot = ({ apiGroup = '', kind }: { apiGroup?: string | null; kind?: string }): boolean =>
  (kind === 'PersistentVolumeClaim' && !apiGroup) ||
  (kind === 'VolumeSnapshot' && apiGroup === 'snapshot.storage.k8s.io');

export function normalizeSources(spec: any): void {
  if (spec.dataSource && !spec.dataSourceRef) spec.dataSourceRef = { ...spec.dataSource };
  else if (spec.dataSourceRef && !spec.dataSource && !spec.dataSourceRef.namespace) {
    const { namespace: _none, ...source } = spec.dataSourceRef;
    spec.dataSource = source;
  }
}

export function prepareVolume(volume: KubeObject): void {
  volume['status'] = { phase: 'Pending', lastPhaseTransitionTime: formatTime(Date.now()) };
}

export function prepareVolumeStatus(volume: KubeObject, old: KubeObject): void {
  const [status, before] = [(volume['status'] ??= {}), old['status'] ?? {}];
  const at = status.lastPhaseTransitionTime;
  if (status.phase === before.phase) {
    if (!at && before.lastPhaseTransitionTime) status.lastPhaseTransitionTime = before.lastPhaseTransitionTime;
  } else if (!at || at === before.lastPhaseTransitionTime) {
    status.lastPhaseTransitionTime = formatTime(Date.now());
  }
}
