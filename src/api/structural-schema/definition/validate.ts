import { runAtOnce, type Steps } from '../../../base/steps.ts';
import { deepEqual, semanticEqual } from '../../equality.ts';
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
} from '../../generated/apiextensions-v1.ts';
import { isDns1035Label, isDns1123Subdomain } from '../../names.ts';
import type { FieldError } from '../../status.ts';
import { FIELD_IS_IMMUTABLE, Findings } from '../../validation/findings.ts';
import type { JsonSchema } from '../json-schema.ts';
import { validateApproval } from './approval.ts';
import { validateCaBundle, validateConversion } from './conversion.ts';
import { validateSchemaOfVersion } from './schema-rules.ts';
import { validateSelectableFields } from './selectable-fields.ts';
import { validateSubresources } from './subresources.ts';

/** Everything wrong with a definition. Source: apiextensions' validation.go, whose words and order are kept. */
export const validateDefinition = (crd: CustomResourceDefinition): FieldError[] => runAtOnce(definitionChecks(crd));

export function* definitionChecks(crd: CustomResourceDefinition): Steps<FieldError[]> {
  const findings = new Findings();
  validateName(crd, findings);
  yield* validateSpec(crd.spec, undefined, findings);
  validateStatus(crd, findings);
  validateApproval(crd, undefined, findings);
  validatePreservation(crd, undefined, findings);
  return findings.list;
}

export function* definitionUpdateChecks(
  crd: CustomResourceDefinition,
  old: CustomResourceDefinition,
): Steps<FieldError[]> {
  const findings = new Findings();
  yield* validateSpec(crd.spec, old.spec, findings);
  validateCaBundle(crd, old, findings);
  const immutable = (field: string, value: unknown, before: unknown) => {
    if (value !== before) findings.invalid(field, value, FIELD_IS_IMMUTABLE);
  };
  if (old.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True')) {
    immutable('spec.scope', crd.spec.scope, old.spec.scope);
    immutable('spec.names.kind', crd.spec.names.kind, old.spec.names.kind);
  }
  immutable('spec.group', crd.spec.group, old.spec.group);
  immutable('spec.names.plural', crd.spec.names.plural, old.spec.names.plural);
  validateStatus(crd, findings);
  validateApproval(crd, old, findings);
  validatePreservation(crd, old, findings);
  return findings.list;
}

export function validateDefinitionStatusUpdate(crd: CustomResourceDefinition): FieldError[] {
  const findings = new Findings();
  if (crd.status?.acceptedNames) validateNames(crd.status.acceptedNames, 'status.acceptedNames', findings);
  return findings.list;
}

/** A syntactically bad name is found with all other metadata. */
function validateName({ metadata, spec }: CustomResourceDefinition, findings: Findings): void {
  const { name } = metadata as { name?: string };
  if (!name) return;
  if (name !== `${spec.names.plural}.${spec.group}`) {
    findings.invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group');
  }
}

