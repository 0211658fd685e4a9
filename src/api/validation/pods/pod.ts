import type { Steps } from '../../../base/steps.ts';
import { semanticEqual } from '../../equality.ts';
import type { Pod, PodSpec, Toleration } from '../../generated/core-v1.ts';
import { inclusiveRange, isDns1123Subdomain } from '../../names.ts';
import type { Findings } from '../findings.ts';
import { validatePodAnnotations, validatePodAnnotationsUpdate, validateProfilesMatch } from './annotations.ts';
import { tolerationText, validateTolerations } from './scheduling.ts';
import { validatePodSpec } from './spec.ts';

const LARGEST_INT32 = 2_147_483_647;

export function* validatePodCommon(pod: Pod, findings: Findings): Steps<void> {
  validatePodAnnotations(pod.metadata.annotations, pod.spec, 'metadata.annotations', findings);
  yield* validatePodSpec(pod.spec, 'spec', findings, true);
  yield;
  pod.spec.volumes?.forEach(({ name, ephemeral }, index) => {
    if (ephemeral === undefined || !name || !pod.metadata.name) return;
    const claim = `${pod.metadata.name}-${name}`;
    for (const wrong of isDns1123Subdomain(claim)) {
      findings.invalid(`spec.volumes[${index}].name`, name, `PVC name ${JSON.stringify(claim)}: ${wrong}`);
    }
  });
  const { spec } = pod;
  if (!spec.serviceAccountName) {
    spec.volumes?.forEach((volume, index) => {
      volume.projected?.sources?.forEach((source, i) => {
        if (source.serviceAccountToken !== undefined) {
          findings.forbidden(
            `spec.volumes[${index}].projected.sources[${i}].serviceAccountToken`,
            'must not be specified when serviceAccountName is not set',
          );
        }
      });
    });
  }
  for (const list of ['containers', 'initContainers'] as const) {
    spec[list]?.forEach(({ image }, index) => {
      if (image !== undefined && image !== image.trim()) {
        findings.invalid(`spec.${list}[${index}].image`, image, 'must not have leading or trailing whitespace');
      }
    });
  }
}

export function* validatePodCreate(pod: Pod, findings: Findings): Steps<void> {
  yield* validatePodCommon(pod, findings);
  validateProfilesMatch(pod.metadata.annotations, pod.spec, 'spec', findings);
  if (pod.spec.ephemeralContainers?.length) findings.forbidden('spec.ephemeralContainers', 'cannot be set on create');
  if (pod.spec.nodeName && pod.spec.schedulingGates?.length) {
    findings.forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared');
  }
}

/** Source: ValidatePodUpdate; everything but a handful of fields is fixed once a pod exists. */
export function* validatePodUpdate(pod: Pod, old: Pod, findings: Findings): Steps<void> {
  yield* validatePodCommon(pod, findings);
  yield;
  validatePodAnnotationsUpdate(pod, old, findings);
  for (const list of ['containers', 'initContainers'] as const) {
    if ((pod.spec[list]?.length ?? 0) !== (old.spec[list]?.length ?? 0)) {
      findings.forbidden(`spec.${list}`, 'pod updates may not add or remove containers');
      return;
    }
    // Told twice upstream.
    pod.spec[list]?.forEach(({ image = '' }, index) => {
      const path = `spec.${list}[${index}].image`;
      if (image === '') findings.required(path);
      if (image.trim() !== image) findings.invalid(path, image, 'must not have leading or trailing whitespace');
    });
  }
  if (!validateDeadlineUpdate(pod.spec, old.spec, findings)) return;
  validateTolerationUpdate(pod.spec, old.spec, findings);
  validateSteering(pod.spec, old.spec, findings);
  validateGateUpdate(pod.spec, old.spec, findings);
  const munged = withUpdatableFieldsOf(old.spec, pod.spec);
  if (!semanticEqual(munged, old.spec)) {
    findings.forbidden(
      'spec',
      `pod updates may not change fields other than ${updatable.join(',')}\n${difference(old.spec, munged)}`,
    );
  }
}

const updatable = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
];

