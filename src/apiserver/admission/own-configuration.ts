import type { ResourceDefinition } from '../../api/resource-definition.ts';

export const ADMISSION_GROUP = 'admissionregistration.k8s.io';

const resources = new Set([
  'mutatingwebhookconfigurations',
  'validatingwebhookconfigurations',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
]);

/** What decides about requests is not asked about itself: nobody could get out of a bad configuration again. */
export function isAdmissionConfiguration({ group, resource }: ResourceDefinition): boolean {
  return group === ADMISSION_GROUP && resources.has(resource);
}
