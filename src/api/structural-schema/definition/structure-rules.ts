import type { Steps } from '../../../base/steps.ts';
import { deepEqual } from '../../equality.ts';
import { Findings } from '../../validation/findings.ts';
import {
  isEmbeddedResource,
  isIntOrString,
  itemsOf,
  type JsonSchema,
  preservesUnknownFields,
  propertyOf,
  valuesOf,
} from '../json-schema.ts';
import { compilePattern } from '../regular-expression.ts';

type Level = 'root' | 'item' | 'field';

/**
 * What makes a schema structural: every field and list is described outside of allOf, anyOf, oneOf and not, which then
 * only restrict values. Findings are sorted, as upstream's. Source: apiextensions' schema/validation.go.
 */
export function* validateStructure(schema: JsonSchema, path: string, findings: Findings): Steps<void> {
  const found = new Findings();
  yield* validateNode(schema, 'root', path, found);
  yield;
  validateCompleteness(schema, schema, path, path, found);
  const key = (finding: { field: string; message: string }) => `${finding.field}: ${finding.message}`;
  findings.list.push(...found.list.sort((a, b) => (key(a) < key(b) ? -1 : 1)));
}

function* validateNode(schema: JsonSchema, level: Level, path: string, findings: Findings): Steps<void> {
  const items = itemsOf(schema);
  if (schema.type === 'array' && items === undefined) findings.required(`${path}.items`, 'must be specified');
  if (items !== undefined) yield* validateNode(items, 'item', `${path}.items`, findings);
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    yield;
    yield* validateNode(part, 'field', `${path}.properties[${name}]`, findings);
  }
  if (schema.additionalProperties !== undefined) {
    if (level === 'root') findings.forbidden(`${path}.additionalProperties`, 'must not be used at the root');
    const values = valuesOf(schema);
    if (values !== undefined) yield* validateNode(values, 'field', `${path}.additionalProperties`, findings);
  }
  if (isIntOrString(schema)) {
    const detail = 'must be false if x-kubernetes-int-or-string is true';
    if (preservesUnknownFields(schema)) {
      findings.invalid(`${path}.x-kubernetes-preserve-unknown-fields`, true, detail);
    }
    if (isEmbeddedResource(schema)) findings.invalid(`${path}.x-kubernetes-embedded-resource`, true, detail);
  }
  const skipAnyOf = isIntOrStringAnyOf(schema.anyOf);
  const skipFirst = isIntOrStringAnyOf(schema.allOf?.[0]?.anyOf);
  validateJunctors(schema, skipAnyOf, skipFirst, level, path, findings);
  validateTypes(schema, level, path, findings);
  validateResourceParts(schema, level, path, findings);
}

const isIntOrStringAnyOf = (anyOf: JsonSchema[] | undefined): boolean =>
  deepEqual(anyOf, [{ type: 'integer' }, { type: 'string' }]);

function validateTypes(schema: JsonSchema, level: Level, path: string, findings: Findings): void {
  const { type } = schema;
  if (isEmbeddedResource(schema) && type !== 'object') {
    const detail = 'must be object if x-kubernetes-embedded-resource is true';
    if (!type) findings.required(`${path}.type`, detail);
    else findings.invalid(`${path}.type`, type, detail);
  } else if (!type && !isIntOrString(schema) && !preservesUnknownFields(schema)) {
    const where = { root: 'at the root', item: 'for specified array items', field: 'for specified object fields' };
    findings.required(`${path}.type`, `must not be empty ${where[level]}`);
  }
  if (isEmbeddedResource(schema) && schema.additionalProperties !== undefined) {
    const detail = 'must not be used if x-kubernetes-embedded-resource is set';
    findings.forbidden(`${path}.additionalProperties`, detail);
  }
  if (level === 'root' && type && type !== 'object') {
    findings.invalid(`${path}.type`, type, 'must be object at the root');
  }
}

function validateResourceParts(schema: JsonSchema, level: Level, path: string, findings: Findings): void {
  const isResource = level === 'root' || isEmbeddedResource(schema);
  if (isResource) {
    for (const name of ['kind', 'apiVersion']) {
      const type = propertyOf(schema, name)?.type;
      if (propertyOf(schema, name) !== undefined && type !== 'string') {
        findings.invalid(`${path}.properties[${name}].type`, type ?? '', 'must be string');
      }
    }
  }
  const metadata = propertyOf(schema, 'metadata');
  if (metadata !== undefined) {
    const at = `${path}.properties[metadata]`;
    if (isResource && metadata.type !== 'object') findings.invalid(`${at}.type`, metadata.type ?? '', 'must be object');
    if (level === 'root') {
      const { type: _type, default: _default, properties, ...rest } = metadata;
      const names = Object.keys(properties ?? {});
      const isMore = Object.keys(rest).length > 0 || names.some((name) => name !== 'name' && name !== 'generateName');
      const detail = 'must not specify anything other than name and generateName, but metadata is implicitly specified';
      if (isMore) findings.forbidden(at, detail);
    }
  }
  const hasProperties = Object.keys(schema.properties ?? {}).length > 0;
  if (isEmbeddedResource(schema) && !preservesUnknownFields(schema) && !hasProperties) {
    const detail =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    findings.required(`${path}.properties`, detail);
  }
}

