import { encodeEntries, type ManagedFieldsEntry } from '../../api/managed-fields/index.ts';
import type { KubeObject } from '../../api/object.ts';

/**
 * Objects whose bytes were written by this process, so that the cache need not parse what it was just handed. Engines
 * hand watchers the very buffer that was committed; an engine that does not merely costs a parse.
 */
const handedOver = new WeakMap<Uint8Array, KubeObject>();

/**
 * The stored form of an object: JSON with kind, apiVersion and metadata first, so that the served bytes are one splice
 * away, and without resourceVersion and clusterName, which the key and the revision say. `object` must not be changed
 * afterwards: it becomes the shared, cached object.
 */
export function encodeForStore(object: KubeObject): Buffer {
  const { kind, apiVersion, metadata, ...rest } = object;
  const { resourceVersion: _resourceVersion, clusterName: _clusterName, managedFields, ...storedMetadata } = metadata;
  const text = JSON.stringify({ kind, apiVersion, metadata: storedMetadata, ...rest });
  let stored: Buffer;
  if (managedFields === undefined) {
    stored = ownMemory(Buffer.byteLength(text));
    stored.write(text);
  } else {
    // Put together in the buffer: joined as texts, all would be copied once more.
    const at = text.indexOf('"metadata":{') + '"metadata":{'.length;
    const comma = text.charCodeAt(at) === closingBrace ? '' : ',';
    const member = `"managedFields":${encodeEntries(managedFields as ManagedFieldsEntry[])}${comma}`;
    stored = ownMemory(Buffer.byteLength(text) + Buffer.byteLength(member));
    let length = stored.write(text.slice(0, at));
    length += stored.write(member, length);
    stored.write(text.slice(at), length);
  }
  handedOver.set(stored, object);
  return stored;
}

/** A slice of Node's pool would keep its neighbours alive as long as the object. */
const ownMemory = (length: number): Buffer => Buffer.allocUnsafeSlow(length);

/** The bytes alone stay: whoever wants their object again parses them. */
export const forgetHandedOver = (stored: Uint8Array): void => {
  handedOver.delete(stored);
};

export const isHandedOver = (stored: Uint8Array) => handedOver.has(stored);

/**
 * The object of stored bytes (or of bytes spliced from them), with the metadata that is not stored. `tenant` '' leaves
 * out clusterName.
 */
export function decodeStored(stored: Uint8Array, revision: number, tenant: string): KubeObject {
  const { kind, apiVersion, metadata, ...rest } = handedOver.get(stored) ?? JSON.parse(asBuffer(stored).toString());
  const { resourceVersion: _resourceVersion, clusterName: _clusterName, ...others } = metadata;
  return {
    kind,
    apiVersion,
    metadata: {
      ...others,
      resourceVersion: String(revision),
      ...(tenant !== '' && { clusterName: tenant }),
    },
    ...rest,
  };
}

const metadataStart = Buffer.from('"metadata":{');
const closingBrace = 0x7d;

/**
 * Bytes of an object with other members at the start of its metadata: `removed` bytes leave there and `members` (ASCII,
 * each followed by a comma) come in. The first `"metadata":{` is the object's own: only kind and apiVersion stand
 * before, and in their strings the quotes would be escaped.
 */
export function spliceMetadata(bytes: Uint8Array, removed: number, members: string): Buffer {
  const source = asBuffer(bytes);
  const at = source.indexOf(metadataStart) + metadataStart.length;
  const inserted = source[at + removed] === closingBrace ? members.slice(0, -1) : members;
  const out = Buffer.allocUnsafeSlow(source.length - removed + inserted.length);
  source.copy(out, 0, 0, at);
  out.write(inserted, at, 'latin1');
  source.copy(out, at + inserted.length, at + removed);
  return out;
}

const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
