import { cloneJson } from '../json.ts';
import { isRecord, itemsOf, type JsonSchema, propertyOf, setOwn, valuesOf } from './json-schema.ts';

/**
 * Fills in a schema's defaults, in place. Nulls that the schema does not allow become its default, or go where there is
 * none. Source: apiextensions' defaulting.
 */
export function applySchemaDefaults(schema: JsonSchema, value: unknown): void {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items === undefined) return;
    for (let index = 0; index < value.length; index++) {
      if (value[index] === null && items.default !== undefined && items.nullable !== true) {
        value[index] = cloneJson(items.default);
      }
      applySchemaDefaults(items, value[index]);
    }
    return;
  }
  if (!isRecord(value)) return;
  for (const name in schema.properties) {
    const property = schema.properties[name]!;
    if (property.default === undefined) continue;
    const isAbsent = !Object.hasOwn(value, name) || (value[name] === null && property.nullable !== true);
    if (isAbsent) setOwn(value, name, cloneJson(property.default));
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
      value[key] = cloneJson(part.default);
    }
    applySchemaDefaults(part, value[key]);
  }
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
