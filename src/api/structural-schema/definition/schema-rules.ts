import type { Steps } from '../../../base/steps.ts';
import { Findings } from '../../validation/findings.ts';
import { isEmbeddedResource, itemsOf, type JsonSchema, nodesOf, propertyOf, valuesOf } from '../json-schema.ts';
import { validateDefaults } from './default-rules.ts';
import { validateListRules } from './list-rules.ts';
import { compileRules } from './rule-compilation.ts';
import { validateRuleTexts } from './rule-texts.ts';
import { validateStructure } from './structure-rules.ts';

interface Scope {
  /** Why defaults are not allowed here; undefined: they are. */
  defaultsForbidden?: string;
  isInMetadata: boolean;
  isRoot: boolean;
}

/** So many are looked at between two looks at the clock. */
const nodesAtOnce = 64;

const kinds = ['array', 'boolean', 'integer', 'number', 'object', 'string'];

/** Everything wrong with one version's schema. `path` is that of its openAPIV3Schema. */
export function* validateSchemaOfVersion(
  schema: JsonSchema,
  old: JsonSchema | undefined,
  path: string,
  hasStatus: boolean,
  findings: Findings,
): Steps<void> {
  const own = new Findings();
  if (hasStatus) validateRootWithStatus(schema, path, own);
  if (schema.nullable === true) own.forbidden(`${path}.nullable`, 'nullable cannot be true at the root');
  let isOdd = false;
  let count = 0;
  for (const node of nodesOf(schema)) {
    if (++count % nodesAtOnce === 0) yield;
    isOdd ||= Array.isArray(node.items) || unsupported.some(([field]) => node[field] !== undefined);
  }
  if (!isOdd) {
    const structure = new Findings();
    yield* validateStructure(schema, path, structure);
    if (structure.isEmpty) yield* validateDefaults(schema, path, structure);
    own.list.push(...structure.list);
  }
  yield* walk(schema, path, { isInMetadata: false, isRoot: true }, own);
  if (own.isEmpty) yield* compileRules(schema, path, own);
  // A schema that was wrong before may stay as wrong as it was.
  const before = new Findings();
  if (old !== undefined) yield* validateSchemaOfVersion(old, undefined, path, hasStatus, before);
  const known = new Set(before.list.map(({ field, message }) => `${field}: ${message}`));
  findings.list.push(...own.list.filter(({ field, message }) => !known.has(`${field}: ${message}`)));
}

/** In Go's order and names: what is set first decides the message. */
const rootFields: [field: string, goName: string, isAllowed: boolean][] = [
  ['id', 'ID', false],
  ['$schema', 'Schema', false],
  ['$ref', 'Ref', false],
  ['description', 'Description', true],
  ['type', 'Type', true],
  ['nullable', 'Nullable', false],
  ['format', 'Format', true],
  ['title', 'Title', true],
  ['default', 'Default', false],
  ['maximum', 'Maximum', true],
  ['exclusiveMaximum', 'ExclusiveMaximum', true],
  ['minimum', 'Minimum', true],
  ['exclusiveMinimum', 'ExclusiveMinimum', true],
  ['maxLength', 'MaxLength', true],
  ['minLength', 'MinLength', true],
  ['pattern', 'Pattern', true],
  ['maxItems', 'MaxItems', true],
  ['minItems', 'MinItems', true],
  ['uniqueItems', 'UniqueItems', true],
  ['multipleOf', 'MultipleOf', true],
  ['enum', 'Enum', false],
  ['maxProperties', 'MaxProperties', false],
  ['minProperties', 'MinProperties', false],
  ['required', 'Required', true],
  ['items', 'Items', true],
  ['allOf', 'AllOf', false],
  ['oneOf', 'OneOf', false],
  ['anyOf', 'AnyOf', false],
  ['not', 'Not', false],
  ['properties', 'Properties', true],
  ['additionalProperties', 'AdditionalProperties', false],
  ['patternProperties', 'PatternProperties', false],
  ['dependencies', 'Dependencies', false],
  ['additionalItems', 'AdditionalItems', false],
  ['definitions', 'Definitions', false],
  ['externalDocs', 'ExternalDocs', true],
  ['example', 'Example', true],
  ['x-kubernetes-preserve-unknown-fields', 'XPreserveUnknownFields', true],
  ['x-kubernetes-embedded-resource', 'XEmbeddedResource', false],
  ['x-kubernetes-int-or-string', 'XIntOrString', false],
  ['x-kubernetes-list-map-keys', 'XListMapKeys', false],
  ['x-kubernetes-list-type', 'XListType', false],
  ['x-kubernetes-map-type', 'XMapType', false],
  ['x-kubernetes-validations', 'XValidations', true],
];
const allowedAtRoot =
  'Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations';

