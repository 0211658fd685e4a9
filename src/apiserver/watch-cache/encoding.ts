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
  const { resourceVersion: _resourceVersion, clusterName: _clusterName, ...storedMetadata } = metadata;
  const stored = Buffer.from(JSON.stringify({ kind, apiVersion, metadata: storedMetadata, ...rest }));
  handedOver.set(stored, object);
  return stored;
}

/** The object of stored bytes, with the metadata that is not stored. */
export function decodeStored(stored: Uint8Array, revision: number, tenant: string): KubeObject {
  const object =
    handedOver.get(stored) ?? JSON.parse(Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength).toString());
  const { kind, apiVersion, metadata, ...rest } = object;
  return {
    kind,
    apiVersion,
    metadata: { ...metadata, resourceVersion: String(revision), clusterName: tenant },
    ...rest,
  };
}

const metadataStart = Buffer.from('"metadata":{');
const closingBrace = 0x7d;

/** The stored bytes with `members` (JSON, no trailing comma) as the first members of metadata. */
export function spliceMetadata(stored: Uint8Array, head: string, members: string, tail: string): Buffer {
  const source = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const at = source.indexOf(metadataStart) + metadataStart.length;
  const inserted = source[at] === closingBrace ? members : `${members},`;
  const length = head.length + source.length + inserted.length + tail.length;
  const out = Buffer.allocUnsafe(length);
  let offset = out.write(head, 0, 'latin1');
  offset += source.copy(out, offset, 0, at);
  offset += out.write(inserted, offset, 'latin1');
  offset += source.copy(out, offset, at);
  out.write(tail, offset, 'latin1');
  return out;
}
