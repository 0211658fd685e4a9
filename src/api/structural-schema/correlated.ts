import { deepEqual } from '../equality.ts';
import { isRecord, itemsOf, type JsonSchema, propertyOf, valuesOf } from './json-schema.ts';

/**
 * Whether a value is what it was: items of a list with keys are compared with those of the same keys, wherever they
 * stand. Source: apiserver's CorrelatedObject.CachedDeepEqual.
 */
export function isAsBefore(schema: JsonSchema | undefined, value: unknown, old: unknown): boolean {
  if (deepEqual(value, old)) return true;
  if (schema === undefined || !hasKeyedLists(schema)) return false;
  if (Array.isArray(value) && Array.isArray(old)) {
    const keys = keysOf(schema);
    if (keys === undefined || value.length !== old.length) return false;
    const before = new Map(old.map((item) => [identity(item, keys), item]));
    return value.every((item) => {
      const same = before.get(identity(item, keys));
      return same !== undefined && isAsBefore(itemsOf(schema), item, same);
    });
  }
  if (!isRecord(value) || !isRecord(old)) return false;
  const names = Object.keys(value);
  return (
    names.length === Object.keys(old).length &&
    names.every(
      (name) =>
        Object.hasOwn(old, name) && isAsBefore(propertyOf(schema, name) ?? valuesOf(schema), value[name], old[name]),
    )
  );
}

const keysOf = (schema: JsonSchema): readonly string[] | undefined =>
  schema['x-kubernetes-list-type'] === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? undefined) : undefined;

const identity = (item: unknown, keys: readonly string[]): string =>
  JSON.stringify(keys.map((key) => (isRecord(item) ? item[key] : undefined)));

const withKeyedLists = new WeakMap<JsonSchema, boolean>();

function hasKeyedLists(schema: JsonSchema): boolean {
  let found = withKeyedLists.get(schema);
  if (found === undefined) {
    const parts = [...Object.values(schema.properties ?? {}), itemsOf(schema), valuesOf(schema)];
    found = keysOf(schema) !== undefined || parts.some((part) => part !== undefined && hasKeyedLists(part));
    withKeyedLists.set(schema, found);
  }
  return found;
}