/** The status is held to its own part of the schema: nothing else may speak of it. */
function validateRootWithStatus(schema: JsonSchema, path: string, findings: Findings): void {
  for (const [field, goName, isAllowed] of rootFields) {
    const value = schema[field];
    if (value === undefined || value === false || value === '') continue;
    if (goName === 'Type' && value !== 'object') {
      const detail =
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
      findings.invalid(`${path}.type`, value, detail);
      return;
    }
    if (isAllowed) continue;
    const detail = `only [${allowedAtRoot}] fields are allowed at the root of the schema if the status subresource is enabled`;
    findings.invalid(path, schema, detail);
    return;
  }
}

const unsupported: [field: string, detail: string][] = [
  ['id', 'id is not supported'],
  ['additionalItems', 'additionalItems is not supported'],
  ['patternProperties', 'patternProperties is not supported'],
  ['definitions', 'definitions is not supported'],
  ['dependencies', 'dependencies is not supported'],
  ['$ref', '$ref is not supported'],
];

function* walk(schema: JsonSchema, path: string, scope: Scope, findings: Findings): Steps<void> {
  const { type } = schema;
  if (type && !kinds.includes(type)) findings.notSupported(`${path}.type`, type, kinds);
  if (schema.default !== undefined && scope.defaultsForbidden !== undefined) {
    findings.forbidden(`${path}.default`, `must not be set ${scope.defaultsForbidden}`);
  }
  for (const [field, detail] of unsupported) {
    const value = schema[field] as object | undefined;
    if (value === undefined || Object.keys(value).length === 0) continue;
    findings.forbidden(`${path}.${field}`, detail);
  }
  if (type === 'null') {
    findings.forbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative');
  }
  if (Array.isArray(schema.items) && schema.items.length > 0) {
    findings.forbidden(`${path}.items`, 'items must be a schema object and not an array');
  }
  if (scope.isInMetadata && isEmbeddedResource(schema)) {
    findings.forbidden(`${path}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta');
  }
  if (schema.uniqueItems === true) {
    const detail = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    findings.forbidden(`${path}.uniqueItems`, detail);
  }
  yield* walkParts(schema, path, { ...scope, isRoot: false }, scope.isRoot, findings);
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    findings.invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined');
  }
  validateListRules(schema, path, findings);
  validateRuleTexts(schema, path, findings);
}

const metadataFields = new Set(['metadata', 'kind', 'apiVersion']);

function* walkParts(schema: JsonSchema, path: string, scope: Scope, isRoot: boolean, findings: Findings): Steps<void> {
  const values = valuesOf(schema);
  if (schema.additionalProperties !== undefined) {
    const hasProperties = Object.keys(schema.properties ?? {}).length > 0;
    if (hasProperties && schema.additionalProperties !== true) {
      findings.forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive');
    }
    const why = 'inside additionalProperties applying to object metadata';
    const inner = scope.isInMetadata ? { ...scope, defaultsForbidden: why } : scope;
    if (values !== undefined) yield* walk(values, `${path}.additionalProperties`, inner, findings);
  }
  for (const name of Object.keys(schema.properties ?? {}).sort()) {
    let inner = scope;
    if ((isRoot || isEmbeddedResource(schema)) && metadataFields.has(name)) {
      inner = { ...inner, isInMetadata: true };
      if (isRoot) inner.defaultsForbidden = `in top-level ${name}`;
    }
    yield;
    yield* walk(propertyOf(schema, name)!, `${path}.properties[${name}]`, inner, findings);
  }
  if (schema.not !== undefined) yield* walk(schema.not, `${path}.not`, scope, findings);
  for (const junctor of ['allOf', 'oneOf', 'anyOf'] as const) {
    for (const [index, part] of (schema[junctor] ?? []).entries()) {
      yield* walk(part, `${path}.${junctor}[${index}]`, scope, findings);
    }
  }
  const items = itemsOf(schema);
  if (items !== undefined) yield* walk(items, `${path}.items`, scope, findings);
}
