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

/** Semantic equality: whether both have the same canonical text, without writing that. Asked for every change of every pod. */
export function isSame(a: unknown, b: unknown): boolean {
  return isAlike(a ?? {}, b ?? {});
}

function isAlike(a: any, b: any): boolean {
  if (a === b) return true;
  if (isNothing(a) || isNothing(b)) return isNothing(a) && isNothing(b);
  if (typeof a !== 'object' || typeof b !== 'object' || Array.isArray(a) !== Array.isArray(b)) return false;
  if (Array.isArray(a)) {
    if (a.length !== b.length) return false;
    for (let index = 0; index < a.length; index++) if (!isAlike(a[index], b[index])) return false;
    return true;
  }
  for (const key in a) if (!isAlike(a[key], Object.hasOwn(b, key) ? b[key] : undefined)) return false;
  for (const key in b) if (!Object.hasOwn(a, key) && !isNothing(b[key])) return false;
  return true;
}

const isNothing = (value: unknown): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0);

/** Leaves out fields that Go would with `omitempty`: undefined, 0, '' and empty lists. */
export function omitEmpty<T extends Record<string, any>>(object: T): T {
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(object)) {
    if (value === undefined || value === 0 || value === '' || (Array.isArray(value) && value.length === 0)) continue;
    kept[key] = value;
  }
  return kept as T;
}
