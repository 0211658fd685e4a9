import { type FieldSet, setOf } from '../../../api/managed-fields/index.ts';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';

/**
 * Fields that an endpoint puts back to their old state, so that nobody comes to own them there. One set for all kinds
 * that are alike: sets are keys of caches. Source: the strategies' GetResetFields.
 */
const nothing = setOf();
const status = setOf(['f:status']);
const spec = setOf(['f:spec']);
const specAndMetadata = setOf(['f:spec'], ['f:metadata']);

/** By `resource.group/subresource`, where a kind differs from its like. */
const exceptions: Record<string, FieldSet> = {
  'certificatesigningrequests.certificates.k8s.io/': setOf(['f:spec'], ['f:status']),
  'certificatesigningrequests.certificates.k8s.io/status': setOf(['f:spec'], ['f:status', 'f:conditions']),
  'certificatesigningrequests.certificates.k8s.io/approval': setOf(['f:spec'], ['f:status', 'f:certificate']),
  'deployments.apps/status': setOf(['f:spec'], ['f:metadata', 'f:labels']),
  'pods/status': setOf(['f:spec'], ['f:metadata', 'f:deletionTimestamp'], ['f:metadata', 'f:ownerReferences']),
  'pods/ephemeralcontainers': nothing,
  'pods/resize': nothing,
};

/** Their status takes no change of metadata. Custom resources are alike. */
const metadataKept = new Set([
  'apiservices.apiregistration.k8s.io',
  'flowschemas.flowcontrol.apiserver.k8s.io',
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
  'resourceclaims.resource.k8s.io',
  'servicecidrs.networking.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
  'volumeattachments.storage.k8s.io',
]);

const qualified = ({ resource, group }: ResourceDefinition) => (group === '' ? resource : `${resource}.${group}`);

export function resetFieldsOf(definition: ResourceDefinition, subresource: string): FieldSet {
  const name = qualified(definition);
  const exception = exceptions[`${name}/${subresource}`];
  if (exception !== undefined) return exception;
  if (subresource !== 'status') {
    return definition.subresources.some((candidate) => candidate.name === 'status') ? status : nothing;
  }
  const isCustom = !definition.schema.name.startsWith('io.k8s.');
  return isCustom || metadataKept.has(name) ? specAndMetadata : spec;
}
