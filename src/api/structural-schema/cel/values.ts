import { durationOf, nanosOf } from '../../cel/times.ts';
import {
  CelList,
  CelMap,
  Duration,
  EvaluationFailure,
  equal,
  jsonValue,
  keyText,
  Timestamp,
} from '../../cel/values.ts';
import {
  isEmbeddedResource,
  isIntOrString,
  isRecord,
  itemsOf,
  type JsonSchema,
  preservesUnknownFields,
  propertyOf,
  valuesOf,
} from '../json-schema.ts';
import { fieldName } from './field-names.ts';

const string: JsonSchema = { type: 'string' };
const metadataOfResources: JsonSchema = { type: 'object', properties: { name: string, generateName: string } };

/** A JSON value as its schema makes rules see it. Nothing is copied: parts are made when they are looked at. */
export function celValue(schema: JsonSchema, value: unknown, isRoot = isEmbeddedResource(schema)): unknown {
  if (value === null || value === undefined) return null;
  if (isIntOrString(schema)) return jsonValue(value);
  switch (schema.type) {
    case 'object':
      if (!isRecord(value)) break;
      if (valuesOf(schema) !== undefined) return new SchemaMap(schema, value);
      if (schema.properties === undefined && !isRoot && preservesUnknownFields(schema)) return new SchemaObject({}, {});
      return new SchemaObject(schema, value, isRoot);
    case 'array':
      if (Array.isArray(value)) return listOf(schema, value);
      break;
    case 'number':
      if (typeof value === 'number') return value;
      break;
    case 'integer':
      if (typeof value === 'number') return BigInt(Math.trunc(value));
      break;
    case 'string':
      if (typeof value === 'string') return stringValue(schema, value);
      break;
    case 'boolean':
      if (typeof value === 'boolean') return value;
      break;
  }
  // The value was held to the schema before: what does not fit is where the schema says nothing.
  return jsonValue(value);
}

function stringValue({ format }: JsonSchema, text: string): unknown {
  switch (format) {
    case 'date': {
      const nanos = nanosOf(`${text}T00:00:00Z`);
      return nanos === undefined ? invalid('date', text) : new Timestamp(nanos);
    }
    case 'date-time': {
      const nanos = nanosOf(text);
      return nanos === undefined ? invalid('date-time', text) : new Timestamp(nanos);
    }
    case 'duration': {
      const nanos = durationOf(text);
      return nanos === undefined ? invalid('duration', text) : new Duration(nanos);
    }
    case 'byte':
      return new Uint8Array(Buffer.from(text, 'base64'));
    default:
      return text;
  }
}

/** Asked for, it fails: the same as a value that is an error upstream. */
function invalid(format: string, text: string): never {
  throw new EvaluationFailure(`Invalid ${format} ${JSON.stringify(text)}`);
}

class SchemaObject extends CelMap {
  readonly #schema: JsonSchema;
  readonly #raw: Record<string, any>;
  readonly #isRoot: boolean;
  #names: Map<string, string> | undefined;

  constructor(schema: JsonSchema, raw: Record<string, any>, isRoot = false) {
    super();
    this.#schema = schema;
    this.#raw = raw;
    this.#isRoot = isRoot;
  }

