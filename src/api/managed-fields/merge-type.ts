import { resolveObject } from '../generated-schema.ts';
import type { FieldSchema, TypeSchema, ValueSchema } from '../schema.ts';

/**
 * How values of a type merge. A value of no single type (intOrString, any JSON) has several alternatives; the value
 * tells which counts. Source: structured-merge-diff's schema.Atom.
 */
export interface MergeType {
  readonly scalar?: ScalarType;
  readonly list?: ListType;
  readonly map?: MapType;
}

export type ScalarType = 'string' | 'numeric' | 'boolean' | 'untyped';

export interface ListType {
  readonly atomic: boolean;
  /** Empty: a set of scalars. */
  readonly keys: readonly string[];
  /** Keys that an item may leave out, and what they then are. */
  readonly keyDefaults: Readonly<Record<string, unknown>>;
  readonly items: MergeType;
}

export interface MapType {
  readonly atomic: boolean;
  /** Of a struct; its fields are no members of sets, those of a map are. */
  readonly fields: ReadonlyMap<string, MergeType>;
  /** What the other fields are; undefined where there may be none. */
  readonly elements: MergeType | undefined;
  /** Fields that are passed over, as if the schema knew none of them. */
  readonly skipped?: ReadonlySet<string>;
}

const noFields: ReadonlyMap<string, MergeType> = new Map();
const untypedScalar: MergeType = { scalar: 'untyped' };

/** Any JSON, taken as a whole. */
export const untypedAtomic: MergeType = {
  scalar: 'untyped',
  list: {
    atomic: true,
    keys: [],
    keyDefaults: {},
    get items() {
      return untypedAtomic;
    },
  },
  map: {
    atomic: true,
    fields: noFields,
    get elements() {
      return untypedAtomic;
    },
  },
};

/** Any JSON without a schema: maps by field, lists as a whole. */
export const deducedType: MergeType = {
  scalar: 'untyped',
  list: { atomic: true, keys: [], keyDefaults: {}, items: untypedAtomic },
  map: {
    atomic: false,
    fields: noFields,
    get elements() {
      return deducedType;
    },
  },
};

/** Structs that are atomic wherever they stand; the table says so only of the fields that hold one. */
const atomicInLists = new Set([
  'io.k8s.api.admissionregistration.v1.Variable',
  'io.k8s.api.core.v1.LocalObjectReference',
  'io.k8s.api.core.v1.ObjectReference',
  'io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference',
]);

const granular = new WeakMap<TypeSchema, MergeType>();
const atomic = new WeakMap<TypeSchema, MergeType>();

/** The merge type of a schema, built once. */
export function mergeTypeOf(schema: TypeSchema, isAtomic = false): MergeType {
  const known = isAtomic ? atomic : granular;
  let type = known.get(schema);
  if (type === undefined) {
    type = { map: new StructType(schema, isAtomic) };
    known.set(schema, type);
  }
  return type;
}

/** Types may refer to themselves: fields are looked at when first asked for. */
class StructType implements MapType {
  readonly atomic: boolean;
  readonly elements: MergeType | undefined;
  readonly #schema: TypeSchema;
  #fields: Map<string, MergeType> | undefined;

  constructor(schema: TypeSchema, isAtomic: boolean) {
    this.atomic = isAtomic;
    this.elements = schema.preserveUnknownFields === true ? deducedType : undefined;
    this.#schema = schema;
  }

  get fields(): Map<string, MergeType> {
    return this.#fields ?? this.#build();
  }

