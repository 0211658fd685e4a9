import { runAtOnce, type Steps } from '../../base/steps.ts';
import type { FieldError } from '../status.ts';
import { Findings } from '../validation/findings.ts';
import { isRecord, itemsOf, type JsonSchema, propertyOf, valuesOf } from './json-schema.ts';

/** Items of sets, and keys of list-maps, that stand twice. Source: apiextensions' listtype validation. */
export function* listTypeChecks(schema: JsonSchema, value: unknown): Steps<FieldError[]> {
  const findings = new Findings();
  if (hasListTypes(schema)) yield* walk(schema, value, '', findings, { steps: 0 });
  return findings.list;
}

export const validateListTypes = (schema: JsonSchema, value: unknown): FieldError[] =>
  runAtOnce(listTypeChecks(schema, value));

const findingsKept = 1000;
const stepsBetweenYields = 200;
const having = new WeakMap<JsonSchema, boolean>();

/** Whether any part is a set or a map: most schemas need no walk. */
function hasListTypes(schema: JsonSchema): boolean {
  let known = having.get(schema);
  if (known === undefined) {
    known =
      ['set', 'map'].includes(schema['x-kubernetes-list-type'] ?? '') ||
      [...Object.values(schema.properties ?? {}), itemsOf(schema), valuesOf(schema)].some(
        (part) => part !== undefined && hasListTypes(part),
      );
    having.set(schema, known);
  }
  return known;
}

function* walk(
  schema: JsonSchema,
  value: unknown,
  path: string,
  findings: Findings,
  count: { steps: number },
): Steps<void> {
  if (++count.steps % stepsBetweenYields === 0) yield;
  if (findings.list.length >= findingsKept || !hasListTypes(schema)) return;
  if (Array.isArray(value)) {
    if (schema['x-kubernetes-list-type'] === 'set') {
      for (const index of yield* repeated(value)) findings.duplicate(`${path}[${index}]`, value[index]);
    } else if (schema['x-kubernetes-list-type'] === 'map') {
      yield* checkMap(schema['x-kubernetes-list-map-keys'] ?? [], value, path, findings);
    }
    const items = itemsOf(schema);
    if (items === undefined || !hasListTypes(items)) return;
    for (let index = 0; index < value.length; index++) {
      yield* walk(items, value[index], `${path}[${index}]`, findings, count);
    }
  } else if (isRecord(value)) {
    const values = valuesOf(schema);
    for (const key in value) {
      const property = propertyOf(schema, key);
      if (property !== undefined) {
        yield* walk(property, value[key], path === '' ? key : `${path}.${key}`, findings, count);
      } else if (values !== undefined) yield* walk(values, value[key], `${path}[${key}]`, findings, count);
    }
  }
}

function* checkMap(keyFields: string[], list: unknown[], path: string, findings: Findings): Steps<void> {
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
  for (const index of yield* repeated(keys)) findings.duplicate(`${path}[${index}]`, keys[index]);
}

/** The second occurrence of each value that occurs more than once. */
function* repeated(list: unknown[]): Steps<number[]> {
  if (list.length <= 1) return [];
  const seen = new Map<string, number>();
  const found: number[] = [];
  for (let index = 0; index < list.length && found.length < findingsKept; index++) {
    if (index % stepsBetweenYields === stepsBetweenYields - 1) yield;
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
