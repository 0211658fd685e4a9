import type { Pod, PodSpec } from '../../generated/core-v1.ts';
import { MIRROR_ANNOTATION } from '../../pods/mirror-pod.ts';
import type { Findings } from '../findings.ts';
import { validateLocalPath } from '../volumes/volumes.ts';

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/';
const APP_ARMOR = 'container.apparmor.security.beta.kubernetes.io/';

type Annotations = Record<string, string> | undefined;

/** Annotations with a meaning for pods. Source: ValidatePodSpecificAnnotations of pkg/apis/core/validation. */
export function validatePodAnnotations(
  annotations: Annotations,
  spec: PodSpec,
  path: string,
  findings: Findings,
): void {
  if (annotations === undefined) return;
  const mirror = annotations[MIRROR_ANNOTATION];
  if (mirror !== undefined && !spec.nodeName) {
    const detail = 'must set spec.nodeName if mirror pod annotation is set';
    findings.invalid(`${path}[${MIRROR_ANNOTATION}]`, mirror, detail);
  }
  const cost = annotations[DELETION_COST];
  if (cost !== undefined && !isInt32(cost)) {
    findings.invalid(`${path}[${DELETION_COST}]`, cost, 'must be a 32bit integer');
  }
  let containers: Set<string> | undefined;
  for (const key in annotations) {
    const value = annotations[key]!;
    if (key === SECCOMP_POD || key.startsWith(SECCOMP_CONTAINER)) validateSeccomp(value, `${path}.${key}`, findings);
    if (!key.startsWith(APP_ARMOR)) continue;
    const container = key.slice(APP_ARMOR.length);
    containers ??= new Set(containersOf(spec, '').map(({ one }) => one.name));
    if (!containers.has(container)) {
      findings.invalid(`${path}[${key}]`, container, 'container not found');
    }
    if (value !== '' && value !== 'runtime/default' && value !== 'unconfined' && !value.startsWith('localhost/')) {
      findings.invalid(`${path}[${key}]`, value, `invalid AppArmor profile name: ${JSON.stringify(value)}`);
    }
  }
}

/** No plus sign and no zeros in front. */
function isInt32(text: string): boolean {
  if (!/^(0|-\d+|[1-9]\d*)$/.test(text)) return false;
  return Number(text) >= -(2 ** 31) && Number(text) < 2 ** 31;
}

function validateSeccomp(profile: string, path: string, findings: Findings): void {
  if (['runtime/default', 'docker/default', 'unconfined'].includes(profile)) return;
  if (profile.startsWith('localhost/')) validateLocalPath(profile.slice('localhost/'.length), path, findings);
  else findings.invalid(path, profile, 'must be a valid seccomp profile');
}

const containerLists = ['initContainers', 'containers', 'ephemeralContainers'] as const;

function containersOf(spec: PodSpec, path: string) {
  const found: { one: NonNullable<PodSpec['containers']>[number]; at: string }[] = [];
  for (const list of containerLists) {
    for (const [index, one] of spec[list]?.entries() ?? []) found.push({ one, at: `${path}.${list}[${index}]` });
  }
  return found;
}

interface Profile {
  type: string;
  localhostProfile?: string;
}

/** Where an annotation and a field say the same, they agree; on create and in templates. */
export function validateProfilesMatch(annotations: Annotations, spec: PodSpec, path: string, findings: Findings): void {
  if (annotations === undefined) return;
  const seccomp = spec.securityContext?.seccompProfile;
  if (seccomp) validateMatch('seccomp', annotations[SECCOMP_POD], seccomp, `${path}.securityContext`, findings);
  const appArmor = spec.securityContext?.appArmorProfile;
  const containers = containersOf(spec, path);
  for (const { one, at } of containers) {
    const context = `${at}.securityContext`;
    const own = one.securityContext?.seccompProfile;
    if (own) validateMatch('seccomp', annotations[`${SECCOMP_CONTAINER}${one.name}`], own, context, findings);
  }
  if (spec.os?.name === 'windows') return;
  for (const { one, at } of containers) {
    const profile = one.securityContext?.appArmorProfile ?? appArmor;
    const annotation = annotations[`${APP_ARMOR}${one.name}`];
    if (profile) validateMatch('apparmor', annotation, profile, `${at}.securityContext`, findings);
  }
}

function validateMatch(
  kind: 'seccomp' | 'apparmor',
  annotation: string | undefined,
  { type, localhostProfile }: Profile,
  context: string,
  findings: Findings,
): void {
  if (annotation === undefined) return;
  const path = `${context}.${kind === 'seccomp' ? 'seccompProfile' : 'appArmorProfile'}`;
  const isDefault = annotation === 'runtime/default' || (kind === 'seccomp' && annotation === 'docker/default');
  const same =
    (type !== 'Unconfined' || annotation === 'unconfined') &&
    (type !== 'RuntimeDefault' || isDefault) &&
    (type !== 'Localhost' || annotation.startsWith('localhost/'));
  if (!same) findings.forbidden(`${path}.type`, `${kind} type in annotation and field must match`);
  else if (type === 'Localhost' && annotation !== `localhost/${localhostProfile ?? ''}`) {
    findings.forbidden(`${path}.localhostProfile`, `${kind} profile in annotation and field must match`);
  }
}

/** Some say what the pod is: they stay. */
export function validatePodAnnotationsUpdate(pod: Pod, old: Pod, findings: Findings): void {
  const [after, before] = [pod.metadata.annotations ?? {}, old.metadata.annotations ?? {}];
  const path = 'metadata.annotations';
  for (const key in before) {
    if (after[key] === before[key]) continue;
    if (key.startsWith(APP_ARMOR)) {
      findings.forbidden(`${path}[${key}]`, 'may not remove or update AppArmor annotations');
    }
    if (key === MIRROR_ANNOTATION)
      findings.forbidden(`${path}[${key}]`, 'may not remove or update mirror pod annotation');
  }
  for (const key in after) {
    if (key in before) continue;
    if (key.startsWith(APP_ARMOR)) findings.forbidden(`${path}[${key}]`, 'may not add AppArmor annotations');
    if (key === MIRROR_ANNOTATION) findings.forbidden(`${path}[${key}]`, 'may not add mirror pod annotation');
  }
}
