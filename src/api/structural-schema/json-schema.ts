/**
 * A node of a CustomResourceDefinition's openAPIV3Schema, as stored. Everything here works on structural schemas:
 * `definition/` refuses the others.
 */
export interface JsonSchema {
  type?: string;
  format?: string;
  title?: string;
  description?: string;
  default?: unknown;
  example?: unknown;
  nullable?: boolean;
  maximum?: number;
  exclusiveMaximum?: boolean;
  minimum?: number;
  exclusiveMinimum?: boolean;
  maxLength?: number;
  minLength?: number;
  pattern?: string;
  maxItems?: number;
  minItems?: number;
  uniqueItems?: boolean;
  multipleOf?: number;
  enum?: unknown[];
  maxProperties?: number;
  minProperties?: number;
  required?: string[];
  items?: JsonSchema | JsonSchema[];
  allOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  not?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-embedded-resource'?: boolean;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-map-type'?: 'atomic' | 'granular';
  'x-kubernetes-validations'?: ValidationRule[];
  // Forbidden in structural schemas; `definition/` says so.
  [other: string]: unknown;
}

export interface ValidationRule {
  rule: string;
  message?: string;
  messageExpression?: string;
  reason?: string;
  fieldPath?: string;
  optionalOldSelf?: boolean;
}

export const preservesUnknownFields = (schema: JsonSchema): boolean =>
  schema['x-kubernetes-preserve-unknown-fields'] === true;
export const isEmbeddedResource = (schema: JsonSchema): boolean => schema['x-kubernetes-embedded-resource'] === true;
export const isIntOrString = (schema: JsonSchema): boolean => schema['x-kubernetes-int-or-string'] === true;

/** The schema of a list's items; undefined where there is none. */
export const itemsOf = (schema: JsonSchema): JsonSchema | undefined =>
  Array.isArray(schema.items) ? undefined : schema.items;

/** The schema of a map's values; undefined for `true`, `false` and none. */
export const valuesOf = (schema: JsonSchema): JsonSchema | undefined =>
  typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;

export const propertyOf = (schema: JsonSchema, name: string): JsonSchema | undefined =>
  schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;

/** A JSON object: neither a list nor null. */
export const isRecord = (value: unknown): value is Record<string, any> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Plain assignment to `__proto__` would set the prototype. */
export function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    object[key] = value;
  }
}

/** The schemas right below one, those of allOf, anyOf, oneOf and not included. */
export function partsOf(schema: JsonSchema): JsonSchema[] {
  const lists = [schema.allOf, schema.anyOf, schema.oneOf, Array.isArray(schema.items) ? schema.items : []];
  const parts = lists.flatMap((list) => list ?? []);
  for (const part of [itemsOf(schema), valuesOf(schema), schema.not]) if (part !== undefined) parts.push(part);
  for (const part of Object.values(schema.properties ?? {})) parts.push(part);
  // A schema in the place of one may be missing.
  return parts.filter((part) => part !== null && typeof part === 'object');
}

/** Every node of a schema, outer ones first. */
export function* nodesOf(schema: JsonSchema): Generator<JsonSchema> {
  // A default or an enum may hold anything.
  if (schema === null || typeof schema !== 'object') return;
  yield schema;
  for (const part of partsOf(schema)) yield* nodesOf(part);
}
