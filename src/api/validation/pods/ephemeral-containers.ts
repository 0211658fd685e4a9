import { runAtOnce } from '../../../base/steps.ts';
import { semanticEqual } from '../../equality.ts';
import type { Pod } from '../../generated/core-v1.ts';
import { isMirrorPod } from '../../pods/mirror-pod.ts';
import type { Findings } from '../findings.ts';
import { validatePodCommon } from './pod.ts';

/**
 * Writes to a pod's `ephemeralcontainers` only add some: what runs in a pod stays what it was. Source:
 * ValidatePodEphemeralContainersUpdate.
 */
export function validatePodEphemeralContainers(pod: Pod, old: Pod, findings: Findings): void {
  if (isMirrorPod(old)) {
    findings.forbidden('', 'static pods do not support ephemeral containers');
    return;
  }
  runAtOnce(validatePodCommon(pod, findings));
  const wanted = new Map(pod.spec.ephemeralContainers?.map((container) => [container.name, container]));
  for (const container of old.spec.ephemeralContainers ?? []) {
    const next = wanted.get(container.name);
    const existing = `existing ephemeral containers ${JSON.stringify(container.name)}`;
    if (next === undefined) findings.forbidden('spec.ephemeralContainers', `${existing} may not be removed\n`);
    else if (!semanticEqual(next, container)) {
      findings.forbidden('spec.ephemeralContainers', `${existing} may not be changed\n`);
    }
  }
}
