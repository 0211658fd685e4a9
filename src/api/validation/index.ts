import type { KubeObject } from '../object.ts';
import type { ResourceDefinition } from '../resource-definition.ts';
import type { FieldError } from '../status.ts';
import { Findings } from './findings.ts';
import { validateMetadata, validateMetadataUpdate } from './metadata.ts';
import { validateRequired } from './required.ts';

/** Kinds whose own validation covers every required field; the others are also held to their schema. */
const covered = new Set([
  'apiextensions.k8s.io/customresourcedefinitions',
  '/pods',
  '/events',
  '/limitranges',
  '/resourcequotas',
  '/nodes',
  '/persistentvolumes',
  'discovery.k8s.io/endpointslices',
  'flowcontrol.apiserver.k8s.io/flowschemas',
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations',
  'networking.k8s.io/ipaddresses',
  'networking.k8s.io/servicecidrs',
  'node.k8s.io/runtimeclasses',
  'apps/daemonsets',
  'resource.k8s.io/deviceclasses',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/resourceclaimtemplates',
  'resource.k8s.io/resourceslices',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/csistoragecapacities',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/volumeattributesclasses',
]);

/**
 * Everything that is wrong with an object about to be created, defaults applied: metadata, the kind's own rules,
 * required fields. Field paths and messages are upstream's; `invalid()` of status.ts turns them into the 422.
 */
export function validateObject(
  definition: ResourceDefinition,
  object: KubeObject,
  view?: ResourceDefinition,
): FieldError[] {
  const findings = new Findings();
  validateMetadata(definition, object.metadata, findings);
  findings.list.push(...(definition.strategy.validateCreate?.(object, view) ?? []));
  requireFields(definition, object, findings);
  return findings.list;
}

/** The same for an update; `old` is what is stored. */
export function validateObjectUpdate(
  definition: ResourceDefinition,
  object: KubeObject,
  old: KubeObject,
  view?: ResourceDefinition,
): FieldError[] {
  const findings = new Findings();
  validateMetadataUpdate(object.metadata, old.metadata, findings);
  findings.list.push(...(definition.strategy.validateUpdate?.(object, old, view) ?? []));
  requireFields(definition, object, findings);
  return findings.list;
}

/** For writes of the status subresource: metadata, and what the kind says of its status. */
export function validateObjectStatusUpdate(
  definition: ResourceDefinition,
  object: KubeObject,
  old: KubeObject,
): FieldError[] {
  const findings = new Findings();
  validateMetadataUpdate(object.metadata, old.metadata, findings);
  findings.list.push(...(definition.strategy.validateStatusUpdate?.(object, old) ?? []));
  return findings.list;
}

function requireFields(definition: ResourceDefinition, object: KubeObject, findings: Findings): void {
  if (covered.has(`${definition.group}/${definition.resource}`)) return;
  validateRequired(definition.schema, object, findings);
}
