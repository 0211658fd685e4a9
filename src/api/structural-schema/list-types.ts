import type { FieldError } from '../status.ts';
import { Findings } from '../validation/findings.ts';
import { isRecord, itemsOf, type JsonSchema, propertyOf, valuesOf } from './json-schema.ts';

/** Items of sets, and keys of list-maps, that stand twice. Source: apiextensions' listtype validation. */
export function validateListTypes(schema: JsonSchema, value: unknown): FieldError[] {
  const findings = new Findings();
  walk(schema, value, '', findings);
  return findings.list;
}

function walk(schema: JsonSchema, value: unknown, path: string, findings: Findings): void {
  if (Array.isArray(value)) {
    if (schema['x-kubernetes-list-type'] === 'set') {
      for (const index of repeated(value)) findings.duplicate(`${path}[${index}]`, value[index]);
    } else if (schema['x-kubernetes-list-type'] === 'map') {
      checkMap(schema['x-kubernetes-list-map-keys'] ?? [], value, path, findings);
    }
    const items = itemsOf(schema);
    if (items === undefined) return;
    for (let index = 0; index < value.length; index++) walk(items, value[index], `${path}[${index}]`, findings);
  } else if (isRecord(value)) {
    const values = valuesOf(schema);
    for (const key in value) {
      const property = propertyOf(schema, key);
      if (property !== undefined) walk(property, value[key], path === '' ? key : `${path}.${key}`, findings);
      else if (values !== undefined) walk(values, value[key], `${path}[${key}]`, findings);
    }
  }
}

function checkMap(keyFields: string[], list: unknown[], path: string, findings: Findings): void {
  for (let index = 0; index < list.length; index++) {
    if (list[index] === null || isRecord(list[index])) continue;
    findings.invalid(`${path}[${index}]`, list[index], 'must be an object for an array of list-type map');
    return;
  }
  const keys = list.map((item: any) => {
    const key: Record<string, unknown> = {};
    for (const field of keyFields) if (item?.[field] !== undefined) key[field] = item[field];
    return key;
  });
  for (const index of repeated(keys)) findings.duplicate(`${path}[${index}]`, keys[index]);
}

/** The second occurrence of each value that occurs more than once. */
function repeated(list: unknown[]): number[] {
  if (list.length <= 1) return [];
  const seen = new Map<string, number>();
  const found: number[] = [];
  for (let index = 0; index < list.length; index++) {
    const text = canonical(list[index]);
    const times = (seen.get(text) ?? 0) + 1;
    seen.set(text, times);
    if (times === 2) found.push(index);
  }
  return found;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isRecord(value)) return JSON.stringify(value);
  const parts = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${parts.join(',')}}`;
}
