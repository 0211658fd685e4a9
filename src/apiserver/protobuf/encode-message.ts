import { resolveObject, schemaOf } from '../../api/generated-schema.ts';
import { type FieldSchema, type TypeSchema, type ValueSchema, zeroScalar } from '../../api/schema.ts';
import { WireWriter } from './wire-writer.ts';

/**
 * Writes an object as Kubernetes' generated Go code writes it, byte for byte: fields in the order of their numbers, zero
 * values of what is no pointer included, the keys of maps sorted. The field numbers come with the generated schema.
 */
type Write = (writer: WireWriter, object: Record<string, any>) => void;

/** Fields are written from the last to the first: the writer goes backwards. */
const compiled = new WeakMap<TypeSchema, Write[]>();

/** The bare message, without the envelope that says its kind. */
export function encodeMessage(schema: TypeSchema, object: object): Buffer {
  const writer = new WireWriter();
  writeMessage(writer, schema, object);
  return writer.take();
}

export function writeMessage(writer: WireWriter, schema: TypeSchema, object: Record<string, any>): void {
  for (const write of writesOf(schema)) write(writer, object);
}

function writesOf(schema: TypeSchema): Write[] {
  let writes = compiled.get(schema);
  if (writes === undefined) {
    writes = compile(
      Object.entries(schema.fields).filter(([, field]) => field.number > 0),
      0,
    );
    compiled.set(schema, writes);
  }
  return writes;
}

/** `depth`: so many embedded messages are we in; a field's `embedded` says through which it is reached. */
function compile(fields: [string, FieldSchema][], depth: number): Write[] {
  const writes: { number: number; write: Write }[] = [];
  const embedded = new Map<number, [string, FieldSchema][]>();
  for (const entry of fields) {
    const [name, field] = entry;
    const through = field.embedded?.[depth];
    if (through === undefined) writes.push({ number: field.number, write: fieldWriter(name, field) });
    else embedded.set(through, [...(embedded.get(through) ?? []), entry]);
  }
  for (const [number, inner] of embedded) {
    const innerWrites = compile(inner, depth + 1);
    writes.push({
      number,
      write(writer, object) {
        const end = writer.length;
        for (const write of innerWrites) write(writer, object);
        writer.varint(writer.length - end);
        writer.tag(number, 2);
      },
    });
  }
  return writes.sort((a, b) => b.number - a.number).map(({ write }) => write);
}

function fieldWriter(name: string, field: FieldSchema): Write {
  const { type, number, pointer = false, goType = '' } = field;
  if (type.kind === 'array') {
    const writeItem = valueWriter(type.items, number);
    // A list type with a name of its own is a message that holds the list.
    if (goType === 'v1.Verbs') {
      return (writer, object) => {
        if (object[name] != null) writeNamedList(writer, number, object[name]);
      };
    }
    return (writer, object) => {
      const list = object[name];
      if (!Array.isArray(list)) return;
      for (let index = list.length - 1; index >= 0; index--) writeItem(writer, list[index] ?? zeroOf(type.items));
    };
  }
  if (type.kind === 'map') return mapWriter(name, number, type.values, goType);
  const write = unions[goType]?.(number) ?? valueWriter(type, number);
  const zero = pointer || type.kind === 'bytes' ? undefined : zeroOf(type);
  return (writer, object) => {
    const value = object[name] ?? zero;
    if (value !== undefined) write(writer, value);
  };
}

function mapWriter(name: string, number: number, values: ValueSchema, goType: string): Write {
  const writeValue =
    goType === 'v1.JSONSchemaDependencies'
      ? unions['v1.JSONSchemaPropsOrStringArray']!(2)
      : values.kind === 'array'
        ? (writer: WireWriter, value: string[]) => writeNamedList(writer, 2, value)
        : valueWriter(values, 2);
  const zero = zeroOf(values);
  return (writer, object) => {
    const map = object[name];
    if (typeof map !== 'object' || map === null) return;
    const keys = sortedKeys(map);
    for (let index = keys.length - 1; index >= 0; index--) {
      const key = keys[index]!;
      const end = writer.length;
      const value = map[key] ?? zero;
      // No bytes at all are the one value that is left out here.
      if (!(values.kind === 'bytes' && value === '')) writeValue(writer, value);
      writer.text(key);
      writer.tag(1, 2);
      writer.varint(writer.length - end);
      writer.tag(number, 2);
    }
  };
}

