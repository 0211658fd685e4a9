import { deepEqual } from '../../api/equality.ts';

/**
 * JSON with sorted keys, without what is undefined, null or an empty list: two values give the same text when
 * Kubernetes' semantic equality holds for them.
 */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part) => {
    if (Array.isArray(part)) return part.length === 0 ? undefined : part;
    if (part === null) return undefined;
    if (typeof part !== 'object') return part;
    const sorted: Record<string, unknown> = {};
    for (const key of Object.keys(part).sort()) sorted[key] = part[key];
    return sorted;
  });
}

/** Semantic equality. What is the same as it stands, as most things are, is not written out for that. */
export function isSame(a: unknown, b: unknown): boolean {
  return a === b || deepEqual(a ?? {}, b ?? {}) || canonical(a ?? {}) === canonical(b ?? {});
}

/** Leaves out fields that Go would with `omitempty`: undefined, 0, '' and empty lists. */
export function omitEmpty<T extends Record<string, any>>(object: T): T {
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(object)) {
    if (value === undefined || value === 0 || value === '' || (Array.isArray(value) && value.length === 0)) continue;
    kept[key] = value;
  }
  return kept as T;
}
