import type { Container } from '../../../api/generated/core-v1.ts';
import { isSeccompAllowed, seccompProfile } from './baseline.ts';
import { type Check, containersNamed, containersOf, namesOf, quoted, setters, sorted } from './containers.ts';

/** The rules that `restricted` adds or hardens. Source: pod-security-admission's policy/, one function a check there. */
export const allowPrivilegeEscalation: Check = (pod) => {
  const names = namesOf(pod, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (names.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${containersNamed(names)} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

export const capabilitiesDropped: Check = (pod) => {
  const keeps = namesOf(pod, ({ securityContext }) => !(securityContext?.capabilities?.drop ?? []).includes('ALL'));
  const added = ({ securityContext }: Container) =>
    (securityContext?.capabilities?.add ?? []).filter((name) => name !== 'NET_BIND_SERVICE');
  const adds = namesOf(pod, (container) => added(container).length > 0);
  const details: string[] = [];
  if (keeps.length > 0) details.push(`${containersNamed(keeps)} must set securityContext.capabilities.drop=["ALL"]`);
  if (adds.length > 0) {
    const bad = sorted(containersOf(pod).flatMap(added));
    details.push(`${containersNamed(adds)} must not include ${quoted(bad)} in securityContext.capabilities.add`);
  }
  return details.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: details.join('; ') };
};

const freeVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];
/** In the order in which upstream looks for them. */
const knownVolumes = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'gitRepo',
  'nfs',
  'iscsi',
  'glusterfs',
  'rbd',
  'flexVolume',
  'cinder',
  'cephfs',
  'flocker',
  'fc',
  'azureFile',
  'vsphereVolume',
  'quobyte',
  'azureDisk',
  'photonPersistentDisk',
  'portworxVolume',
  'scaleIO',
  'storageos',
];

export const volumeTypes: Check = ({ spec }) => {
  const has = (volume: object, field: string) => (volume as Record<string, unknown>)[field] !== undefined;
  const bad = (spec.volumes ?? []).filter((volume) => !freeVolumes.some((field) => has(volume, field)));
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map((volume) => knownVolumes.find((field) => has(volume, field)) ?? 'unknown'));
  const names = quoted(bad.map(({ name }) => name));
  return {
    reason: 'restricted volume types',
    detail: `${bad.length === 1 ? 'volume' : 'volumes'} ${names} ${bad.length === 1 ? 'uses' : 'use'} ${types.length === 1 ? 'restricted volume type' : 'restricted volume types'} ${quoted(types)}`,
  };
};

export const runAsNonRoot: Check = (pod) => {
  const podValue = pod.spec.securityContext?.runAsNonRoot;
  const explicit = namesOf(pod, ({ securityContext }) => securityContext?.runAsNonRoot === false);
  if (podValue === false || explicit.length > 0) {
    const who = setters(podValue === false, explicit);
    return { reason: 'runAsNonRoot != true', detail: `${who} must not set securityContext.runAsNonRoot=false` };
  }
  const implicit =
    podValue === true ? [] : namesOf(pod, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  if (implicit.length === 0) return undefined;
  return {
    reason: 'runAsNonRoot != true',
    detail: `pod or ${containersNamed(implicit)} must set securityContext.runAsNonRoot=true`,
  };
};

export const runAsUser: Check = (pod) => {
  const podHas = pod.spec.securityContext?.runAsUser === 0;
  const names = namesOf(pod, ({ securityContext }) => securityContext?.runAsUser === 0);
  if (!podHas && names.length === 0) return undefined;
  return { reason: 'runAsUser=0', detail: `${setters(podHas, names)} must not set runAsUser=0` };
};

export const seccompRequired: Check = (pod) => {
  const violation = seccompProfile(pod);
  if (violation !== undefined) return violation;
  const podProfile = pod.spec.securityContext?.seccompProfile;
  if (podProfile !== undefined && isSeccompAllowed(podProfile.type)) return undefined;
  const names = namesOf(pod, ({ securityContext }) => securityContext?.seccompProfile === undefined);
  if (names.length === 0) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `pod or ${containersNamed(names)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
};

/** These mean nothing to Windows, and its pods may not even set them. */
export const unlessWindows =
  (check: Check): Check =>
  (pod) =>
    pod.spec.os?.name === 'windows' ? undefined : check(pod);
