import { runAtOnce, type Steps } from '../../base/steps.ts';
import { deepEqual, semanticEqual } from '../equality.ts';
import type { LabelSelector } from '../generated/meta-v1.ts';
import { isLabelValue, isQualifiedName, nameIsDnsLabel, nameIsDnsSubdomain } from '../names.ts';
import type { ObjectMeta, OwnerReference } from '../object.ts';
import type { ResourceDefinition } from '../resource-definition.ts';
import { FIELD_IS_IMMUTABLE, type Findings } from './findings.ts';

const MAX_ANNOTATIONS_BYTES = 256 * 1024;
const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';

type Named = Pick<ResourceDefinition, 'namespaced'> & Partial<Pick<ResourceDefinition, 'strategy' | 'group'>>;

/**
 * Groups whose kinds take upstream's own finalizers and those with a domain only. Those of the others (coordination,
 * node, policy) are validated without.
 */
const heldToStandard = new Set([
  '',
  'apps',
  'batch',
  'autoscaling',
  'networking.k8s.io',
  'discovery.k8s.io',
  'storage.k8s.io',
  'scheduling.k8s.io',
  'resource.k8s.io',
  'rbac.authorization.k8s.io',
  'certificates.k8s.io',
  'flowcontrol.apiserver.k8s.io',
]);

/** metadata of any object, on create and on update. Source: apimachinery's pkg/api/validation/objectmeta.go. */
export const validateMetadata = (definition: Named, metadata: ObjectMeta, findings: Findings): void =>
  runAtOnce(metadataChecks(definition, metadata, findings));

export function* metadataChecks(definition: Named, metadata: ObjectMeta, findings: Findings): Steps<void> {
  const nameFindings = definition.strategy?.validateName ?? nameIsDnsSubdomain;
  if (metadata.generateName) {
    findings.invalidEach('metadata.generateName', metadata.generateName, nameFindings(metadata.generateName, true));
  }
  if (!metadata.name) findings.required('metadata.name', 'name or generateName is required');
  else findings.invalidEach('metadata.name', metadata.name, nameFindings(metadata.name, false));
  if (definition.namespaced) {
    if (!metadata.namespace) findings.required('metadata.namespace');
    else findings.invalidEach('metadata.namespace', metadata.namespace, nameIsDnsLabel(metadata.namespace, false));
  } else if (metadata.namespace) {
    findings.forbidden('metadata.namespace', 'not allowed on this type');
  }
  findings.nonnegative(metadata.generation, 'metadata.generation');
  yield* mutableMetadataChecks(metadata, findings);
  yield* finalizerChecks(metadata, findings);
  yield* standardFinalizerChecks(definition, metadata, findings);
}

export function* finalizerChecks({ finalizers }: ObjectMeta, findings: Findings): Steps<void> {
  if (finalizers !== undefined) yield* checkFinalizers(finalizers, findings);
}

/** Of the kinds that take no others. */
export function* standardFinalizerChecks(
  { group }: Partial<Pick<ResourceDefinition, 'group'>>,
  { finalizers }: ObjectMeta,
  findings: Findings,
): Steps<void> {
  if (finalizers === undefined || group === undefined || !heldToStandard.has(group)) return;
  yield;
  validateStandardFinalizers(finalizers, findings);
}

export function* mutableMetadataChecks(metadata: ObjectMeta, findings: Findings): Steps<void> {
  const { labels, annotations, ownerReferences } = metadata;
  if (labels !== undefined) yield* checkLabels(labels, 'metadata.labels', findings);
  if (annotations !== undefined) yield* checkAnnotations(annotations, 'metadata.annotations', findings);
  if (ownerReferences !== undefined) yield* checkOwnerReferences(ownerReferences, findings);
}

/** So many are checked at once. */
const checkedAtOnce = 256;

/** What an update may not change. `metadata.resourceVersion` must be given. */
export function* metadataUpdateChecks(updated: ObjectMeta, old: ObjectMeta, findings: Findings): Steps<void> {
  if (old.deletionTimestamp !== undefined) {
    const known = new Set(old.finalizers);
    const added = (updated.finalizers ?? []).filter((finalizer) => !known.has(finalizer)).sort();
    if (added.length > 0) {
      findings.forbidden(
        'metadata.finalizers',
        `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((one) => JSON.stringify(one)).join(', ')}}`,
      );
    }
  }
  if (!updated.resourceVersion) {
    findings.invalid('metadata.resourceVersion', updated.resourceVersion ?? '', 'must be specified for an update');
  }
  if ((updated.generation ?? 0) < (old.generation ?? 0)) {
    findings.invalid('metadata.generation', updated.generation ?? 0, 'must not be decremented');
  }
  for (const field of immutableMetadata) {
    if (updated[field] !== old[field] && !semanticEqual(updated[field], old[field])) {
      findings.invalid(`metadata.${field}`, updated[field], FIELD_IS_IMMUTABLE);
    }
  }
  yield* mutableMetadataChecks(updated, findings);
}

const immutableMetadata = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const;