function validateJunctors(
  schema: JsonSchema,
  skipAnyOf: boolean,
  skipFirst: boolean,
  level: Level,
  path: string,
  findings: Findings,
): void {
  if (!skipAnyOf) {
    schema.anyOf?.forEach((part, index) => {
      validateNested(part, false, level, `${path}.anyOf[${index}]`, findings);
    });
  }
  schema.allOf?.forEach((part, index) => {
    validateNested(part, skipFirst && index === 0, level, `${path}.allOf[${index}]`, findings);
  });
  schema.oneOf?.forEach((part, index) => {
    validateNested(part, false, level, `${path}.oneOf[${index}]`, findings);
  });
  if (schema.not !== undefined) validateNested(schema.not, false, level, `${path}.not`, findings);
  if (!schema.pattern) return;
  try {
    compilePattern(schema.pattern);
  } catch (error) {
    const detail = `must be a valid regular expression, but isn't: ${(error as Error).message}`;
    findings.invalid(`${path}.pattern`, schema.pattern, detail);
  }
}

/** Within allOf and the like only values may be spoken of. */
const forbiddenNested: [field: string, state: string][] = [
  ['type', 'empty'],
  ['additionalProperties', 'undefined'],
  ['default', 'undefined'],
  ['title', 'empty'],
  ['description', 'empty'],
  ['nullable', 'false'],
  ['x-kubernetes-preserve-unknown-fields', 'false'],
  ['x-kubernetes-embedded-resource', 'false'],
  ['x-kubernetes-int-or-string', 'false'],
  ['x-kubernetes-list-map-keys', 'empty'],
  ['x-kubernetes-list-type', 'undefined'],
  ['x-kubernetes-map-type', 'undefined'],
  ['x-kubernetes-validations', 'empty'],
];

function validateNested(schema: JsonSchema, skipAnyOf: boolean, level: Level, path: string, findings: Findings): void {
  validateJunctors(schema, skipAnyOf, false, level, path, findings);
  const items = itemsOf(schema);
  if (items !== undefined) validateNested(items, false, level, `${path}.items`, findings);
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    validateNested(part, false, 'field', `${path}.properties[${name}]`, findings);
  }
  for (const [field, state] of forbiddenNested) {
    const value = schema[field];
    const isUnset = value === undefined || value === '' || (state === 'false' && value === false);
    if (!isUnset && !(state === 'empty' && Array.isArray(value) && value.length === 0)) {
      findings.forbidden(`${path}.${field}`, `must be ${state} to be structural`);
    }
  }
  if (propertyOf(schema, 'metadata') !== undefined) {
    findings.forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context');
  }
}

/** Whatever allOf and the like speak of must be described outside of them. */
function validateCompleteness(
  nested: JsonSchema,
  schema: JsonSchema,
  path: string,
  nestedPath: string,
  findings: Findings,
): void {
  const parts: [JsonSchema, string][] = [];
  if (nested.not !== undefined) parts.push([nested.not, `${nestedPath}.not`]);
  for (const junctor of ['allOf', 'anyOf', 'oneOf'] as const) {
    nested[junctor]?.forEach((part, index) => {
      parts.push([part, `${nestedPath}.${junctor}[${index}]`]);
    });
  }
  for (const [part, partPath] of parts) validateNestedCompleteness(part, schema, path, partPath, findings);
}

function validateNestedCompleteness(
  nested: JsonSchema,
  schema: JsonSchema | undefined,
  path: string,
  nestedPath: string,
  findings: Findings,
): void {
  if (schema === undefined) {
    findings.required(path, `because it is defined in ${nestedPath}`);
    return;
  }
  validateCompleteness(nested, schema, path, nestedPath, findings);
  const items = itemsOf(nested);
  if (items !== undefined) {
    validateNestedCompleteness(items, itemsOf(schema), `${path}.items`, `${nestedPath}.items`, findings);
  }
  for (const [name, part] of Object.entries(nested.properties ?? {})) {
    const segment = `properties[${name}]`;
    const own = propertyOf(schema, name);
    validateNestedCompleteness(part, own, `${path}.${segment}`, `${nestedPath}.${segment}`, findings);
  }
}
