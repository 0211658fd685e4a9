import { runAtOnce, type Steps } from '../../base/steps.ts';
import { cloneJson } from '../json/json.ts';
import { isRecord, itemsOf, type JsonSchema, propertyOf, setOwn, valuesOf } from './json-schema.ts';

/** What defaults may add to an object, as JSON: as much as a request may bring. A list of `{}` becomes a thousandfold. */
export const mostAddedBytes = 3 * 1024 * 1024;

/** Defaults of a small object and a small schema can make an object of gigabytes. */
export class TooManyDefaults extends Error {
  constructor() {
    super('defaults make the object too large');
  }
}

/**
 * Fills in a schema's defaults, in place. Nulls that the schema does not allow become its default, or go where there is
 * none. Throws TooManyDefaults, with some filled in, where they would add megabytes.
 * Returns how many bytes of JSON they added, about.
 * Source: apiextensions' defaulting.
 */
export function* schemaDefaultsSteps(schema: JsonSchema, value: unknown): Steps<number> {
  const left: Left = { bytes: mostAddedBytes, effort: effortAtOnce };
  const parts: Part[] = [[schema, value]];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    fillIn(part[0], part[1], left, parts);
    if (left.effort > 0) continue;
    left.effort = effortAtOnce;
    yield;
  }
  return mostAddedBytes - left.bytes;
}

export const applySchemaDefaults = (schema: JsonSchema, value: unknown): number =>
  runAtOnce(schemaDefaultsSteps(schema, value));

type Part = [schema: JsonSchema, value: unknown];

/** Members that are looked at or set, between two steps. */
const effortAtOnce = 2000;

interface Left {
  bytes: number;
  effort: number;
}

const holdsMore = (value: unknown): boolean => typeof value === 'object' && value !== null;

/** One value; what it holds goes to `parts`. */
function fillIn(schema: JsonSchema, value: unknown, left: Left, parts: Part[]): void {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items === undefined) return;
    left.effort -= value.length;
    for (let index = 0; index < value.length; index++) {
      if (value[index] === null && items.default !== undefined && items.nullable !== true) {
        value[index] = defaultOf(items, left);
      }
      if (holdsMore(value[index])) parts.push([items, value[index]]);
    }
    return;
  }
  if (!isRecord(value)) return;
  const defaulted = defaultedProperties(schema);
  left.effort -= 1 + defaulted.length;
  for (const [name, property] of defaulted) {
    const isAbsent = !Object.hasOwn(value, name) || (value[name] === null && property.nullable !== true);
    if (!isAbsent) continue;
    left.bytes -= name.length + 4;
    setOwn(value, name, defaultOf(property, left));
  }
  const values = valuesOf(schema);
  for (const key of Object.keys(value)) {
    left.effort--;
    const part = propertyOf(schema, key) ?? values;
    if (part === undefined) continue;
    if (value[key] === null && part.nullable !== true) {
      if (part.default === undefined) {
        delete value[key];
        continue;
      }
      value[key] = defaultOf(part, left);
    }
    if (holdsMore(value[key])) parts.push([part, value[key]]);
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