  #build(): Map<string, MergeType> {
    const fields = new Map<string, MergeType>();
    const custom = isCustom(this.#schema);
    for (const name in this.#schema.fields) fields.set(name, fieldType(this.#schema.fields[name]!, custom));
    this.#fields = fields;
    return fields;
  }
}

/** Built-in types have a name by which they are found. */
const isCustom = (schema: TypeSchema) => schema.preserveUnknownFields === true || !schema.name.startsWith('io.k8s.');

function fieldType(field: FieldSchema, custom: boolean): MergeType {
  const { type } = field;
  if (type.kind === 'array') return listTypeOf(type.items, field, custom);
  return valueType(type, field.mapType === 'atomic', custom);
}

function valueType(type: ValueSchema, isAtomic: boolean, custom: boolean): MergeType {
  switch (type.kind) {
    case 'string':
    case 'bytes':
    case 'duration':
      return { scalar: 'string' };
    case 'boolean':
      return { scalar: 'boolean' };
    case 'int32':
    case 'int64':
    case 'double':
      return { scalar: 'numeric' };
    case 'quantity':
    case 'intOrString':
    case 'time':
    case 'microTime':
      return untypedScalar;
    case 'any':
      return custom && !isAtomic ? deducedType : untypedAtomic;
    case 'array':
      return listTypeOf(type.items, {}, custom);
    case 'map': {
      const elements = valueType(type.values, false, custom);
      return { map: { atomic: isAtomic || type.atomic === true, fields: noFields, elements } };
    }
    case 'object':
      return mergeTypeOf(resolveObject(type), isAtomic || type.atomic === true);
  }
}

type ListFacts = Pick<FieldSchema, 'listType' | 'listMapKeys' | 'patchStrategy' | 'patchMergeKey'>;

/** Lists that say nothing are atomic, but for those that strategic merge patches merge. */
function listTypeOf(items: ValueSchema, facts: ListFacts, custom: boolean): MergeType {
  const merged = facts.listType === undefined && facts.patchStrategy?.includes('merge') === true;
  const isAtomic = merged ? false : facts.listType === undefined || facts.listType === 'atomic';
  const keys = merged
    ? facts.patchMergeKey === undefined
      ? []
      : [facts.patchMergeKey]
    : facts.listType === 'map'
      ? (facts.listMapKeys ?? []).toSorted()
      : [];
  const keyDefaults: Record<string, unknown> = {};
  if (keys.length > 0 && items.kind === 'object') {
    const { fields } = resolveObject(items);
    for (const key of keys) {
      const value = fields[key] === undefined ? undefined : defaultOf(fields[key]);
      if (value !== undefined) keyDefaults[key] = value;
    }
  }
  const isAtomicItem = items.kind === 'object' && atomicInLists.has(items.type);
  return { list: { atomic: isAtomic, keys, keyDefaults, items: valueType(items, isAtomicItem, custom) } };
}

/** What is always written has a default even where none is declared: its zero. */
function defaultOf(field: FieldSchema): unknown {
  if (field.default !== undefined || field.emitted !== 'always' || field.pointer) return field.default;
  const { kind } = field.type;
  return kind === 'string' ? '' : kind === 'int32' || kind === 'int64' || kind === 'double' ? 0 : undefined;
}

/** Which alternative of a type a value takes: the one it fits, else the first of map, scalar, list. */
export type Alternative = 'map' | 'scalar' | 'list';
export function alternativeOf(type: MergeType, value: unknown): Alternative {
  if (Array.isArray(value)) {
    if (type.list !== undefined) return 'list';
  } else if (typeof value === 'object' && value !== null) {
    if (type.map !== undefined) return 'map';
  } else if (value !== null && value !== undefined && type.scalar !== undefined) {
    return 'scalar';
  }
  return type.map !== undefined ? 'map' : type.scalar !== undefined ? 'scalar' : 'list';
}

export const mapOf = (value: unknown): Record<string, any> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, any>) : undefined;
export const listOf = (value: unknown): any[] | undefined => (Array.isArray(value) ? value : undefined);

export function isEmptyMap(map: Record<string, any> | undefined): boolean {
  if (map === undefined) return true;
  for (const key in map) if (map[key] !== undefined) return false;
  return true;
}

/** The type of a field; undefined where the schema knows none. */
export function typeOfField(map: MapType, name: string): MergeType | undefined {
  const type = map.fields.get(name);
  if (type !== undefined || map.elements === undefined || map.skipped?.has(name)) return type;
  return map.elements;
}
