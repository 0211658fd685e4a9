import { readFileSync } from 'node:fs';
import type { FieldSchema, TypeSchema, ValueSchema } from './schema.ts';

/**
 * Reads the table that scripts/generate-api writes (its form is described in scripts/generate-api/write_table.go). A
 * type's schema is built when first asked for: most processes use a small part of the table.
 */
interface Table {
  versions: Record<string, { package: string; kinds: string[] }>;
  enums: Record<string, string[]>;
  structures: Record<string, StructureFacts>;
  types: Record<string, Row[]>;
}

/** What is said of a type itself, not of the fields that hold it. */
export interface StructureFacts {
  mapType?: 'atomic' | 'granular';
  /** Of these fields (by JSON's name, to Go's) at most one is set: the one that the discriminator names. */
  union?: { discriminator?: string; members: Record<string, string> };
}
type Row = [name: string, type: string, number: number, flags: number, extra?: RowExtra];
type RowExtra = Pick<
  FieldSchema,
  | 'default'
  | 'patchStrategy'
  | 'patchMergeKey'
  | 'listType'
  | 'listMapKeys'
  | 'mapType'
  | 'goType'
  | 'embedded'
  | 'embeddedIn'
> & { enum?: string };

const table: Table = JSON.parse(readFileSync(new URL('./generated/schema.json', import.meta.url), 'utf8'));
const built = new Map<string, TypeSchema>();

/** Type by full name (`io.k8s.api.core.v1.Pod`); undefined when there is none. */
export function schemaOf(typeName: string): TypeSchema | undefined {
  let schema = built.get(typeName);
  if (schema === undefined) {
    const rows = table.types[typeName];
    if (rows === undefined) return undefined;
    schema = { name: typeName, fields: {} };
    for (const row of rows) schema.fields[row[0]] = fieldOf(row);
    built.set(typeName, schema);
  }
  return schema;
}

export const structureFactsOf = (typeName: string): StructureFacts | undefined => table.structures[typeName];

/** Type by kind, of the groups and versions of Kubernetes itself; '' is the core group. */
export function schemaOfKind(group: string, version: string, kind: string): TypeSchema | undefined {
  const entry = table.versions[group === '' ? version : `${group}/${version}`];
  return entry === undefined ? undefined : schemaOf(`${entry.package}.${kind}`);
}

/** Makes a hand-written type known by its name; names are unique in the process. */
export function registerSchema(schema: TypeSchema): TypeSchema {
  if (schemaOf(schema.name) !== undefined) throw new Error(`type ${schema.name} is registered twice`);
  built.set(schema.name, schema);
  return schema;
}

/** The type an object-valued field holds. */
export function resolveObject(value: { type: string; schema?: TypeSchema }): TypeSchema {
  const schema = value.schema ?? schemaOf(value.type);
  if (schema === undefined) throw new Error(`no type is named ${value.type}`);
  return schema;
}

/** Kinds by `group/version` (`v1` for the core group), lists and options included. */
export const generatedKinds = (): Record<string, { package: string; kinds: string[] }> => table.versions;

function fieldOf([, type, number, flags, extra]: Row): FieldSchema {
  const pointer = (flags & 2) !== 0;
  const omitEmpty = (flags & 4) !== 0;
  const omitZero = (flags & 8) !== 0;
  const value = typeOfCode(type, 0);
  // Go's omitempty never omits a struct; omitzero does.
  const isStruct = ['object', 'quantity', 'time', 'microTime', 'duration', 'intOrString'].includes(value.kind);
  const always = !omitZero && (!omitEmpty || (isStruct && !pointer));
  const { enum: enumName, ...facts } = extra ?? {};
  return {
    type: value,
    number,
    required: (flags & 1) !== 0,
    optional: !always,
    emitted: always ? 'always' : pointer ? 'set' : 'nonzero',
    ...(pointer && { pointer }),
    ...facts,
    ...(enumName !== undefined && { enum: table.enums[enumName] }),
  };
}

const scalars: Record<string, ValueSchema> = {
  s: { kind: 'string' },
  b: { kind: 'boolean' },
  i: { kind: 'int32' },
  l: { kind: 'int64' },
  d: { kind: 'double' },
  y: { kind: 'bytes' },
  q: { kind: 'quantity' },
  t: { kind: 'time' },
  m: { kind: 'microTime' },
  u: { kind: 'duration' },
  o: { kind: 'intOrString' },
  x: { kind: 'any' },
};

function typeOfCode(code: string, at: number): ValueSchema {
  const letter = code[at]!;
  if (letter === '[') return { kind: 'array', items: typeOfCode(code, at + 1) };
  if (letter === '{') return { kind: 'map', values: typeOfCode(code, at + 1) };
  if (letter === '#') return { kind: 'object', type: code.slice(at + 1) };
  return scalars[letter]!;
}
