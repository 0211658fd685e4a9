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
  let typeMeta: WireReader | undefined;
  let raw = new WireReader(bytes, bytes.length);
  const unknown = new WireReader(bytes, magic.length);
  while (!unknown.done) {
    const number = unknown.field();
    if (unknown.wireType === 2 && number === 1) typeMeta = unknown.message();
    else if (unknown.wireType === 2 && number === 2) raw = unknown.message();
    else unknown.skip();
  }
  const meta: Record<string, string> = {};
  while (typeMeta !== undefined && !typeMeta.done) {
    const number = typeMeta.field();
    if (typeMeta.wireType === 2) meta[number === 1 ? 'apiVersion' : 'kind'] = typeMeta.text();
    else typeMeta.skip();
  }
  const { apiVersion = '', kind = '' } = meta;
  const { group, version } = parseApiVersion(apiVersion);
  const schema = kind === 'DeleteOptions' ? schemaOf(deleteOptions) : (schemaOfKind(group, version, kind) ?? expected);
  if (schema === undefined)
    throw new WireError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`);
  const read = raw.left < longBytes ? readMessage(raw, schema) : yield* longMessage(raw, schema);
  return { ...(kind !== '' && { kind }), ...(apiVersion !== '' && { apiVersion }), ...read };
}

/** Messages from here on are read in steps, and what they hold of such length too. */
const longBytes = 16 * 1024;
const fieldsAtOnce = 64;

function* longMessage(reader: WireReader, schema: TypeSchema): Steps<Record<string, any>> {
  const object: Record<string, any> = {};
  yield* readLong(object, reader, fieldsOf(schema));
  return object;
}

function* readLong(object: Record<string, any>, reader: WireReader, fields: MessageFields): Steps<void> {
  for (let count = 1; !reader.done; count++) {
    if (count % fieldsAtOnce === 0) yield;
    const number = reader.field();
    const embedded = fields.embedded.get(number);
    const [name, field] = fields.direct.get(number) ?? [];
    const type = field?.type.kind === 'array' ? field.type.items : field?.type;
    const isMessage = type?.kind === 'object' && unions[field!.goType ?? ''] === undefined;
    if (reader.wireType !== 2 || reader.nextLength < longBytes || (embedded === undefined && !isMessage)) {
      readField(object, number, reader, fields);
    } else if (embedded !== undefined) {
      yield* readLong(object, reader.message(), embedded);
    } else {
      const message = yield* longMessage(reader.message(), resolveObject(type as Parameters<typeof resolveObject>[0]));
      if (field!.type.kind === 'array') (object[name!] ??= []).push(message);
      else object[name!] = message;
    }
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

function readMessage(reader: WireReader, schema: TypeSchema): Record<string, any> {
  const object: Record<string, any> = {};
  readInto(object, reader, fieldsOf(schema));
  return object;
}

function readInto(object: Record<string, any>, reader: WireReader, fields: MessageFields): void {
  while (!reader.done) readField(object, reader.field(), reader, fields);
}

function readField(object: Record<string, any>, number: number, reader: WireReader, fields: MessageFields): void {
  const found = fields.direct.get(number);
  const embedded = found === undefined ? fields.embedded.get(number) : undefined;
  if (found !== undefined) readKnown(object, found[0], found[1], reader);
  else if (embedded !== undefined) readInto(object, reader.message(), embedded);
  else reader.skip();
}

function readKnown(object: Record<string, any>, name: string, field: FieldSchema, reader: WireReader): void {
  const { type, goType = '' } = field;
  const readUnion = goType === '' ? undefined : unions[goType];
  if (readUnion !== undefined) {
    object[name] = readUnion(reader.message());
  } else if (type.kind === 'array' && goType !== 'v1.Verbs') {
    readItems((object[name] ??= []), type.items, reader);
  } else if (type.kind === 'map') {
    const [key, value] = readMapEntry(reader.message(), type.values);
    // An own member whatever its name, and no copy of the map for each.
    setOwn((object[name] ??= {}), key, value);
  } else {
    const value = readValue(type, reader);
    if (value !== undefined) object[name] = value;
  }
}

/** A CustomResourceDefinition's schemas hold values of several types under one name. */
const unions: Record<string, (reader: WireReader) => unknown> = {
  'v1.JSONSchemaPropsOrArray': (reader) => readSchemaOr(reader, 1, 2, (schema, others) => schema ?? others),
  'v1.JSONSchemaPropsOrBool': (reader) => readSchemaOr(reader, 2, 0, (schema, _others, allows) => schema ?? allows),
};

function readSchemaOr(
  reader: WireReader,
  schemaNumber: number,
  listNumber: number,
  choose: (schema: unknown, list: unknown[], allows: boolean) => unknown,
): unknown {
  const jsonSchema = schemaOf('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps')!;
  // Messages carry zero values that JSON leaves out; nothing decodes what stands in a union once more.
  const read = () => decodeObject(jsonSchema, readMessage(reader.message(), jsonSchema)).object;
  let schema: unknown;
  let allows = false;
  const list: unknown[] = [];
  while (!reader.done) {
    const number = reader.field();
    if (reader.wireType === 0) allows = reader.signed() !== 0;
    else if (number === schemaNumber) schema = read();
    else if (number === listNumber) list.push(read());
    else reader.skip();
  }
  return choose(schema, list, allows);
}

function readItems(list: unknown[], items: ValueSchema, reader: WireReader): void {
  const { kind } = items;
  const packed = reader.wireType === 2 && (kind === 'int32' || kind === 'int64' || kind === 'boolean');
  if (!packed) {
    list.push(readValue(items, reader) ?? null);
    return;
  }
  const inner = reader.message();
  while (!inner.done) list.push(readValue(items, inner));
}

function readMapEntry(reader: WireReader, values: ValueSchema): [string, unknown] {
  let key = '';
  let value: unknown;
  while (!reader.done) {
    const number = reader.field();
    if (number === 1) key = reader.text();
    else if (number === 2) value = readValue(values, reader);
    else reader.skip();
  }
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
function readValue(type: ValueSchema, reader: WireReader): unknown {
  switch (type.kind) {
    case 'string':
      return reader.text();
    case 'bytes':
      return reader.bytes().toString('base64');
    case 'boolean':
      return reader.signed() !== 0;
    case 'int32':
    case 'int64':
      return reader.signed();
    case 'double':
      return reader.wireType === 1 ? reader.double() : reader.number();
    case 'object':
      return readMessage(reader.message(), resolveObject(type));
    case 'array': {
      // A named list type (ExtraValue) as a value of its own: a message with `items = 1`.
      const list: unknown[] = [];
      const inner = reader.message();
      while (!inner.done) {
        if (inner.field() === 1) readItems(list, type.items, inner);
        else inner.skip();
      }
      return list;
    }
    case 'map':
      return undefined;
    case 'quantity':
      return readQuantity(reader.message());
    default:
      return readSpecial(type.kind, reader.message());
  }
}

function readQuantity(reader: WireReader): string {
  let text = '';
  while (!reader.done) {
    if (reader.field() === 1 && reader.wireType === 2) text = reader.text();
    else reader.skip();
  }
  return text === '' ? '0' : text;
}

function readSpecial(kind: 'time' | 'microTime' | 'duration' | 'intOrString' | 'any', reader: WireReader): unknown {
  const isEmpty = reader.done;
  const numbers = [0, 0, 0, 0];
  const texts = ['', '', '', ''];
  while (!reader.done) {
    const number = reader.field();
    const wireType = kind === 'any' || number === 3 ? 2 : 0;
    if (number > 3) reader.skip();
    else if (reader.wireType !== wireType) {
      throw new WireError(`proto: wrong wireType = ${reader.wireType} for field ${number}`);
    } else if (wireType === 2) texts[number] = reader.text();
    else numbers[number] = reader.signed();
  }
  const [, first, second] = numbers as [number, number, number];
  switch (kind) {
    case 'time':
      return isEmpty ? undefined : formatTime(first * 1000);
    case 'microTime': {
      if (isEmpty) return undefined;
      const micros = String(Math.floor(second / 1000)).padStart(6, '0');
      return `${formatTime(first * 1000).slice(0, 19)}.${micros}Z`;
    }
    case 'duration':
      return `${first / 1e9}s`;
    case 'intOrString':
      // type = 1 (0: a number), intVal = 2, strVal = 3.
      return first === 0 ? second : texts[3];
    case 'any':
      return texts[1] === '' ? undefined : JSON.parse(texts[1]!);
  }
}
