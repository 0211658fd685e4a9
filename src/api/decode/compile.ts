import { resolveObject } from '../generated-schema.ts';
import { cloneJson } from '../json/json.ts';
import { canonicalQuantity } from '../quantity.ts';
import type { FieldSchema, TypeSchema, ValueSchema } from '../schema.ts';
import { prune } from '../structural-schema/prune.ts';
import { canonicalMicroTimeOf, canonicalTimeOf } from '../time.ts';
import { type DecodeIssues, embeddedSegment, indexSegment, mapKeySegment } from './issues.ts';

/** undefined: nothing to store (wrong type, null, or nothing given). */
type Decode = (value: any, issues: DecodeIssues) => any;

interface CompiledField {
  name: string;
  decode: Decode;
  /** Segments of the structs it is embedded through, innermost first. */
  embeddedIn?: string[];
}

export interface CompiledType {
  decode: Decode;
}

const compiled = new WeakMap<TypeSchema, CompiledType>();

/** The walker of a type, built once. Types may refer to themselves, so fields look theirs up when first walked. */
export function compiledType(schema: TypeSchema): CompiledType {
  let type = compiled.get(schema);
  if (type === undefined) {
    type = compile(schema);
    compiled.set(schema, type);
  }
  return type;
}

const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

function compile(schema: TypeSchema): CompiledType {
  if (schema.structural !== undefined) return compileCustom(schema);
  const struct = schema.name.slice(schema.name.lastIndexOf('.') + 1);
  const goType = shortName(schema.name);
  const fields = new Map<string, CompiledField>();
  const always: { name: string; zero: () => unknown }[] = [];
  for (const name of Object.keys(schema.fields)) {
    const field = schema.fields[name]!;
    const embeddedIn = field.embeddedIn?.map(embeddedSegment).reverse();
    fields.set(name, { name, decode: fieldDecoder(field), embeddedIn });
    if (field.emitted === 'always') always.push({ name, zero: zeroOf(field) });
  }
  // The platform's components read it on objects and write objects back; it is never stored.
  const ignored = schema.name === OBJECT_META ? 'clusterName' : undefined;

  const decode: Decode = (value, issues) => {
    if (value === null || value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) {
      issues.wrongType(value, goType);
      return undefined;
    }
    const object: any = {};
    for (const key in value) {
      const field = fields.get(key);
      if (field === undefined) {
        if (schema.preserveUnknownFields === true) setOwn(object, key, cloneJson(value[key]));
        else if (issues.strict && key !== ignored) issues.unknownField(key);
        continue;
      }
      const count = issues.found.length;
      const decoded = field.decode(value[key], issues);
      if (issues.found.length > count) {
        issues.within(count, key, struct);
        for (const segment of field.embeddedIn ?? []) issues.within(count, segment);
      }
      if (decoded !== undefined) object[key] = decoded;
    }
    for (let i = 0; i < always.length; i++) {
      const { name, zero } = always[i]!;
      if (object[name] === undefined) object[name] = zero();
    }
    // An unknown field's own issue was pushed with its name; the parents add theirs.
    return object;
  };
  return { decode };
}

/** For the metadata of any resource, which is undefined only where `value` is nothing or is none. */
export const decodeMetadata: Decode = (value, issues) =>
  compiledType(resolveObject({ type: OBJECT_META })).decode(value, issues);

function compileCustom({ structural, name }: TypeSchema): CompiledType {
  return {
    decode(value, issues) {
      if (value === null || value === undefined) return undefined;
      if (typeof value === 'object' && !Array.isArray(value))
        return prune(structural, value, issues, decodeMetadata, true);
      issues.wrongType(value, shortName(name));
      return undefined;
    },
  };
}

/** What Go writes for a field that has no value and is written all the same. */
function zeroOf(field: FieldSchema): () => unknown {
  const { type } = field;
  if (field.pointer) return () => null;
  switch (type.kind) {
    case 'string':
      return () => '';
    case 'bytes':
    case 'any':
    case 'time':
    case 'microTime':
      return () => null;
    case 'boolean':
      return () => false;
    case 'int32':
    case 'int64':
    case 'double':
    case 'intOrString':
      return () => 0;
    case 'quantity':
      return () => '0';
    case 'duration':
      return () => '0s';
    case 'array':
      return () => [];
    case 'map':
      return () => ({});
    case 'object': {
      let empty: Decode | undefined;
      return () => {
        empty ??= compiledType(resolveObject(type)).decode;
        return empty({}, undefined as never);
      };
    }
  }
}

