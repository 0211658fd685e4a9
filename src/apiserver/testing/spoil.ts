import { resolveObject } from '../../api/generated-schema.ts';
import type { TypeSchema, ValueSchema } from '../../api/schema.ts';

/** One field of a sound object made unsound. */
export interface Spoiled {
  /** `spec.containers[0].name`; keys of maps with dots are quoted: `metadata.labels["a.b/c"]`. */
  set: string;
  /** undefined: the field is taken away. */
  to: unknown;
}

type Step = string | number;

export const printPath = (steps: Step[]): string =>
  steps
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[A-Za-z_$][\w$-]*$/.test(step)) return `[${JSON.stringify(step)}]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');

export function parsePath(path: string): Step[] {
  const steps: Step[] = [];
  for (const [, name, index, key] of path.matchAll(/\.?([A-Za-z_$][\w$-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/g)) {
    steps.push(name ?? (index !== undefined ? Number(index) : JSON.parse(key!)));
  }
  return steps;
}

/** A copy with the change made. */
export function apply(object: object, { set, to }: Spoiled): any {
  const copy: any = structuredClone(object);
  const steps = parsePath(set);
  let at = copy;
  for (const step of steps.slice(0, -1)) at = at[step] ??= {};
  const last = steps.at(-1)!;
  if (to !== undefined) at[last] = structuredClone(to);
  else if (Array.isArray(at)) at.splice(Number(last), 1);
  else delete at[last];
  return copy;
}

/** Every field in turn, emptied, denied, doubled, or given what can hardly be right. */
export function* spoil(object: any): Generator<Spoiled> {
  yield* walk(object, []);
}

const kept = new Set(['apiVersion', 'kind']);

function* walk(value: any, steps: Step[]): Generator<Spoiled> {
  const set = printPath(steps);
  if (Array.isArray(value)) {
    if (value.length > 0) {
      yield { set, to: [] };
      yield { set: printPath([...steps, value.length]), to: value[0] };
    }
    for (const [index, item] of value.entries()) yield* walk(item, [...steps, index]);
  } else if (typeof value === 'object' && value !== null) {
    if (steps.length > 1) yield { set, to: {} };
    for (const key of Object.keys(value)) {
      if (steps.length === 0 && kept.has(key)) continue;
      if (steps.length === 0 && key === 'metadata') {
        yield* walk(value[key], [key]);
        continue;
      }
      if (steps.length === 1 && steps[0] === 'metadata' && key === 'name') {
        yield { set: printPath([...steps, key]), to: 'Bad_Name' };
        continue;
      }
      yield { set: printPath([...steps, key]), to: undefined };
      yield* walk(value[key], [...steps, key]);
    }
  } else if (typeof value === 'string') {
    for (const to of ['', 'Bad_Value!', 'other', '-1']) if (to !== value) yield { set, to };
  } else if (typeof value === 'number') {
    for (const to of [-1, 0, value + 1, 3_000_000]) yield { set, to };
  } else if (typeof value === 'boolean') {
    yield { set, to: !value };
  }
}

/** Every field that the object leaves out, given what can hardly be right; two fields deep where it is a structure. */
export function* spoilMissing(
  object: any,
  schema: TypeSchema,
  skip: ReadonlySet<string> = new Set(),
): Generator<Spoiled> {
  for (const [field, { type }] of Object.entries(schema.fields)) {
    if (['kind', 'apiVersion', 'metadata', 'status'].includes(field)) continue;
    yield* missing(object[field], type, [field], 2, skip);
  }
}

function* missing(
  value: any,
  type: ValueSchema,
  steps: Step[],
  depth: number,
  skip: ReadonlySet<string>,
): Generator<Spoiled> {
  if (skip.has(printPath(steps))) return;
  if (type.kind === 'object') {
    const schema = resolveObject(type);
    if (value === undefined) yield { set: printPath(steps), to: {} };
    if (value === undefined && depth === 0) return;
    for (const [field, one] of Object.entries(schema.fields)) {
      // A schema of schemas has no end.
      if (field === 'openAPIV3Schema' || field === 'metadata') continue;
      yield* missing(value?.[field], one.type, [...steps, field], value === undefined ? depth - 1 : depth, skip);
    }
    return;
  }
  if (value === undefined) {
    for (const to of junk(type)) yield { set: printPath(steps), to };
  } else if (type.kind === 'array' && Array.isArray(value)) {
    for (const [index, item] of value.slice(0, 2).entries())
      yield* missing(item, type.items, [...steps, index], depth, skip);
  }
}

function junk(type: ValueSchema): unknown[] {
  switch (type.kind) {
    case 'string':
      return ['', 'Bad_Value!', 'other'];
    case 'int32':
    case 'int64':
    case 'double':
      return [-1, 0, 3_000_000];
    case 'boolean':
      return [true, false];
    case 'quantity':
      return ['-1'];
    case 'intOrString':
      return [-1, 'Bad_Value!'];
    case 'time':
      return ['2020-01-01T00:00:00Z'];
    case 'array':
      return [[], ...junk(type.items).map((item) => [item, item])];
    case 'map':
      return junk(type.values).map((item) => ({ 'Bad key!': item }));
    case 'object':
      return [{}];
    default:
      return [];
  }
}
