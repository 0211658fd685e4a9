import { cloneJson } from '../json.ts';
import { isRecord, itemsOf, type JsonSchema, propertyOf, setOwn, valuesOf } from './json-schema.ts';

/** What defaults may add to an object, as JSON: as much as a request may bring. A list of `{}` becomes a thousandfold. */
const mostAddedBytes = 3 * 1024 * 1024;

/** Defaults of a small object and a small schema can make an object of gigabytes. */
export class TooManyDefaults extends Error {
  constructor() {
    super('defaults make the object too large');
  }
}

/**
 * Fills in a schema's defaults, in place. Nulls that the schema does not allow become its default, or go where there is
 * none. Throws TooManyDefaults, with some filled in, where they would add megabytes.
 * Source: apiextensions' defaulting.
 */
export function applySchemaDefaults(schema: JsonSchema, value: unknown): void {
  fillIn(schema, value, { bytes: mostAddedBytes });
}

interface Left {
  bytes: number;
}

function fillIn(schema: JsonSchema, value: unknown, left: Left): void {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items === undefined) return;
    for (let index = 0; index < value.length; index++) {
      if (value[index] === null && items.default !== undefined && items.nullable !== true) {
        value[index] = defaultOf(items, left);
      }
      fillIn(items, value[index], left);
    }
    return;
  }
  if (!isRecord(value)) return;
  for (const [name, property] of defaultedProperties(schema)) {
    const isAbsent = !Object.hasOwn(value, name) || (value[name] === null && property.nullable !== true);
    if (!isAbsent) continue;
    left.bytes -= name.length + 4;
    setOwn(value, name, defaultOf(property, left));
  }
  const values = valuesOf(schema);
  for (const key of Object.keys(value)) {
    const part = propertyOf(schema, key) ?? values;
    if (part === undefined) continue;
    if (value[key] === null && part.nullable !== true) {
      if (part.default === undefined) {
        delete value[key];
        continue;
      }
      value[key] = defaultOf(part, left);
    }
    fillIn(part, value[key], left);
  }
}

const sizes = new WeakMap<JsonSchema, number>();

function defaultOf(schema: JsonSchema, left: Left): unknown {
  let size = sizes.get(schema);
  if (size === undefined) sizes.set(schema, (size = JSON.stringify(schema.default)?.length ?? 0));
  left.bytes -= size;
  if (left.bytes < 0) throw new TooManyDefaults();
  return cloneJson(schema.default);
}

const defaulted = new WeakMap<JsonSchema, [name: string, property: JsonSchema][]>();

function defaultedProperties(schema: JsonSchema): [name: string, property: JsonSchema][] {
  let known = defaulted.get(schema);
  if (known === undefined) {
    known = Object.entries(schema.properties ?? {}).filter(([, property]) => property.default !== undefined);
    defaulted.set(schema, known);
  }
  return known;
}

const leads = new WeakMap<JsonSchema, boolean>();

/** Whether any part has a default: stored objects of most schemas need no second look. */
export function leadsToDefault(schema: JsonSchema): boolean {
  let known = leads.get(schema);
  if (known === undefined) {
    const parts = [...Object.values(schema.properties ?? {}), itemsOf(schema), valuesOf(schema)];
    known = parts.some((part) => part !== undefined && (part.default !== undefined || leadsToDefault(part)));
    leads.set(schema, known);
  }
  return known;
}