function fieldDecoder(field: FieldSchema): Decode {
  const decode = valueDecoder(field.type, field.goType ?? goTypeOf(field.type));
  if (field.emitted !== 'nonzero') return decode;
  switch (field.type.kind) {
    case 'array':
      return (value, issues) => {
        const list = decode(value, issues);
        return list === undefined || list.length === 0 ? undefined : list;
      };
    case 'map':
      return (value, issues) => {
        const map = decode(value, issues);
        for (const _ in map) return map;
        return undefined;
      };
    case 'string':
    case 'bytes':
    case 'boolean':
    case 'int32':
    case 'int64':
    case 'double':
      return (value, issues) => decode(value, issues) || undefined;
    default:
      return decode;
  }
}

function valueDecoder(schema: ValueSchema, goType: string): Decode {
  switch (schema.kind) {
    case 'string':
      return (value, issues) => {
        if (typeof value === 'string') return value;
        if (value !== null && value !== undefined) issues.wrongType(value, goType);
        return undefined;
      };
    case 'boolean':
      return (value, issues) => {
        if (typeof value === 'boolean') return value;
        if (value !== null && value !== undefined) issues.wrongType(value, goType);
        return undefined;
      };
    case 'int32':
      return integerDecoder(goType, -2147483648, 2147483647);
    case 'int64':
      return integerDecoder(goType, -(2 ** 63), 2 ** 63);
    case 'double':
      return (value, issues) => {
        if (typeof value === 'number') return value;
        if (value !== null && value !== undefined) issues.wrongType(value, goType);
        return undefined;
      };
    case 'bytes':
      return bytesDecoder(goType);
    case 'quantity':
      return parsedDecoder((value) => {
        if (typeof value !== 'string' && typeof value !== 'number') return canonicalQuantity('x');
        return canonicalQuantity(typeof value === 'string' ? value.trim() : value);
      });
    case 'time':
      return timeDecoder(canonicalTimeOf);
    case 'microTime':
      return timeDecoder(canonicalMicroTimeOf);
    case 'duration':
      return timeDecoder((text) => {
        if (!/^[+-]?(?:0|(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) {
          throw new Error(`time: invalid duration ${JSON.stringify(text)}`);
        }
        return text;
      });
    case 'intOrString':
      return (value, issues) => {
        if (typeof value === 'string') return value;
        if (value === null || value === undefined) return undefined;
        if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2147483647) return value;
        issues.wrongType(value, 'int32', typeof value === 'number' ? ` ${value}` : '');
        return undefined;
      };
    case 'any':
      if (goType.startsWith('v1.JSONSchemaPropsOr')) return schemaOrDecoder(goType);
      return (value) => (value === null ? undefined : cloneJson(value));
    case 'array':
      return arrayDecoder(schema.items, goType);
    case 'map':
      return mapDecoder(schema.values, goType);
    case 'object': {
      let decode: Decode | undefined;
      return (value, issues) => {
        decode ??= compiledType(resolveObject(schema)).decode;
        return decode(value, issues);
      };
    }
  }
}

function integerDecoder(goType: string, smallest: number, largest: number): Decode {
  return (value, issues) => {
    if (typeof value === 'number') {
      if (Number.isInteger(value) && value >= smallest && value <= largest) return value === 0 ? 0 : value;
      issues.wrongType(value, goType, ` ${value}`);
    } else if (value !== null && value !== undefined) {
      issues.wrongType(value, goType);
    }
    return undefined;
  };
}

function bytesDecoder(goType: string): Decode {
  return (value, issues) => {
    if (typeof value !== 'string') {
      if (value !== null && value !== undefined) issues.wrongType(value, goType);
      return undefined;
    }
    const text = /[\r\n]/.test(value) ? value.replace(/[\r\n]/g, '') : value;
    const bad = badBase64At(text);
    if (bad < 0) return text;
    issues.refused(`illegal base64 data at input byte ${bad}`);
    return undefined;
  };
}

/** Where Go's decoder stops; -1 when the text is sound. */
function badBase64At(text: string): number {
  const end = /^[A-Za-z0-9+/]*/.exec(text)![0].length;
  const padding = text.length - end;
  if (padding === 0) return text.length % 4 === 0 ? -1 : text.length - (text.length % 4);
  if (padding > 2 || text.length % 4 !== 0) return end;
  return text.slice(end) === '='.repeat(padding) ? -1 : end;
}

function parsedDecoder(parse: (value: unknown) => unknown): Decode {
  return (value, issues) => {
    if (value === null || value === undefined) return undefined;
    try {
      return parse(value);
    } catch (error) {
      issues.refused((error as Error).message);
      return undefined;
    }
  };
}

function timeDecoder(parse: (text: string) => string): Decode {
  const decode = parsedDecoder(parse as (value: unknown) => string);
  return (value, issues) => {
    if (typeof value === 'string' || value === null || value === undefined) return decode(value, issues);
    issues.wrongType(value, 'string');
    return undefined;
  };
}

function arrayDecoder(items: ValueSchema, goType: string): Decode {
  const decodeItem = valueDecoder(items, elementOf(goType, items));
  const zero = zeroOf({ type: items, number: 0, required: false, optional: false });
  return (value, issues) => {
    if (value === null || value === undefined) return undefined;
    if (!Array.isArray(value)) {
      issues.wrongType(value, goType);
      return undefined;
    }
    const list = new Array(value.length);
    for (let i = 0; i < value.length; i++) {
      const count = issues.found.length;
      const item = decodeItem(value[i], issues);
      if (issues.found.length > count) issues.within(count, indexSegment(i));
      list[i] = item === undefined ? zero() : item;
    }
    return list;
  };
}

function mapDecoder(values: ValueSchema, goType: string): Decode {
  const decodeValue = valueDecoder(values, elementOf(goType, values));
  // Bytes that are not there are none in a map, as they are once they were stored.
  const zero =
    values.kind === 'bytes' ? () => '' : zeroOf({ type: values, number: 0, required: false, optional: false });
  return (value, issues) => {
    if (value === null || value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) {
      issues.wrongType(value, goType);
      return undefined;
    }
    const map: any = {};
    for (const key in value) {
      const count = issues.found.length;
      const item = decodeValue(value[key], issues);
      if (issues.found.length > count) issues.within(count, mapKeySegment(key));
      setOwn(map, key, item === undefined ? zero() : item);
    }
    return map;
  };
}

const SCHEMA_PROPERTIES = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';

/**
 * `items`, `additionalProperties` and `dependencies` of a definition's schema: a schema, or a list of them, or true, or
 * names. Source: apiextensions/v1/marshal.go.
 */
function schemaOrDecoder(goType: string): Decode {
  const one: ValueSchema = { kind: 'object', type: SCHEMA_PROPERTIES };
  const decodeOne = valueDecoder(one, 'v1.JSONSchemaProps');
  const isOrArray = goType.endsWith('OrArray');
  const decodeList = isOrArray
    ? arrayDecoder(one, '[]v1.JSONSchemaProps')
    : arrayDecoder({ kind: 'string' }, '[]string');
  return (value, issues) => {
    if (value === null || value === undefined) return undefined;
    if (Array.isArray(value) && !goType.endsWith('OrBool')) return decodeLoosely(decodeList, value, issues);
    if (typeof value === 'object' && !Array.isArray(value)) return decodeLoosely(decodeOne, value, issues);
    if (goType.endsWith('OrBool')) {
      if (typeof value === 'boolean') return value;
      issues.refused('boolean or JSON schema expected');
    }
    return undefined;
  };
}

/** Types of Go that read themselves do not tell of fields that nobody knows. */
function decodeLoosely(decode: Decode, value: unknown, issues: DecodeIssues): unknown {
  const count = issues.found.length;
  const decoded = decode(value, issues);
  if (issues.found.length > count) issues.forgetUnknown(count);
  return decoded;
}

/** Plain assignment to `__proto__` would set the prototype. */
function setOwn(object: any, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    object[key] = value;
  }
}

const shortName = (name: string): string => name.split('.').slice(-2).join('.');

function goTypeOf(schema: ValueSchema): string {
  switch (schema.kind) {
    case 'boolean':
      return 'bool';
    case 'double':
      return 'float64';
    case 'bytes':
      return '[]uint8';
    case 'array':
      return `[]${goTypeOf(schema.items)}`;
    case 'map':
      return `map[string]${goTypeOf(schema.values)}`;
    case 'object':
      return shortName(schema.type);
    default:
      return schema.kind;
  }
}

/** `[]v1.X` -> `v1.X`, `map[K]V` -> `V`; a named list type hides its element's name. */
function elementOf(goType: string, element: ValueSchema): string {
  if (goType.startsWith('[]')) return goType.slice(2);
  if (goType.startsWith('map[')) return goType.slice(goType.indexOf(']') + 1);
  return goTypeOf(element);
}