function* validateSpec(
  spec: CustomResourceDefinitionSpec,
  old: CustomResourceDefinitionSpec | undefined,
  findings: Findings,
): Steps<void> {
  if (!spec.group) findings.required('spec.group');
  else {
    const wrong = isDns1123Subdomain(spec.group);
    if (wrong.length > 0) findings.invalid('spec.group', spec.group, wrong.join(','));
    else if (!spec.group.includes('.')) {
      findings.invalid('spec.group', spec.group, 'should be a domain with at least one dot');
    }
  }
  findings.oneOf(spec.scope, 'spec.scope', ['Cluster', 'Namespaced']);
  const versions = spec.versions ?? [];
  versions.forEach(({ schema }, index) => {
    if (!schema?.openAPIV3Schema) findings.required(`spec.versions[${index}].schema.openAPIV3Schema`);
  });
  const oldVersions = new Map(old?.versions.toReversed().map((version) => [version.name, version]));
  for (const [index, version] of versions.entries()) {
    const before = oldVersions.get(version.name);
    yield* validateVersion(version, before, `spec.versions[${index}]`, placesOf(versions, index), findings);
    yield;
  }
  const first = versions[0]?.name ?? '';
  const wrongFirst = first === '' ? [] : isDns1035Label(first);
  if (wrongFirst.length > 0) findings.invalid('spec.version', first, wrongFirst.join(','));
  const names = versions.map(({ name }) => name);
  if (new Set(names).size < names.length) {
    findings.invalid('spec.versions', versions, 'must contain unique version names');
  }
  if (versions.filter(({ storage }) => storage).length !== 1) {
    const shown = versions.length === 0 ? null : versions;
    findings.invalid('spec.versions', shown, 'must have exactly one version marked as storage version');
  }
  for (const field of ['plural', 'singular', 'kind', 'listKind'] as const) {
    if (!spec.names?.[field]) findings.required(`spec.names.${field}`);
  }
  if (spec.names) validateNames(spec.names, 'spec.names', findings);
  yield* validateConversion(spec.conversion, old?.conversion, findings);
}

/** Where each part of a version is told of; undefined: elsewhere already. */
interface Places {
  schema: string | undefined;
  subresources: string | undefined;
  columns: string | undefined;
  selectableFields: string | undefined;
  /** All versions have the same schema. */
  isSharedSchema: boolean;
}

/** Upstream lifts what all versions have alike out of them before it looks, and tells of it once, by its older name. */
function placesOf(versions: CustomResourceDefinitionVersion[], index: number): Places {
  const [first] = versions;
  const alike = (field: 'schema' | 'subresources' | 'additionalPrinterColumns' | 'selectableFields') =>
    versions.every((version) => semanticEqual(version[field], first?.[field]));
  const place = (isAlike: boolean, shared: string, own: string) =>
    isAlike ? (index === 0 ? `spec.${shared}` : undefined) : `spec.versions[${index}].${own}`;
  const isSharedSchema = alike('schema');
  return {
    schema: place(isSharedSchema, 'validation.openAPIV3Schema', 'schema.openAPIV3Schema'),
    subresources: place(alike('subresources'), 'subresources', 'subresources'),
    columns: place(alike('additionalPrinterColumns'), 'additionalPrinterColumns', 'additionalPrinterColumns'),
    selectableFields: place(alike('selectableFields'), 'selectableFields', 'selectableFields'),
    isSharedSchema,
  };
}

function* validateVersion(
  version: CustomResourceDefinitionVersion,
  old: CustomResourceDefinitionVersion | undefined,
  path: string,
  places: Places,
  findings: Findings,
): Steps<void> {
  const wrong = isDns1035Label(version.name ?? '');
  if (wrong.length > 0) findings.invalid(`${path}.name`, version.name ?? '', wrong.join(','));
  validateDeprecation(version, path, findings);
  const schema = version.schema?.openAPIV3Schema as JsonSchema | undefined;
  const before = old?.schema?.openAPIV3Schema as JsonSchema | undefined;
  if (schema && places.schema !== undefined) {
    // What was accepted once may stay: rules grow stricter.
    const isUnchanged = before !== undefined && deepEqual(schema, before);
    if (!isUnchanged) {
      const hasStatus = version.subresources?.status != null;
      yield* validateSchemaOfVersion(schema, before, places.schema, hasStatus, findings);
    }
  }
  if (places.subresources !== undefined) validateSubresources(version.subresources, places.subresources, findings);
  version.additionalPrinterColumns?.forEach((column, index) => {
    if (places.columns !== undefined) validateColumn(column, `${places.columns}[${index}]`, findings);
  });
  if (version.selectableFields?.length && places.selectableFields !== undefined) {
    validateSelectableFields(version, old, places.selectableFields, findings);
  }
}

