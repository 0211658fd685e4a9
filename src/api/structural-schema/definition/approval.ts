import type { CustomResourceDefinition } from '../../generated/apiextensions-v1.ts';
import type { Findings } from '../../validation/findings.ts';

const APPROVAL_ANNOTATION = 'api-approved.kubernetes.io';

export interface Approval {
  state: 'Missing' | 'Bypassed' | 'Approved' | 'Invalid';
  reason: string;
}

/** Groups of Kubernetes' own community want a sign that someone there agreed. */
export const isProtectedGroup = (group: string): boolean => /(^|\.)(k8s|kubernetes)\.io$/.test(group);

/** What the annotation says. Source: apiextensions' apihelpers. */
export function approvalOf(annotations: Record<string, string> | undefined): Approval {
  const annotation = annotations?.[APPROVAL_ANNOTATION] ?? '';
  const enhancement = 'see https://github.com/kubernetes/enhancements/pull/1111';
  const must = `protected groups must have approval annotation ${JSON.stringify(APPROVAL_ANNOTATION)}`;
  if (annotation === '') return { state: 'Missing', reason: `${must}, ${enhancement}` };
  if (annotation.startsWith('unapproved')) {
    return { state: 'Bypassed', reason: `not approved: ${JSON.stringify(annotation)}` };
  }
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/?#]+/i.test(annotation) && URL.canParse(annotation)) {
    return { state: 'Approved', reason: `approved in ${annotation}` };
  }
  return {
    state: 'Invalid',
    reason: `${must} with either a URL or a reason starting with "unapproved", ${enhancement}`,
  };
}

export function validateApproval(
  crd: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
  findings: Findings,
): void {
  if (!isProtectedGroup(crd.spec.group ?? '')) return;
  const { state, reason } = approvalOf(crd.metadata.annotations);
  if (old !== undefined && approvalOf(old.metadata.annotations).state === state) return;
  const path = `metadata.annotations[${APPROVAL_ANNOTATION}]`;
  if (state === 'Missing') findings.required(path, reason);
  if (state === 'Invalid') findings.invalid(path, crd.metadata.annotations![APPROVAL_ANNOTATION], reason);
}
