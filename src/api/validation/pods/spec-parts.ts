import { own } from '../../../base/table.ts';
import type { PodSpec } from '../../generated/core-v1.ts';
import type { LabelSelector } from '../../generated/meta-v1.ts';
import { isDns1123Subdomain, isQualifiedName } from '../../names.ts';
import { podResourceList } from '../../pods/pod-resource-lists.ts';
import { compareQuantities } from '../../quantity.ts';
import type { Findings } from '../findings.ts';
import { validateUsedClaims } from './claims.ts';
import { validatePodResourceRequirements, validateResourceRequirements } from './resources.ts';
import { validateHostProcesses, validateHostUsers, validateOperatingSystem } from './windows.ts';

/** What else a pod's spec says of itself. Source: ValidatePodSpec's smaller parts. */
export function validatePodParts(spec: PodSpec, path: string, findings: Findings): void {
  validateOperatingSystem(spec, path, findings);
  validateHostProcesses(spec, path, findings);
  validateHostUsers(spec, path, findings);
  spec.readinessGates?.forEach(({ conditionType = '' }, index) => {
    findings.invalidEach(
      `${path}.readinessGates[${index}].conditionType`,
      conditionType,
      isQualifiedName(conditionType),
    );
  });
  validateHostnameOverride(spec, path, findings);
  if (spec.overhead !== undefined)
    validateResourceRequirements({ limits: spec.overhead }, `${path}.overhead`, findings);
  validateFileKeyVolumes(spec, path, findings);
  if (spec.resources !== undefined) validatePodResources(spec, `${path}.resources`, findings);
}

function validateHostnameOverride(spec: PodSpec, path: string, findings: Findings): void {
  const { hostnameOverride } = spec;
  if (hostnameOverride === undefined) return;
  const at = `${path}.hostnameOverride`;
  if (spec.setHostnameAsFQDN === true) {
    findings.forbidden(at, 'may not be specified when setHostnameAsFQDN is true');
  }
  if (spec.hostNetwork === true) findings.forbidden(at, 'may not be specified when hostNetwork is true');
  if (hostnameOverride.length > 64) findings.tooLong(at, 64);
  findings.invalidEach(at, hostnameOverride, isDns1123Subdomain(hostnameOverride));
}

/** Variables that a container reads from a file of another's come by an emptyDir. */
function validateFileKeyVolumes(spec: PodSpec, path: string, findings: Findings): void {
  const volumes = new Map(spec.volumes?.map((volume) => [volume.name, volume]));
  for (const list of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    spec[list]?.forEach(({ env }, index) => {
      env?.forEach(({ valueFrom }, i) => {
        if (valueFrom?.fileKeyRef === undefined) return;
        const at = `${path}.${list}[${index}].env[${i}].valueFrom.fileKeyRef.volumeName`;
        const name = valueFrom.fileKeyRef.volumeName ?? '';
        const volume = volumes.get(name);
        if (volume === undefined) findings.notFound(at, name);
        else if (volume.emptyDir === undefined) {
          findings.invalid(at, name, 'referenced volume must be of type emptyDir');
        }
      });
    });
  }
}

/** What the pod as a whole may use covers what its containers ask for. */
function validatePodResources(spec: PodSpec, path: string, findings: Findings): void {
  const resources = spec.resources!;
  if (spec.os?.name === 'windows') {
    findings.forbidden(path, 'may not be set for a windows pod');
    return;
  }
  if (resources.claims !== undefined) {
    findings.forbidden(`${path}.claims`, 'claims may not be set for Resources at pod-level');
  }
  validatePodResourceRequirements(resources, path, findings);
  validateUsedClaims(resources.claims, spec.resourceClaims, `${path}.claims`, findings);
  const { resources: _own, ...alone } = spec;
  const options = { withoutOverhead: true };
  const requests = podResourceList({ spec: alone }, 'requests', options);
  for (const name in requests) {
    const whole = own(resources.requests, name);
    if (whole === undefined || compareQuantities(requests[name]!, whole) <= 0) continue;
    findings.invalid(
      `${path}.requests[${name}]`,
      whole,
      `must be greater than or equal to aggregate container requests of ${requests[name]}`,
    );
  }
  const limits = podResourceList({ spec: alone }, 'limits', options);
  for (const name in limits) {
    const whole = own(resources.limits, name);
    if (!name.startsWith('hugepages-') || whole === undefined) continue;
    if (compareQuantities(limits[name]!, whole) <= 0) continue;
    findings.invalid(
      `${path}.limits[${name}]`,
      whole,
      `must be greater than or equal to aggregate container limits of ${limits[name]}`,
    );
  }
  spec.containers?.forEach((container, index) => {
    const limited = container.resources?.limits ?? {};
    for (const name in limited) {
      const whole = own(resources.limits, name);
      if (whole === undefined || compareQuantities(limited[name]!, whole) <= 0) continue;
      findings.invalid(
        `${path}.containers[${index}][${name}].limits`,
        limited[name],
        `must be less than or equal to pod limits of ${whole}`,
      );
    }
  });
}

/** matchLabelKeys and their opposites: keys that go into the selector when the pod is made. */
export function validateLabelKeys(
  keys: string[] | undefined,
  selector: LabelSelector | undefined | null,
  path: string,
  findings: Findings,
): void {
  if (!keys?.length) return;
  if (selector === undefined || selector === null) {
    findings.forbidden(path, 'must not be specified when labelSelector is not set');
    return;
  }
  keys.forEach((key, index) => {
    findings.invalidEach(`${path}[${index}]`, key, isQualifiedName(key));
  });
}