/** In the order of their UTF-8, as Go sorts. */
function sortedKeys(map: object): string[] {
  const keys = Object.keys(map).sort();
  return keys.every((key) => /^[\0-\x7f]*$/.test(key))
    ? keys
    : keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function writeNamedList(writer: WireWriter, number: number, items: string[]): void {
  const end = writer.length;
  for (let index = items.length - 1; index >= 0; index--) {
    writer.text(items[index]!);
    writer.tag(1, 2);
  }
  writer.varint(writer.length - end);
  writer.tag(number, 2);
}

/** What Go writes for a value that is not set and no pointer; undefined: nothing. */
function zeroOf(type: ValueSchema): unknown {
  switch (type.kind) {
    case 'quantity':
      return '0';
    case 'duration':
      return '0s';
    case 'bytes':
    case 'time':
    case 'microTime':
      return '';
    case 'intOrString':
      return 0;
    case 'object':
      return {};
    default:
      return zeroScalar(type) ?? null;
  }
}

type WriteValue = (writer: WireWriter, value: any) => void;

/** Writes one value with its tag. */
function valueWriter(type: ValueSchema, number: number): WriteValue {
  switch (type.kind) {
    case 'string':
      return (writer, value) => {
        writer.text(String(value));
        writer.tag(number, 2);
      };
    case 'bytes':
      return (writer, value) => {
        writer.bytes(Buffer.from(value, 'base64'));
        writer.tag(number, 2);
      };
    case 'boolean':
      return (writer, value) => {
        writer.varint(value ? 1 : 0);
        writer.tag(number, 0);
      };
    case 'int32':
    case 'int64':
      return (writer, value) => {
        writer.signed(value);
        writer.tag(number, 0);
      };
    case 'double':
      return (writer, value) => {
        writer.double(value);
        writer.tag(number, 1);
      };
    case 'object': {
      const nested = type;
      // Types may hold themselves: looked up when first met.
      let writes: Write[] | undefined;
      return (writer, value) => {
        const end = writer.length;
        writes ??= writesOf(resolveObject(nested));
        for (let index = 0; index < writes.length; index++) writes[index]!(writer, value);
        writer.varint(writer.length - end);
        writer.tag(number, 2);
      };
    }
    default: {
      const { kind } = type;
      return (writer, value) => {
        const end = writer.length;
        writeSpecial(writer, kind, value);
        writer.varint(writer.length - end);
        writer.tag(number, 2);
      };
    }
  }
}

function writeSpecial(writer: WireWriter, kind: ValueSchema['kind'], value: any): void {
  switch (kind) {
    case 'quantity':
      writer.text(String(value));
      writer.tag(1, 2);
      return;
    case 'time':
    case 'microTime': {
      if (value === '') return;
      const { seconds, nanos } = timeOf(String(value), kind === 'microTime');
      writer.varint(nanos);
      writer.tag(2, 0);
      writer.signed(seconds);
      writer.tag(1, 0);
      return;
    }
    case 'duration':
      writer.signed(nanosecondsOf(String(value)));
      writer.tag(1, 0);
      return;
    case 'intOrString': {
      const isText = typeof value === 'string';
      writer.text(isText ? value : '');
      writer.tag(3, 2);
      writer.signed(isText ? 0 : value);
      writer.tag(2, 0);
      writer.varint(isText ? 1 : 0);
      writer.tag(1, 0);
      return;
    }
    case 'any':
      if (value === null) return;
      writer.text(JSON.stringify(value));
      writer.tag(1, 2);
      return;
    default:
      throw new Error(`no protobuf form of ${kind}`);
  }
}

function timeOf(text: string, withMicros: boolean): { seconds: number; nanos: number } {
  const ms = Date.parse(text);
  const seconds = Math.floor(ms / 1000);
  const fraction = withMicros ? /\.(\d{1,9})/.exec(text)?.[1] : undefined;
  return { seconds, nanos: fraction === undefined ? 0 : Number(fraction.padEnd(9, '0')) };
}

const nanosecondsByUnit: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** `1h2m3.5s` */
function nanosecondsOf(text: string): number {
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(amount) * nanosecondsByUnit[unit!]!;
  }
  return Math.round(text.startsWith('-') ? -total : total);
}

/** A CustomResourceDefinition's schemas hold values of several types under one name: each type has its own field. */
const unions: Record<string, (number: number) => WriteValue> = {
  'v1.JSONSchemaPropsOrArray': (number) =>
    message(number, (writer, value) => {
      if (Array.isArray(value)) writeSchemas(writer, 2, value);
      else writeSchemas(writer, 1, [value]);
    }),
  'v1.JSONSchemaPropsOrBool': (number) =>
    message(number, (writer, value) => {
      if (typeof value !== 'boolean') writeSchemas(writer, 2, [value]);
      // A schema allows what it describes.
      writer.varint(value === false ? 0 : 1);
      writer.tag(1, 0);
    }),
  'v1.JSONSchemaPropsOrStringArray': (number) =>
    message(number, (writer, value) => {
      if (!Array.isArray(value)) {
        writeSchemas(writer, 1, [value]);
        return;
      }
      for (let index = value.length - 1; index >= 0; index--) {
        writer.text(String(value[index]));
        writer.tag(2, 2);
      }
    }),
};

function message(number: number, write: WriteValue): WriteValue {
  return (writer, value) => {
    const end = writer.length;
    write(writer, value);
    writer.varint(writer.length - end);
    writer.tag(number, 2);
  };
}

function writeSchemas(writer: WireWriter, number: number, schemas: unknown[]): void {
  const type = schemaOf('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps')!;
  for (let index = schemas.length - 1; index >= 0; index--) {
    const end = writer.length;
    writeMessage(writer, type, schemas[index] as object);
    writer.varint(writer.length - end);
    writer.tag(number, 2);
  }
}
