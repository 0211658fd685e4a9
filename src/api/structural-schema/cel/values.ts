import { Duration } from '@marcbachmann/cel-js/evaluator';
import {
  isEmbeddedResource,
  isIntOrString,
  isRecord,
  itemsOf,
  type JsonSchema,
  propertyOf,
  valuesOf,
} from '../json-schema.ts';

/** Words that no field may be called by as they are. Source: KEP-2876, "Field names". */
const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** `a-b` -> `a__dash__b`; undefined for names that rules cannot speak of. */
export function fieldName(name: string): string | undefined {
  if (reserved.has(name)) return `__${name}__`;
  const escaped = name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
  return /^[A-Za-z_][\w]*$/.test(escaped) ? escaped : undefined;
}

/** A JSON value as its schema makes rules see it. */
export function celValue(schema: JsonSchema | undefined, value: unknown, isRoot = false): unknown {
  if (value === null || value === undefined) return null;
  if (schema === undefined) return plainValue(value);
  if (typeof value === 'number') {
    return schema.type === 'number' || !Number.isInteger(value) ? value : BigInt(value);
  }
  if (typeof value === 'string') return isIntOrString(schema) ? value : stringValue(schema, value);
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    return value.map((item) => celValue(items, item));
  }
  return isRecord(value) ? objectValue(schema, value, isRoot) : value;
}

function objectValue(schema: JsonSchema, value: Record<string, any>, isRoot: boolean): unknown {
  const values = valuesOf(schema);
  const isResource = isRoot || isEmbeddedResource(schema);
  if (schema.properties === undefined && !isResource) {
    return new Map(Object.entries(value).map(([key, part]) => [key, celValue(values, part)]));
  }
  const object: Record<string, unknown> = {};
  for (const name of Object.keys(schema.properties ?? {})) {
    const escaped = fieldName(name);
    if (escaped === undefined || !Object.hasOwn(value, name) || value[name] === null) continue;
    object[escaped] = celValue(propertyOf(schema, name), value[name]);
  }
  if (!isResource) return object;
  for (const name of ['apiVersion', 'kind']) if (value[name] !== undefined) object[name] = value[name];
  const { name, generateName } = value['metadata'] ?? {};
  object['metadata'] = { ...(name !== undefined && { name }), ...(generateName !== undefined && { generateName }) };
  return object;
}

/** Where the schema says nothing. */
function plainValue(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(plainValue);
  return isRecord(value) ? new Map(Object.entries(value).map(([key, part]) => [key, plainValue(part)])) : value;
}

function stringValue(schema: JsonSchema, text: string): unknown {
  switch (schema.format?.replaceAll('-', '')) {
    case 'date':
    case 'datetime': {
      const time = new Date(text);
      return Number.isNaN(time.getTime()) ? text : time;
    }
    case 'duration':
      return durationOf(text) ?? text;
    case 'byte':
      return new Uint8Array(Buffer.from(text, 'base64'));
    default:
      return text;
  }
}

const unitNanos: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };

/** `1h30m` as Go writes durations. */
export function durationOf(text: string): Duration | undefined {
  if (!/^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.test(text)) return undefined;
  let nanos = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    nanos += Number(amount) * unitNanos[unit!]!;
  }
  const signed = Math.round(text.startsWith('-') ? -nanos : nanos);
  return new Duration(BigInt(Math.trunc(signed / 1e9)), signed % 1e9);
}
