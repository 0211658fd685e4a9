import { decodeObject } from '../../api/decode/decode.ts';
import { resolveObject, schemaOf, schemaOfKind } from '../../api/generated-schema.ts';
import { setOwn } from '../../api/json/json.ts';
import { formatTime, parseApiVersion } from '../../api/object.ts';
import type { FieldSchema, TypeSchema, ValueSchema } from '../../api/schema.ts';
import { runAtOnce, type Steps } from '../../base/steps.ts';
import { WireError, WireReader } from './wire.ts';

/**
 * Reads application/vnd.kubernetes.protobuf bodies into the JSON value they stand for: kubectl's typed commands send
 * them. Source: "Kubernetes Protobuf encoding" in API concepts; the field numbers come with the generated schema.
 */
const magic = Buffer.from('k8s\0');
const deleteOptions = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions';

/** `expected` is what the request is about, for bodies that don't say. Throws WireError for what is no message. */
export const decodeProtobuf = (bytes: Buffer, expected: TypeSchema | undefined): Record<string, any> =>
  runAtOnce(protobufSteps(bytes, expected));

/** The same, of long bodies, in steps. */
export function* protobufSteps(bytes: Buffer, expected: TypeSchema | undefined): Steps<Record<string, any>> {
  if (!bytes.subarray(0, magic.length).equals(magic)) {
    throw new WireError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  }
  // runtime.Unknown: typeMeta = 1 {apiVersion = 1, kind = 2}, raw = 2, contentEncoding = 3, contentType = 4.
  let typeMeta: Buffer = Buffer.alloc(0);
  let raw: Buffer = Buffer.alloc(0);
  forEachField(bytes.subarray(magic.length), (number, wireType, reader) => {
    if (number === 1 && wireType === 2) typeMeta = reader.bytes();
    else if (number === 2 && wireType === 2) raw = reader.bytes();
    else reader.skip(wireType);
  });
  const meta: Record<string, string> = {};
  forEachField(typeMeta, (number, wireType, reader) => {
    if (wireType === 2) meta[number === 1 ? 'apiVersion' : 'kind'] = reader.bytes().toString();
    else reader.skip(wireType);
  });
  const { apiVersion = '', kind = '' } = meta;
  const { group, version } = parseApiVersion(apiVersion);
  const schema = kind === 'DeleteOptions' ? schemaOf(deleteOptions) : (schemaOfKind(group, version, kind) ?? expected);
  if (schema === undefined)
    throw new WireError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`);
  const read = raw.length < longBytes ? readMessage(raw, schema) : yield* longMessage(raw, schema);
  return { ...(kind !== '' && { kind }), ...(apiVersion !== '' && { apiVersion }), ...read };
}

/** Messages from here on are read in steps, and what they hold of such length too. */
const longBytes = 16 * 1024;
const fieldsAtOnce = 64;

function* longMessage(bytes: Buffer, schema: TypeSchema): Steps<Record<string, any>> {
  const object: Record<string, any> = {};
  yield* readLong(object, bytes, fieldsOf(schema));
  return object;
}

function* readLong(object: Record<string, any>, bytes: Buffer, fields: MessageFields): Steps<void> {
  const reader = new WireReader(bytes);
  for (let count = 1; !reader.done; count++) {
    if (count % fieldsAtOnce === 0) yield;
    const { number, wireType } = reader.tag();
    const embedded = fields.embedded.get(number);
    const [name, field] = fields.direct.get(number) ?? [];
    const type = field?.type.kind === 'array' ? field.type.items : field?.type;
    const isMessage = type?.kind === 'object' && unions[field!.goType ?? ''] === undefined;
    if (wireType !== 2 || reader.nextLength < longBytes || (embedded === undefined && !isMessage)) {
      readField(object, number, wireType, reader, fields);
    } else if (embedded !== undefined) {
      yield* readLong(object, reader.bytes(), embedded);
    } else {
      const message = yield* longMessage(reader.bytes(), resolveObject(type as Parameters<typeof resolveObject>[0]));
      if (field!.type.kind === 'array') (object[name!] ??= []).push(message);
      else object[name!] = message;
    }
  }
}

function forEachField(bytes: Buffer, visit: (number: number, wireType: number, reader: WireReader) => void): void {
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const { number, wireType } = reader.tag();
    visit(number, wireType, reader);
  }
}

/** Fields of a type by the numbers that lead to them: `1`, or `2.6` for one embedded through message 2. */
interface MessageFields {
  direct: Map<number, [name: string, field: FieldSchema]>;
  embedded: Map<number, MessageFields>;
}
const fieldsBySchema = new WeakMap<TypeSchema, MessageFields>();

function fieldsOf(schema: TypeSchema): MessageFields {
  let fields = fieldsBySchema.get(schema);
  if (fields === undefined) {
    fields = { direct: new Map(), embedded: new Map() };
    for (const [name, field] of Object.entries(schema.fields)) {
      if (field.number === 0) continue;
      let at = fields;
      for (const step of field.embedded ?? []) {
        let inner = at.embedded.get(step);
        if (inner === undefined) at.embedded.set(step, (inner = { direct: new Map(), embedded: new Map() }));
        at = inner;
      }
      at.direct.set(field.number, [name, field]);
    }
    fieldsBySchema.set(schema, fields);
  }
  return fields;
}

function readMessage(bytes: Buffer, schema: TypeSchema): Record<string, any> {
  const object: Record<string, any> = {};
  readInto(object, bytes, fieldsOf(schema));
  return object;
}

function readInto(object: Record<string, any>, bytes: Buffer, fields: MessageFields): void {
  forEachField(bytes, (number, wireType, reader) => readField(object, number, wireType, reader, fields));
}

function readField(
  object: Record<string, any>,
  number: number,
  wireType: number,
  reader: WireReader,
  fields: MessageFields,
): void {
  const embedded = fields.embedded.get(number);
  const found = fields.direct.get(number);
  if (embedded !== undefined) readInto(object, reader.bytes(), embedded);
  else if (found === undefined) reader.skip(wireType);
  else readKnown(object, found, wireType, reader);
}

function readKnown(
  object: Record<string, any>,
  [name, { type, goType = '' }]: [name: string, field: FieldSchema],
  wireType: number,
  reader: WireReader,
): void {
  const readUnion = unions[goType];
  if (readUnion !== undefined) {
    object[name] = readUnion(reader.bytes());
  } else if (type.kind === 'array' && goType !== 'v1.Verbs') {
    const list: unknown[] = (object[name] ??= []);
    readItems(list, type.items, wireType, reader);
  } else if (type.kind === 'map') {
    const [key, value] = readMapEntry(reader.bytes(), type.values);
    // An own member whatever its name, and no copy of the map for each.
    setOwn((object[name] ??= {}), key, value);
  } else {
    const value = readValue(type, wireType, reader);
    if (value !== undefined) object[name] = value;
  }
}

/** A CustomResourceDefinition's schemas hold values of several types under one name. */
const unions: Record<string, (bytes: Buffer) => unknown> = {
  'v1.JSONSchemaPropsOrArray': (bytes) => readSchemaOr(bytes, 1, 2, (schema, others) => schema ?? others),
  'v1.JSONSchemaPropsOrBool': (bytes) => readSchemaOr(bytes, 2, 0, (schema, _others, allows) => schema ?? allows),
};

function readSchemaOr(
  bytes: Buffer,
  schemaNumber: number,
  listNumber: number,
  choose: (schema: unknown, list: unknown[], allows: boolean) => unknown,
): unknown {
  const jsonSchema = schemaOf('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps')!;
  // Messages carry zero values that JSON leaves out; nothing decodes what stands in a union once more.
  const read = (message: Buffer) => decodeObject(jsonSchema, readMessage(message, jsonSchema)).object;
  let schema: unknown;
  let allows = false;
  const list: unknown[] = [];
  forEachField(bytes, (number, wireType, reader) => {
    if (wireType === 0) allows = reader.varint() !== 0n;
    else if (number === schemaNumber) schema = read(reader.bytes());
    else if (number === listNumber) list.push(read(reader.bytes()));
    else reader.skip(wireType);
  });
  return choose(schema, list, allows);
}

function readItems(list: unknown[], items: ValueSchema, wireType: number, reader: WireReader): void {
  const packed = wireType === 2 && (items.kind === 'int32' || items.kind === 'int64' || items.kind === 'boolean');
  if (!packed) {
    list.push(readValue(items, wireType, reader) ?? null);
    return;
  }
  const inner = new WireReader(reader.bytes());
  while (!inner.done) list.push(readValue(items, 0, inner));
}

function readMapEntry(bytes: Buffer, values: ValueSchema): [string, unknown] {
  let key = '';
  let value: unknown;
  forEachField(bytes, (number, wireType, reader) => {
    if (number === 1) key = reader.bytes().toString();
    else if (number === 2) value = readValue(values, wireType, reader);
    else reader.skip(wireType);
  });
  return [key, value ?? zeroOf(values)];
}

function zeroOf(type: ValueSchema): unknown {
  if (type.kind === 'string' || type.kind === 'bytes') return '';
  if (type.kind === 'quantity') return '0';
  if (type.kind === 'boolean') return false;
  if (type.kind === 'array') return [];
  return type.kind === 'object' || type.kind === 'map' ? {} : 0;
}

/** Undefined for a zero time, which JSON leaves out. */
function readValue(type: ValueSchema, wireType: number, reader: WireReader): unknown {
  switch (type.kind) {
    case 'string':
      return reader.bytes().toString();
    case 'bytes':
      return reader.bytes().toString('base64');
    case 'boolean':
      return reader.varint() !== 0n;
    case 'int32':
    case 'int64':
      return reader.signed();
    case 'double':
      return wireType === 1 ? reader.double() : Number(reader.varint());
    case 'object':
      return readMessage(reader.bytes(), resolveObject(type));
    case 'array': {
      // A named list type (ExtraValue) as a value of its own: a message with `items = 1`.
      const list: unknown[] = [];
      forEachField(reader.bytes(), (number, innerType, inner) => {
        if (number === 1) readItems(list, type.items, innerType, inner);
        else inner.skip(innerType);
      });
      return list;
    }
    case 'map':
      return undefined;
    default:
      return readSpecial(type.kind, reader.bytes());
  }
}

function readSpecial(
  kind: 'quantity' | 'time' | 'microTime' | 'duration' | 'intOrString' | 'any',
  bytes: Buffer,
): unknown {
  const fields = new Map<number, Buffer | number>();
  forEachField(bytes, (number, wireType, reader) => {
    if (wireType === 2) fields.set(number, reader.bytes());
    else if (wireType === 0) fields.set(number, reader.signed());
    else reader.skip(wireType);
  });
  const number = (at: number) => Number(fields.get(at) ?? 0);
  const text = (at: number) => (fields.get(at) ?? '').toString();
  switch (kind) {
    case 'quantity':
      return text(1) === '' ? '0' : text(1);
    case 'time':
      return bytes.length === 0 ? undefined : formatTime(number(1) * 1000);
    case 'microTime': {
      if (bytes.length === 0) return undefined;
      const micros = String(Math.floor(number(2) / 1000)).padStart(6, '0');
      return `${formatTime(number(1) * 1000).slice(0, 19)}.${micros}Z`;
    }
    case 'duration':
      return `${number(1) / 1e9}s`;
    case 'intOrString':
      // type = 1 (0: a number), intVal = 2, strVal = 3.
      return number(1) === 0 ? number(2) : text(3);
    case 'any':
      return text(1) === '' ? undefined : JSON.parse(text(1));
  }
}
