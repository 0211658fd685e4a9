import { writeJson, writeJsonBytes } from '../../api/json/write-json.ts';
import { encodeEntries, type ManagedFieldsEntry, prepareEntries } from '../../api/managed-fields/index.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Steps } from '../../base/steps.ts';

/** A member of an object's JSON: where its value stands in `bytes`. */
export interface EncodedMember {
  bytes: Uint8Array;
  start: number;
  end: number;
}

interface HandedOver {
  object: KubeObject;
  /** Where the spec stands in the stored bytes; 0 where there is none. */
  specStart: number;
  specEnd: number;
}

/**
 * Objects whose bytes were written by this process, so that the cache need not parse what it was just handed. Engines
 * hand watchers the very buffer that was committed; an engine that does not merely costs a parse.
 */
const handedOver = new WeakMap<Uint8Array, HandedOver>();

/**
 * The stored form of an object: JSON with kind, apiVersion and metadata first, so that the served bytes are one splice
 * away, and without resourceVersion and clusterName, which the key and the revision say. `object` must not be changed
 * afterwards: it becomes the shared, cached object.
 * @param members as encodeMembers made them
 * @param spec its spec as it was written before, where that is the same: most of what is written often stays as it is
 */
export function encodeForStore(object: KubeObject, spec?: EncodedMember, members?: EncodedMembers): Buffer {
  const { kind, apiVersion, metadata } = object;
  const { managedFields } = metadata;
  const metadataText = members?.metadata ?? JSON.stringify(storedMetadata(object));
  const hasOthers = metadataText.length > 2;
  // Put together in the buffer: joined as texts, all would be copied once more.
  const pieces: (string | Buffer[])[] = [
    `{${kind === undefined ? '' : `"kind":${JSON.stringify(kind)},`}${apiVersion === undefined ? '' : `"apiVersion":${JSON.stringify(apiVersion)},`}"metadata":{`,
  ];
  if (managedFields !== undefined) {
    pieces.push(`"managedFields":${encodeEntries(managedFields as ManagedFieldsEntry[])}${hasOthers ? ',' : ''}`);
  }
  pieces.push(metadataText.slice(1));
  /** Index of the spec's text. */
  let specAt = 0;
  for (const field in object) {
    if (field === 'kind' || field === 'apiVersion' || field === 'metadata') continue;
    const value = object[field];
    if (value === undefined) continue;
    pieces.push(`,${JSON.stringify(field)}:`);
    if (field === 'spec') specAt = pieces.length;
    pieces.push(field === 'spec' && spec !== undefined ? '' : (members?.others.get(field) ?? JSON.stringify(value)));
  }
  pieces.push('}');
  let length = spec === undefined || specAt === 0 ? 0 : spec.end - spec.start;
  for (let index = 0; index < pieces.length; index++) length += lengthOf(pieces[index]!);
  const bytes = ownMemory(length);
  let at = 0;
  let specStart = 0;
  let specEnd = 0;
  for (let index = 0; index < pieces.length; index++) {
    if (index !== specAt || specAt === 0) {
      at = put(bytes, pieces[index]!, at);
      continue;
    }
    specStart = at;
    at =
      spec === undefined
        ? put(bytes, pieces[index]!, at)
        : at + asBuffer(spec.bytes).copy(bytes, at, spec.start, spec.end);
    specEnd = at;
  }
  handedOver.set(bytes, { object, specStart, specEnd });
  return bytes;
}

function lengthOf(piece: string | Buffer[]): number {
  if (typeof piece === 'string') return Buffer.byteLength(piece);
  let length = 0;
  for (const part of piece) length += part.length;
  return length;
}

/** @returns where it ends. */
function put(bytes: Buffer, piece: string | Buffer[], start: number): number {
  if (typeof piece === 'string') return start + bytes.write(piece, start);
  let at = start;
  for (const part of piece) at += part.copy(bytes, at);
  return at;
}

// What is undefined is not written; leaving it out by a rest pattern costs several times as much.
const storedMetadata = ({ metadata }: KubeObject) => ({
  ...metadata,
  resourceVersion: undefined,
  clusterName: undefined,
  managedFields: undefined,
});

/** The JSON of an object's members: that of the metadata, and of the others by name, in parts. */
interface EncodedMembers {
  metadata: string;
  others: ReadonlyMap<string, Buffer[]>;
}

/** What encodeForStore takes long for where the object is large, in steps. */
export function* encodeMembers(object: KubeObject, spec?: EncodedMember): Steps<EncodedMembers> {
  const others = new Map<string, Buffer[]>();
  const { managedFields } = object.metadata;
  if (managedFields !== undefined) yield* prepareEntries(managedFields as ManagedFieldsEntry[]);
  const metadata = yield* writeJson(storedMetadata(object));
  for (const field in object) {
    if (field === 'metadata' || object[field] === undefined || (field === 'spec' && spec !== undefined)) continue;
    others.set(field, yield* writeJsonBytes(object[field]));
  }
  return { metadata, others };
}

/** A slice of Node's pool would keep its neighbours alive as long as the object. */
const ownMemory = (length: number): Buffer => Buffer.allocUnsafeSlow(length);

/** The bytes alone stay: whoever wants their object again parses them. */
export const forgetHandedOver = (stored: Uint8Array): void => {
  handedOver.delete(stored);
};

/** What `encodeForStore` made the bytes of, until they are forgotten. */
export const handedOverOf = (stored: Uint8Array): Readonly<HandedOver> | undefined => handedOver.get(stored);

/**
 * The object of stored bytes (or of bytes spliced from them), with the metadata that is not stored. `tenant` '' leaves
 * out clusterName.
 */
export function decodeStored(stored: Uint8Array, revision: number, tenant: string): KubeObject {
  const object: KubeObject = handedOver.get(stored)?.object ?? JSON.parse(asBuffer(stored).toString());
  const metadata = { ...object.metadata, resourceVersion: String(revision) };
  if (tenant !== '') metadata.clusterName = tenant;
  else if (metadata.clusterName !== undefined) delete metadata.clusterName;
  const { kind, apiVersion, spec, status } = object as any;
  let count = 0;
  for (const _ in object) count++;
  // What nearly all objects are: alike in form, so that whoever reads them is quick.
  if (count === 5 && spec !== undefined && status !== undefined) return { kind, apiVersion, metadata, spec, status };
  const { kind: _kind, apiVersion: _apiVersion, metadata: _metadata, ...rest } = object;
  return { kind, apiVersion, metadata, ...rest };
}

const metadataStart = Buffer.from('"metadata":{');
const closingBrace = 0x7d;

/**
 * Bytes of an object with other members at the start of its metadata: `removed` bytes leave there and `members` (ASCII,
 * each followed by a comma) come in. The first `"metadata":{` is the object's own: only kind and apiVersion stand
 * before, and in their strings the quotes would be escaped. `head` and `tail` (ASCII) go around it all.
 */
export function spliceMetadata(bytes: Uint8Array, removed: number, members: string, head = '', tail = ''): Buffer {
  const source = asBuffer(bytes);
  const at = source.indexOf(metadataStart) + metadataStart.length;
  const inserted = source[at + removed] === closingBrace ? members.slice(0, -1) : members;
  const rest = head.length + at + inserted.length;
  const length = rest + source.length - at - removed;
  const out = Buffer.allocUnsafeSlow(length + tail.length);
  if (head !== '') out.write(head, 0, 'latin1');
  source.copy(out, head.length, 0, at);
  out.write(inserted, head.length + at, 'latin1');
  source.copy(out, rest, at + removed);
  if (tail !== '') out.write(tail, length, 'latin1');
  return out;
}

const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
