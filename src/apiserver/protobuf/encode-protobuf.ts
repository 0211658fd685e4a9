import { schemaOf, schemaOfKind } from '../../api/generated-schema.ts';
import { parseApiVersion } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import type { TypeSchema } from '../../api/schema.ts';
import { encodeMessage, writeMessage } from './encode-message.ts';
import { WireWriter } from './wire-writer.ts';

/** Source: "Kubernetes Protobuf encoding" in API concepts. */
export const PROTOBUF = 'application/vnd.kubernetes.protobuf';
export const PROTOBUF_WATCH = `${PROTOBUF};stream=watch`;

const magic = Buffer.from('k8s\0');
const metaPackage = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** Kinds of meta.k8s.io that answers are made of and that say `apiVersion: v1`. */
const metaKinds = new Set(['Status', 'APIVersions', 'APIGroup', 'APIGroupList', 'APIResourceList']);

/** The type of an answer that says its own kind; undefined: there is no protobuf form of it. */
export function protobufSchema(kind: string, apiVersion: string): TypeSchema | undefined {
  const { group, version } = parseApiVersion(apiVersion);
  if (metaKinds.has(kind) && (apiVersion === 'v1' || apiVersion === '')) return schemaOf(`${metaPackage}.${kind}`);
  if (group === 'meta.k8s.io') {
    return kind.startsWith('PartialObjectMetadata') ? schemaOf(`${metaPackage}.${kind}`) : undefined;
  }
  return kind === '' ? undefined : schemaOfKind(group, version, kind);
}

const known = new WeakMap<ResourceDefinition, boolean>();

/** Built-in resources have a protobuf form; custom ones and the platform's own have none. */
export function hasProtobuf(definition: ResourceDefinition): boolean {
  let has = known.get(definition);
  if (has === undefined) {
    const { group, version, kind, schema } = definition;
    has = schema.structural === undefined && schemaOfKind(group, version, kind) === schema;
    known.set(definition, has);
  }
  return has;
}

/** contentEncoding = 3 and contentType = 4 are written although they are empty, as upstream does. */
const envelopeEnd = Buffer.from([0x1a, 0, 0x22, 0]);

/** runtime.Unknown around a message: says what kind it is of. */
export function envelope(kind: string, apiVersion: string, raw: Uint8Array): Buffer {
  const writer = new WireWriter();
  writer.raw(envelopeEnd);
  writer.raw(raw);
  writeEnvelopeStart(writer, kind, apiVersion, raw.length);
  return writer.take();
}

/** Everything before the message itself. */
function writeEnvelopeStart(writer: WireWriter, kind: string, apiVersion: string, rawLength: number): void {
  writer.varint(rawLength);
  writer.tag(2, 2);
  const end = writer.length;
  writer.text(kind);
  writer.tag(2, 2);
  writer.text(apiVersion);
  writer.tag(1, 2);
  writer.varint(writer.length - end);
  writer.tag(1, 2);
  writer.raw(magic);
}

/** An object that says its kind, with its envelope; undefined when its kind has no protobuf form. */
export function encodeObject(object: Record<string, any>): Buffer | undefined {
  const { kind = '', apiVersion = '' } = object;
  const schema = protobufSchema(kind, apiVersion);
  // Some documents of discovery leave out the version that all of them have, and so does upstream's envelope.
  return schema === undefined ? undefined : envelope(kind, apiVersion, encodeMessage(schema, object));
}

/** A list out of the bare messages of its items, in parts: they are among them as they are, to be sent piece by piece. */
export function* listParts(
  kind: string,
  apiVersion: string,
  metadata: object,
  items: readonly Buffer[],
): Generator<Buffer> {
  const writer = new WireWriter();
  writeMessage(writer, schemaOf(`${metaPackage}.ListMeta`)!, metadata);
  writer.varint(writer.length);
  writer.tag(1, 2);
  const head = writer.take();
  let length = head.length;
  for (const item of items) length += 1 + sizeOfVarint(item.length) + item.length;
  writeEnvelopeStart(writer, kind, apiVersion, length);
  yield writer.take();
  yield head;
  for (const item of items) {
    writer.varint(item.length);
    writer.tag(2, 2);
    yield writer.take();
    yield item;
  }
  yield envelopeEnd;
}

function sizeOfVarint(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

/** One frame of a watch: its length in four bytes, then a bare WatchEvent that holds the object with its envelope. */
export function watchFrame(type: string, object: Uint8Array): Buffer {
  const writer = new WireWriter();
  writer.bytes(object);
  writer.tag(1, 2);
  const objectLength = writer.length;
  writer.varint(objectLength);
  writer.tag(2, 2);
  writer.text(type);
  writer.tag(1, 2);
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(writer.length);
  writer.raw(length);
  return writer.take();
}

/** The bare message of an object of a built-in resource. */
export const encodeResource = ({ schema }: Pick<ResourceDefinition, 'schema'>, object: object): Buffer =>
  encodeMessage(schema, object);
