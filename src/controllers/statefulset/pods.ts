import type { StatefulSet } from '../../api/generated/apps-v1.ts';
import type { PersistentVolumeClaim, Pod, PodTemplateSpec } from '../../api/generated/core-v1.ts';
import type { Draft } from '../../api/object.ts';
import { controllerReference } from '../common/owner.ts';
import { podFromTemplate } from '../common/pod-template.ts';

const REVISION_LABEL = 'controller-revision-hash';
const POD_NAME = 'statefulset.kubernetes.io/pod-name';
const POD_INDEX = 'apps.kubernetes.io/pod-index';

/** The number at the end of `name-3`; undefined when the pod is not one of the set's by name. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const match = /^(.*)-(\d+)$/.exec(pod.metadata.name);
  return match !== null && match[1] === set.metadata.name ? Number(match[2]) : undefined;
}

export const startOrdinal = (set: StatefulSet): number => set.spec.ordinals?.start ?? 0;
export const replicasOf = (set: StatefulSet): number => set.spec.replicas ?? 1;
export const podRevision = (pod: Pod): string => pod.metadata.labels?.[REVISION_LABEL] ?? '';
const claimName = (set: StatefulSet, template: PersistentVolumeClaim, ordinal: number): string =>
  `${template.metadata.name}-${set.metadata.name}-${ordinal}`;

/** The set's pod of one ordinal, of a revision's template. */
export function podOfOrdinal(
  set: StatefulSet,
  template: PodTemplateSpec,
  revision: string,
  ordinal: number,
): Draft<Pod> {
  const name = `${set.metadata.name}-${ordinal}`;
  const pod = podFromTemplate(template, set, controllerReference(set, 'apps/v1', 'StatefulSet'));
  const { generateName: _, ...metadata } = pod.metadata;
  const claims = (set.spec.volumeClaimTemplates ?? []).map((claim) => ({
    name: claim.metadata.name,
    persistentVolumeClaim: { claimName: claimName(set, claim, ordinal) },
  }));
  const claimed = new Set(claims.map((volume) => volume.name));
  const volumes = [
    ...claims,
    ...(pod.spec!.volumes ?? []).filter((volume: { name: string }) => !claimed.has(volume.name)),
  ];
  return {
    ...pod,
    metadata: {
      ...metadata,
      name,
      namespace: set.metadata.namespace!,
      labels: { ...metadata.labels, [REVISION_LABEL]: revision, [POD_NAME]: name, [POD_INDEX]: String(ordinal) },
    },
    spec: {
      ...pod.spec!,
      hostname: name,
      ...((set.spec.serviceName ?? '') !== '' && { subdomain: set.spec.serviceName! }),
      ...(volumes.length > 0 && { volumes }),
    },
  };
}

/** The claims a pod needs, by the set's volumeClaimTemplates. */
export function claimsOfOrdinal(set: StatefulSet, ordinal: number): Draft<PersistentVolumeClaim>[] {
  return (set.spec.volumeClaimTemplates ?? []).map((template) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: claimName(set, template, ordinal),
      namespace: set.metadata.namespace!,
      labels: { ...template.metadata.labels, ...set.spec.selector?.matchLabels },
      ...(template.metadata.annotations !== undefined && { annotations: template.metadata.annotations }),
    },
    ...(template['spec'] !== undefined && { spec: template['spec'] }),
  }));
}

/** Whether the label that names the pod is in place; it may be lost by an edit or an adoption. */
export const hasIdentity = (pod: Pod): boolean => pod.metadata.labels?.[POD_NAME] === pod.metadata.name;

export const identityLabels = (pod: Pod, ordinal: number): Record<string, string> => ({
  [POD_NAME]: pod.metadata.name,
  [POD_INDEX]: String(ordinal),
});