  /** The fields that are there and that the schema has, by escaped name. */
  get #fields(): Map<string, string> {
    if (this.#names === undefined) {
      this.#names = new Map();
      for (const name of Object.keys(this.#raw)) {
        if (this.#raw[name] === undefined || this.#partOf(name) === undefined) continue;
        const escaped = fieldName(name);
        if (escaped !== undefined) this.#names.set(escaped, name);
      }
    }
    return this.#names;
  }

  #partOf(name: string): JsonSchema | undefined {
    if (this.#isRoot) {
      if (name === 'apiVersion' || name === 'kind') return string;
      if (name === 'metadata') return metadataOfResources;
    }
    return propertyOf(this.#schema, name);
  }

  get size(): number {
    return this.#fields.size;
  }
  keys(): Iterable<unknown> {
    return this.#fields.keys();
  }
  get(key: unknown): unknown {
    const name = this.#fields.get(key as string) ?? this.#fields.get(`__${key}__`);
    return name === undefined ? undefined : celValue(this.#partOf(name)!, this.#raw[name]);
  }
  override has(key: unknown): boolean {
    return this.#fields.has(key as string) || this.#fields.has(`__${key}__`);
  }
}

class SchemaMap extends CelMap {
  readonly #values: JsonSchema;
  readonly #raw: Record<string, unknown>;

  constructor(schema: JsonSchema, raw: Record<string, unknown>) {
    super();
    this.#values = valuesOf(schema)!;
    this.#raw = raw;
  }
  get size(): number {
    return Object.keys(this.#raw).length;
  }
  keys(): Iterable<unknown> {
    return Object.keys(this.#raw);
  }
  get(key: unknown): unknown {
    if (typeof key !== 'string' || !Object.hasOwn(this.#raw, key)) return undefined;
    return celValue(this.#values, this.#raw[key]);
  }
}

class SchemaList extends CelList {
  readonly raw: readonly unknown[];
  protected readonly items: JsonSchema;

  constructor(items: JsonSchema, raw: readonly unknown[]) {
    super();
    this.items = items;
    this.raw = raw;
  }
  get size(): number {
    return this.raw.length;
  }
  at(index: number): unknown {
    return celValue(this.items, this.raw[index]);
  }
}

function listOf(schema: JsonSchema, raw: unknown[]): CelList {
  const items = itemsOf(schema) ?? {};
  switch (schema['x-kubernetes-list-type']) {
    case 'set':
      return new SetList(items, raw);
    case 'map':
      return new MapList(items, raw, schema['x-kubernetes-list-map-keys'] ?? []);
    default:
      return new SchemaList(items, raw);
  }
}

/** Scalars by themselves, everything else by its JSON: what makes items of sets the same. */
const identity = (value: unknown): string => keyText(jsonValue(value)) ?? JSON.stringify(value);

/** Equal in any order; a sum has each item once. */
class SetList extends SchemaList {
  override equals(other: CelList): boolean {
    if (this.size !== other.size) return false;
    const theirs = other instanceof SchemaList ? other.raw : other.toArray().map(rawOf);
    const own = new Set(this.raw.map(identity));
    return theirs.every((item) => own.has(identity(item)));
  }
  override plus(other: CelList): CelList {
    const added = other instanceof SchemaList ? other.raw : other.toArray().map(rawOf);
    const own = new Set(this.raw.map(identity));
    return new SetList(this.items, [...this.raw, ...added.filter((item) => !own.has(identity(item)))]);
  }
}

/** Equal in any order; of a sum's items with the same keys, the later one is kept. */
class MapList extends SchemaList {
  readonly #keys: readonly string[];

  constructor(items: JsonSchema, raw: readonly unknown[], keys: readonly string[]) {
    super(items, raw);
    this.#keys = keys;
  }
  #keyOf(item: unknown): string {
    return JSON.stringify(this.#keys.map((key) => (isRecord(item) ? (item[key] ?? null) : null)));
  }
  override equals(other: CelList): boolean {
    if (!(other instanceof SchemaList) || this.size !== other.size) return super.equals(other);
    const theirs = new Map(other.raw.map((item) => [this.#keyOf(item), item]));
    return this.raw.every((item, at) => {
      const match = theirs.get(this.#keyOf(item));
      return match !== undefined && equal(this.at(at), celValue(this.items, match));
    });
  }
  override plus(other: CelList): CelList {
    if (!(other instanceof SchemaList)) return super.plus(other);
    const merged = new Map(this.raw.map((item) => [this.#keyOf(item), item]));
    for (const item of other.raw) merged.set(this.#keyOf(item), item);
    return new MapList(this.items, [...merged.values()], this.#keys);
  }
}

/** A literal's item among JSON: sets hold scalars. */
const rawOf = (value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);