export const validateLabels = (
  labels: Record<string, string> | undefined | null,
  path: string,
  findings: Findings,
): void => runAtOnce(checkLabels(labels, path, findings));

function* checkLabels(
  labels: Record<string, string> | undefined | null,
  path: string,
  findings: Findings,
): Steps<void> {
  let count = 0;
  for (const key in labels) {
    if (++count % checkedAtOnce === 0) yield;
    findings.invalidEach(path, key, isQualifiedName(key));
    findings.invalidEach(path, labels[key], isLabelValue(labels[key]!));
  }
}

export const validateAnnotations = (
  annotations: Record<string, string> | undefined | null,
  path: string,
  findings: Findings,
): void => runAtOnce(checkAnnotations(annotations, path, findings));

function* checkAnnotations(
  annotations: Record<string, string> | undefined | null,
  path: string,
  findings: Findings,
): Steps<void> {
  let bytes = 0;
  let count = 0;
  for (const key in annotations) {
    if (++count % checkedAtOnce === 0) yield;
    findings.invalidEach(path, key, isQualifiedName(key.toLowerCase()));
    bytes += key.length + annotations[key]!.length;
  }
  // The exact count matters only near the limit.
  if (bytes * 3 > MAX_ANNOTATIONS_BYTES && bytesOf(annotations!) > MAX_ANNOTATIONS_BYTES) {
    findings.tooLong(path, MAX_ANNOTATIONS_BYTES);
  }
}

const bytesOf = (map: Record<string, string>): number =>
  Object.entries(map).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);

function* checkOwnerReferences(references: OwnerReference[], findings: Findings): Steps<void> {
  const path = 'metadata.ownerReferences';
  let controller: string | undefined;
  let count = 0;
  for (const reference of references) {
    if (++count % checkedAtOnce === 0) yield;
    const { apiVersion, kind, name, uid } = reference;
    if (!apiVersion || apiVersion.endsWith('/') || apiVersion.split('/').length > 2) {
      findings.invalid(`${path}.apiVersion`, apiVersion ?? '', 'version must not be empty');
    }
    if (!kind) findings.invalid(`${path}.kind`, kind ?? '', 'must not be empty');
    if (!name) findings.invalid(`${path}.name`, name ?? '', 'must not be empty');
    if (!uid) findings.invalid(`${path}.uid`, uid ?? '', 'must not be empty');
    if (apiVersion === 'v1' && kind === 'Event') {
      findings.invalid(path, reference, '/v1, Kind=Event is disallowed from being an owner');
    }
    if (reference.controller !== true) continue;
    const current = `${kind}/${name}`;
    if (controller !== undefined) {
      findings.invalid(
        path,
        references,
        `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${current}`,
      );
    } else controller = current;
  }
}

function* checkFinalizers(finalizers: string[], findings: Findings): Steps<void> {
  let count = 0;
  for (const finalizer of finalizers) {
    if (++count % checkedAtOnce === 0) yield;
    findings.invalidEach('metadata.finalizers', finalizer, isQualifiedName(finalizer));
  }
  if (finalizers.includes(FOREGROUND) && finalizers.includes(ORPHAN)) {
    findings.invalid('metadata.finalizers', finalizers, `finalizer ${ORPHAN} and ${FOREGROUND} cannot be both set`);
  }
}

/** Those that need no domain. */
export const standardFinalizers = ['kubernetes', ORPHAN, FOREGROUND];

/** Of the core group's own kinds: finalizers are upstream's or carry a domain. */
function validateStandardFinalizers(finalizers: string[], findings: Findings): void {
  finalizers.forEach((finalizer, index) => {
    if (finalizer.includes('/') || standardFinalizers.includes(finalizer)) return;
    findings.invalid(
      `metadata.finalizers[${index}]`,
      finalizer,
      'name is neither a standard finalizer name nor is it fully qualified',
    );
  });
}

export function validateLabelSelector(
  selector: LabelSelector | undefined | null,
  path: string,
  findings: Findings,
): void {
  if (selector === undefined || selector === null) return;
  validateLabels(selector.matchLabels, `${path}.matchLabels`, findings);
  selector.matchExpressions?.forEach((requirement, index) => {
    const at = `${path}.matchExpressions[${index}]`;
    const values = requirement.values ?? [];
    switch (requirement.operator) {
      case 'In':
      case 'NotIn':
        if (values.length === 0) {
          findings.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
        }
        break;
      case 'Exists':
      case 'DoesNotExist':
        if (values.length > 0) {
          findings.forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        break;
      default:
        findings.invalid(`${at}.operator`, requirement.operator, 'not a valid selector operator');
    }
    findings.invalidEach(`${at}.key`, requirement.key, isQualifiedName(requirement.key));
    values.forEach((value, at2) => {
      findings.invalidEach(`${at}.values[${at2}]`, value, isLabelValue(value));
    });
  });
}

export function validateImmutable(value: unknown, old: unknown, path: string, findings: Findings): void {
  if (!deepEqual(value, old) && !semanticEqual(value, old)) findings.invalid(path, value, FIELD_IS_IMMUTABLE);
}
