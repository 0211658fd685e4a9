import { createHash } from 'node:crypto';
import { encodeObject } from '../protobuf/encode-protobuf.ts';

export interface KeptDocument {
  /** In JSON. */
  bytes: Buffer;
  /** Made when first asked for. */
  protobuf(): Buffer;
  /** With its quotes. */
  etag: string;
}

/** So many documents are kept: tenants with the same resources share them. */
const documentsKept = 64;

const ids = new WeakMap<object, number>();
let objectsSeen = 0;

/** A number for an object, the same as long as it lives: definitions and lists of resources don't change, they are replaced. */
export function idOf(object: object): number {
  let id = ids.get(object);
  if (id === undefined) ids.set(object, (id = ++objectsSeen));
  return id;
}

/** Documents by what they are made of. */
export class KeptDocuments {
  readonly #kept = new Map<string, KeptDocument>();

  get(key: string, build: () => object): KeptDocument {
    const hash = createHash('sha256').update(key).digest('base64');
    let kept = this.#kept.get(hash);
    this.#kept.delete(hash);
    if (kept === undefined) {
      const bytes = Buffer.from(JSON.stringify(build()));
      let protobuf: Buffer | undefined;
      kept = {
        bytes,
        protobuf: () => (protobuf ??= encodeObject(JSON.parse(bytes.toString()))!),
        etag: `"${createHash('sha512').update(bytes).digest('hex').toUpperCase()}"`,
      };
      // The least recently used goes.
      if (this.#kept.size >= documentsKept) this.#kept.delete(this.#kept.keys().next().value!);
    }
    this.#kept.set(hash, kept);
    return kept;
  }
}