function withUpdatableFieldsOf(old: PodSpec, spec: PodSpec): PodSpec {
  const withImages = (list: 'containers' | 'initContainers') =>
    spec[list]?.map((container, index) => ({ ...container, image: old[list]![index]!.image }));
  const munged: PodSpec = {
    ...spec,
    containers: withImages('containers')!,
    initContainers: withImages('initContainers'),
    activeDeadlineSeconds: old.activeDeadlineSeconds,
    schedulingGates: old.schedulingGates,
    tolerations: old.tolerations,
  };
  if ((old.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1) {
    munged.terminationGracePeriodSeconds = old.terminationGracePeriodSeconds;
  }
  // A pod that still waits at a gate may be steered to fewer nodes.
  if (old.schedulingGates?.length) {
    munged.nodeSelector = old.nodeSelector;
    if (spec.affinity !== undefined || old.affinity !== undefined) {
      munged.affinity = { ...spec.affinity, nodeAffinity: old.affinity?.nodeAffinity };
    }
  }
  return munged;
}

/** False: what comes after would only repeat it. */
function validateDeadlineUpdate(spec: PodSpec, old: PodSpec, findings: Findings): boolean {
  const path = 'spec.activeDeadlineSeconds';
  const deadline = spec.activeDeadlineSeconds;
  if (deadline === undefined) {
    if (old.activeDeadlineSeconds !== undefined) {
      findings.invalid(path, deadline, 'must not update from a positive integer to nil value');
    }
    return true;
  }
  if (deadline < 0 || deadline > LARGEST_INT32) {
    findings.invalid(path, deadline, inclusiveRange(0, LARGEST_INT32));
    return false;
  }
  if (old.activeDeadlineSeconds !== undefined && old.activeDeadlineSeconds < deadline) {
    findings.invalid(path, deadline, 'must be less than or equal to previous value');
    return false;
  }
  return true;
}

function validateTolerationUpdate(spec: PodSpec, old: PodSpec, findings: Findings): void {
  const withoutSeconds = ({ tolerationSeconds: _, ...rest }: Toleration) => tolerationText(rest);
  const now = new Set(spec.tolerations?.map(withoutSeconds));
  const kept = (old.tolerations ?? []).every((toleration) => now.has(withoutSeconds(toleration)));
  if (!kept) {
    findings.forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds');
  } else if (spec.tolerations !== old.tolerations && !semanticEqual(spec.tolerations, old.tolerations)) {
    validateTolerations(spec.tolerations, 'spec.tolerations', findings);
  }
}

function validateGateUpdate(spec: PodSpec, old: PodSpec, findings: Findings): void {
  const known = new Set(old.schedulingGates?.map((gate) => gate.name));
  spec.schedulingGates?.forEach(({ name }, index) => {
    if (!known.has(name)) {
      findings.forbidden(
        `spec.schedulingGates[${index}].name`,
        `only deletion is allowed, but found new scheduling gate '${name}'`,
      );
    }
  });
}

/** A pod at a gate may be sent to fewer nodes, never to others. */
function validateSteering(spec: PodSpec, old: PodSpec, findings: Findings): void {
  if (!old.schedulingGates?.length) return;
  const changed = Object.entries(old.nodeSelector ?? {}).some(([key, value]) => spec.nodeSelector?.[key] !== value);
  if (changed) {
    findings.invalid(
      'spec.nodeSelector',
      spec.nodeSelector,
      'only additions to spec.nodeSelector are allowed (no mutations or deletions)',
    );
  }
  const required = 'requiredDuringSchedulingIgnoredDuringExecution';
  const oldTerms = old.affinity?.nodeAffinity?.[required]?.nodeSelectorTerms ?? [];
  if (oldTerms.length === 0) return;
  const terms = spec.affinity?.nodeAffinity?.[required]?.nodeSelectorTerms ?? [];
  const path = `spec.affinity.nodeAffinity.${required}.nodeSelectorTerms`;
  if (terms.length !== oldTerms.length) {
    findings.invalid(path, terms, 'no additions/deletions to non-empty NodeSelectorTerms list are allowed');
    return;
  }
  const startsWith = (list: unknown[] | undefined, before: unknown[] | undefined) =>
    semanticEqual((list ?? []).slice(0, before?.length ?? 0), before ?? []);
  terms.forEach((term, index) => {
    const before = oldTerms[index]!;
    const wasEmpty = !before.matchExpressions?.length && !before.matchFields?.length;
    const isEmpty = !term.matchExpressions?.length && !term.matchFields?.length;
    const isNarrower =
      startsWith(term.matchExpressions, before.matchExpressions) && startsWith(term.matchFields, before.matchFields);
    if ((wasEmpty && !isEmpty) || !isNarrower) {
      findings.invalid(`${path}[${index}]`, term, 'only additions are allowed (no mutations or deletions)');
    }
  });
}

/** The fields that differ, old and new, one a line: enough to see what was tried. */
function difference(old: PodSpec, spec: PodSpec): string {
  const lines: string[] = [];
  for (const field of new Set([...Object.keys(old), ...Object.keys(spec)]) as Set<keyof PodSpec>) {
    if (semanticEqual(old[field], spec[field])) continue;
    lines.push(`- \t${field}: ${JSON.stringify(old[field])}`, `+ \t${field}: ${JSON.stringify(spec[field])}`);
  }
  return `${lines.join('\n')}\n`;
}