function validateDeprecation(version: CustomResourceDefinitionVersion, path: string, findings: Findings): void {
  const { deprecated, deprecationWarning: warning } = version;
  if (warning === undefined || warning === null) return;
  const invalid = (detail: string) => findings.invalid(`${path}.deprecationWarning`, warning, detail);
  if (!deprecated) {
    invalid('can only be set for deprecated versions');
    return;
  }
  if (Buffer.byteLength(warning) > 256) invalid('must be <= 256 characters long');
  if (warning === '') invalid('must not be an empty string');
  const at = warning.search(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u);
  if (at >= 0) {
    const index = Buffer.byteLength(warning.slice(0, at));
    invalid(`must only contain printable UTF-8 characters; non-printable character found at index ${index}`);
  }
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];

function validateColumn(column: CustomResourceColumnDefinition, path: string, findings: Findings): void {
  if (!column.name) findings.required(`${path}.name`);
  const types = `must be one of ${columnTypes.join(',')}`;
  if (!column.type) findings.required(`${path}.type`, types);
  else if (!columnTypes.includes(column.type)) findings.invalid(`${path}.type`, column.type, types);
  if (column.format && !columnFormats.includes(column.format)) {
    findings.invalid(`${path}.format`, column.format, `must be one of ${columnFormats.join(',')}`);
  }
  if (!column.jsonPath) findings.required(`${path}.JSONPath`);
  else if (!column.jsonPath.startsWith('.')) {
    findings.invalid(`${path}.JSONPath`, column.jsonPath, 'must be a simple json path starting with .');
  }
}

function validateNames(names: CustomResourceDefinitionNames, path: string, findings: Findings): void {
  const label = (field: string, value: string | undefined) => {
    if (!value) return;
    const wrong = isDns1035Label(value);
    if (wrong.length > 0) findings.invalid(`${path}.${field}`, value, wrong.join(','));
  };
  const kind = (field: string, value: string | undefined) => {
    if (!value) return;
    const wrong = isDns1035Label(value.toLowerCase());
    const detail = `may have mixed case, but should otherwise match: ${wrong.join(',')}`;
    if (wrong.length > 0) findings.invalid(`${path}.${field}`, value, detail);
  };
  label('plural', names.plural);
  label('singular', names.singular);
  kind('kind', names.kind);
  kind('listKind', names.listKind);
  const each = (field: string, value: string) => {
    const wrong = isDns1035Label(value);
    if (wrong.length > 0) findings.invalid(`${path}.${field}`, value, wrong.join(','));
  };
  names.shortNames?.forEach((name, index) => {
    each(`shortNames[${index}]`, name);
  });
  if (names.kind && names.kind === names.listKind) {
    findings.invalid(`${path}.listKind`, names.listKind, 'kind and listKind may not be the same');
  }
  names.categories?.forEach((name, index) => {
    each(`categories[${index}]`, name);
  });
}

function validateStatus(crd: CustomResourceDefinition, findings: Findings): void {
  if (crd.status?.acceptedNames) validateNames(crd.status.acceptedNames, 'status.acceptedNames', findings);
  const path = 'status.storedVersions';
  const stored = crd.status?.storedVersions ?? [];
  const names = new Set((crd.spec.versions ?? []).map(({ name }) => name));
  if (stored.length === 0) {
    findings.invalid(path, null, 'must have at least one stored version');
    return;
  }
  const known = new Set(stored);
  for (const { name, storage } of crd.spec.versions ?? []) {
    // Each stands for one version: a second one of its name has none.
    const isKnown = known.delete(name);
    if (storage && !isKnown) findings.invalid(path, stored, `must have the storage version ${name}`);
  }
  stored.forEach((name, index) => {
    if (names.has(name)) return;
    const detail = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
    findings.invalid(`${path}[${index}]`, name, detail);
  });
}

function validatePreservation(
  crd: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
  findings: Findings,
): void {
  if (old?.spec.preserveUnknownFields || !crd.spec.preserveUnknownFields) return;
  findings.invalid(
    'spec.preserveUnknownFields',
    true,
    'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
  );
}
