import type { RuntimeClass } from '../generated/node-v1.ts';
import { isDns1123Label } from '../names.ts';
import type { Findings } from './findings.ts';
import { validateImmutable, validateLabels } from './metadata.ts';
import { validateResourceRequirements } from './pods/resources.ts';
import { tolerationText, validateTolerations } from './pods/scheduling.ts';

/** Source: pkg/apis/node/validation. */
export function validateRuntimeClass({ handler, overhead, scheduling }: RuntimeClass, findings: Findings): void {
  if (!handler) findings.required('handler');
  else findings.invalidEach('handler', handler, isDns1123Label(handler));
  // Upstream checks them as if they were limits.
  if (overhead?.podFixed !== undefined) {
    validateResourceRequirements({ limits: overhead.podFixed }, 'overhead', findings);
  }
  if (scheduling === undefined) return;
  validateLabels(scheduling.nodeSelector, 'scheduling.nodeSelector', findings);
  const tolerations = scheduling.tolerations ?? [];
  validateTolerations(tolerations, 'scheduling.tolerations', findings);
  const seen = new Set<string>();
  tolerations.forEach((toleration, index) => {
    const text = tolerationText(toleration);
    if (seen.has(text)) findings.duplicate(`scheduling.tolerations[${index}]`, toleration);
    seen.add(text);
  });
}

export function validateRuntimeClassUpdate(runtimeClass: RuntimeClass, old: RuntimeClass, findings: Findings): void {
  validateRuntimeClass(runtimeClass, findings);
  validateImmutable(runtimeClass.handler ?? '', old.handler, 'handler', findings);
}
