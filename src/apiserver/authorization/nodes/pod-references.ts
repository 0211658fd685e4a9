import type { KubeObject } from '../../../api/object.ts';
import { isMirrorPod } from '../../../api/pods/mirror-pod.ts';
import { configMapsOf, secretsOf } from '../../../api/pods/pod-secrets.ts';

export type Referenced = 'secrets' | 'configmaps' | 'persistentvolumeclaims' | 'resourceclaims' | 'serviceaccounts';

/** Whether a pod cannot run without an object of its namespace. Source: AddPod of upstream's node authorizer. */
export function podRefersTo(pod: KubeObject, what: Referenced, name: string): boolean {
  // It can name nothing, since its node wrote it.
  if (isMirrorPod(pod)) return false;
  const { spec, status } = pod as any;
  switch (what) {
    case 'secrets':
      return secretsOf(pod as any).has(name);
    case 'configmaps':
      return configMapsOf(pod as any).has(name);
    case 'serviceaccounts':
      return spec?.serviceAccountName === name;
    case 'persistentvolumeclaims':
      return (spec?.volumes ?? []).some(
        (volume: any) =>
          volume.persistentVolumeClaim?.claimName === name ||
          (volume.ephemeral != null && `${pod.metadata.name}-${volume.name}` === name),
      );
    case 'resourceclaims':
      return (
        (spec?.resourceClaims ?? []).some((claim: any) => claim.resourceClaimName === name) ||
        (status?.resourceClaimStatuses ?? []).some((claim: any) => claim.resourceClaimName === name) ||
        status?.extendedResourceClaimStatus?.resourceClaimName === name
      );
  }
}

/**
 * The secrets by which a node attaches a volume, as `namespace/name`; those that controllers alone need are not among
 * them. Source: VisitPVSecretNames of pkg/api/v1/persistentvolume.
 */
export function* nodeSecretsOfVolume({ spec }: KubeObject & { spec?: any }): Generator<string> {
  const claimNamespace: string = spec?.claimRef?.namespace ?? '';
  const azure = spec?.azureFile;
  if (azure?.secretName) yield `${azure.secretNamespace || claimNamespace}/${azure.secretName}`;
  for (const source of ['cephfs', 'cinder', 'flexVolume', 'rbd', 'scaleIO', 'iscsi', 'storageos']) {
    const reference = spec?.[source]?.secretRef;
    if (reference?.name) yield `${reference.namespace || claimNamespace}/${reference.name}`;
  }
  for (const field of ['nodePublishSecretRef', 'nodeStageSecretRef', 'nodeExpandSecretRef']) {
    const reference = spec?.csi?.[field];
    if (reference?.name) yield `${reference.namespace}/${reference.name}`;
  }
}
