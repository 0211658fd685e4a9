import type { StructTypes } from '../../cel/checker.ts';
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  structOf,
  timestampType,
} from '../../cel/types.ts';
import { isEmbeddedResource, isIntOrString, itemsOf, type JsonSchema, valuesOf } from '../json-schema.ts';
import { fieldName } from './field-names.ts';

/** What rules see of a schema, and how large that may be. Source: apiserver's pkg/cel/common/schemas.go. */
export interface DeclaredType {
  /** Of scalars; lists, maps and objects are made of their parts. */
  scalar?: CelType;
  items?: DeclaredType;
  values?: DeclaredType;
  /** By escaped name. */
  fields?: Map<string, DeclaredType>;
  maxElements: number;
  /** In JSON. */
  minSerializedSize: number;
}

const MAX_REQUEST_BYTES = 3 * 1024 * 1024;
const LONGEST_TEXT = MAX_REQUEST_BYTES - 2;
const string: JsonSchema = { type: 'string' };
/** Always there at the root of a resource. */
const rootProperties: Record<string, JsonSchema> = {
  kind: string,
  apiVersion: string,
  metadata: { type: 'object', properties: { name: string, generateName: string } },
};

const plain = new WeakMap<JsonSchema, { type: DeclaredType | undefined }>();
const roots = new WeakMap<JsonSchema, { type: DeclaredType | undefined }>();

/** undefined where rules can see nothing. */
export function declaredType(schema: JsonSchema, isRoot = isEmbeddedResource(schema)): DeclaredType | undefined {
  const known = isRoot ? roots : plain;
  let kept = known.get(schema);
  if (kept === undefined) {
    kept = { type: declare(schema, isRoot) };
    known.set(schema, kept);
  }
  return kept.type;
}

const orZero = (value: number) => Math.max(0, value);
const scalar = (type: CelType, minSerializedSize: number, maxElements = 0): DeclaredType => ({
  scalar: type,
  minSerializedSize,
  maxElements,
});

function declare(schema: JsonSchema, isRoot: boolean): DeclaredType | undefined {
  if (isIntOrString(schema)) {
    return scalar(dynType, 1, schema.maxLength === undefined ? LONGEST_TEXT : orZero(schema.maxLength) * 4);
  }
  switch (schema.type) {
    case 'array': {
      const items = itemsOf(schema);
      const type = items === undefined ? undefined : declaredType(items);
      if (type === undefined) return undefined;
      const most = schema.maxItems ?? Math.floor(LONGEST_TEXT / (type.minSerializedSize + 1));
      return { items: type, maxElements: orZero(most), minSerializedSize: 2 };
    }
    case 'object':
      return declareObject(schema, isRoot);
    case 'string':
      return declareString(schema);
    case 'boolean':
      return scalar(boolType, 4);
    case 'number':
      return scalar(doubleType, 1);
    case 'integer':
      return scalar(intType, 1);
    default:
      return undefined;
  }
}

function declareObject(schema: JsonSchema, isRoot: boolean): DeclaredType | undefined {
  const values = valuesOf(schema);
  if (values !== undefined) {
    const type = declaredType(values);
    if (type === undefined) return undefined;
    const most = schema.maxProperties ?? Math.floor(LONGEST_TEXT / (type.minSerializedSize + 6));
    return { values: type, maxElements: orZero(most), minSerializedSize: 2 };
  }
  const fields = new Map<string, DeclaredType>();
  const properties = isRoot ? { ...schema.properties, ...rootProperties } : (schema.properties ?? {});
  const required = new Set(schema.required);
  let minSerializedSize = 2;
  for (const [name, part] of Object.entries(properties)) {
    const type = declaredType(part);
    if (type === undefined) continue;
    const escaped = fieldName(name);
    if (escaped !== undefined) fields.set(escaped, type);
    if (required.has(name) && part.default === undefined) {
      minSerializedSize += Buffer.byteLength(name) + type.minSerializedSize + 4;
    }
  }
  return { fields, maxElements: 0, minSerializedSize };
}

function declareString(schema: JsonSchema): DeclaredType {
  switch (schema.format) {
    case 'byte':
      return scalar(bytesType, 2, schema.maxLength === undefined ? LONGEST_TEXT : orZero(schema.maxLength));
    case 'duration':
      return scalar(durationType, 3, 32);
    case 'date':
      return scalar(timestampType, 12, 12);
    case 'date-time':
      return scalar(timestampType, 21, 32);
  }
  if (schema.maxLength !== undefined) return scalar(stringType, 2, orZero(schema.maxLength) * 4);
  if (schema.enum === undefined || schema.enum.length === 0) return scalar(stringType, 2, LONGEST_TEXT);
  const lengths = schema.enum.map((one) => (typeof one === 'string' ? Buffer.byteLength(one) : 0));
  return scalar(stringType, 2, Math.max(...lengths));
}

/** The types of one rule: objects are named for where they stand below `self`. */
export class SchemaTypes implements StructTypes {
  readonly self: CelType;
  readonly #byName = new Map<string, DeclaredType>();

  constructor(root: DeclaredType, name = 'selfType') {
    this.self = this.#named(root, name);
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  fieldOf(name: string, field: string): CelType | undefined {
    const fields = this.#byName.get(name)?.fields;
    // A reserved word may stand as it is behind a dot.
    const type = fields?.get(field) ?? fields?.get(`__${field}__`);
    return type === undefined ? undefined : this.#named(type, `${name}.${field}`);
  }

  #named(type: DeclaredType, name: string): CelType {
    if (type.scalar !== undefined) return type.scalar;
    if (type.items !== undefined) return listOf(this.#named(type.items, `${name}.@idx`));
    if (type.values !== undefined) return mapOf(stringType, this.#named(type.values, `${name}.@elem`));
    this.#byName.set(name, type);
    return structOf(name);
  }
}

/** How large what a path from `self` leads to may be. */
export function maxSizeAt(root: DeclaredType, path: readonly string[]): number | undefined {
  let type: DeclaredType | undefined = root;
  let isKey = false;
  for (const part of path.slice(1)) {
    if (isKey) return undefined;
    if (part === '@items' || part === '@values') type = type.items ?? type.values;
    else if (part === '@keys') {
      if (type.values === undefined) return undefined;
      isKey = true;
    } else type = type.fields?.get(part);
    if (type === undefined) return undefined;
  }
  // Nothing is said of keys: upstream takes them for strings without a size.
  return isKey ? 0 : type.maxElements;
}

/** How often a value of the type fits into a request. */
export const maxCardinality = ({ minSerializedSize }: DeclaredType) =>
  Math.floor(MAX_REQUEST_BYTES / (minSerializedSize + 1));
