import type { KubeObject } from '../../api/object.ts';
import { decodeStored, type EncodedMember, forgetHandedOver, handedOverOf, spliceMetadata } from './encoding.ts';
import type { CacheEntry, Variant } from './watch-cache.ts';

/**
 * One object at one revision. Keeps one copy of the bytes: as stored until someone reads them, then as served to
 * tenants (the platform's are another splice away, and rarely asked for: its components mostly take `object`).
 */
export class Entry implements CacheEntry {
  readonly tenant: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  declare stale?: true;
  readonly #prefix: string;
  #bytes: Uint8Array;
  /** How many bytes of metadata were spliced in; 0: as stored. */
  #spliced = 0;
  #object: KubeObject | undefined;
  /** Where the spec stands in the stored bytes; 0: not known. */
  #specStart = 0;
  #specEnd = 0;
  #representations: Map<string, unknown> | undefined;

  constructor(
    prefix: string,
    tenant: string,
    namespace: string,
    name: string,
    revision: number,
    stored: Uint8Array,
    spliced = 0,
  ) {
    this.#prefix = prefix;
    this.tenant = tenant;
    this.namespace = namespace;
    this.name = name;
    this.revision = revision;
    this.#bytes = stored;
    this.#spliced = spliced;
  }

  get key(): string {
    return `${this.#prefix}${this.suffix}`;
  }

  /** Bytes it was stored in. Never changes. */
  get size(): number {
    return this.#bytes.length - this.#spliced;
  }

  /** The key without the resource's prefix. */
  get suffix(): string {
    return this.namespace === '' ? `${this.tenant}/${this.name}` : `${this.tenant}/${this.namespace}/${this.name}`;
  }

  get object(): KubeObject {
    if (this.#object !== undefined) return this.#object;
    const written = handedOverOf(this.#bytes);
    if (written !== undefined) {
      this.#specStart = written.specStart;
      this.#specEnd = written.specEnd;
    }
    this.#object = decodeStored(this.#bytes, this.revision, this.tenant);
    // Tens of thousands that hang on their bytes for good are looked through by every collection.
    if (written !== undefined) forgetHandedOver(this.#bytes);
    return this.#object;
  }

  /** The bytes of the spec, if this is the object's (the same one, not one like it). */
  encodedSpec(spec: unknown): EncodedMember | undefined {
    if (this.#specStart === 0 || this.#object === undefined || this.#object['spec'] !== spec) return undefined;
    return { bytes: this.#bytes, start: this.#specStart + this.#spliced, end: this.#specEnd + this.#spliced };
  }

  bytes(variant: Variant): Buffer {
    if (this.#spliced === 0) {
      // The writer's object hangs on the stored bytes: take it before they go.
      if (handedOverOf(this.#bytes) !== undefined) void this.object;
      const members = this.#resourceVersionMember();
      this.#bytes = spliceMetadata(this.#bytes, 0, members);
      this.#spliced = members.length;
    }
    return variant === 'tenant' || this.tenant === '' ? (this.#bytes as Buffer) : this.wrapped('', variant, '');
  }

  /** `head`, the bytes, `tail`, in one copy: what passes once to watchers need not be kept for readers too. */
  wrapped(head: string, variant: Variant, tail: string): Buffer {
    const tenant = variant === 'tenant' || this.tenant === '' ? '' : `"clusterName":${JSON.stringify(this.tenant)},`;
    const members = this.#spliced === 0 ? tenant + this.#resourceVersionMember() : tenant;
    return spliceMetadata(this.#bytes, 0, members, head, tail);
  }

  representation<T>(name: string, build: (object: KubeObject) => T): T {
    this.#representations ??= new Map();
    if (!this.#representations.has(name)) this.#representations.set(name, build(this.object));
    return this.#representations.get(name) as T;
  }

  /** A newer state took its place: what can be made again from the bytes goes, since hardly anybody will ask. */
  release(): void {
    forgetHandedOver(this.#bytes);
    this.#object = undefined;
    this.#representations = undefined;
  }

  /** The same state under another resourceVersion: what a DELETED event carries. */
  at(revision: number): Entry {
    const { clusterName, ...metadata } = this.object.metadata;
    const entry = new Entry(this.#prefix, this.tenant, this.namespace, this.name, revision, this.#bytes);
    if (this.#spliced > 0) {
      const members = `"resourceVersion":"${revision}",`;
      entry.#bytes = spliceMetadata(this.#bytes, this.#spliced, members);
      entry.#spliced = members.length;
    }
    entry.#object = {
      ...this.object,
      metadata: {
        ...metadata,
        resourceVersion: String(revision),
        ...(clusterName !== undefined && { clusterName }),
      },
    };
    return entry;
  }

  #resourceVersionMember(): string {
    return `"resourceVersion":"${this.revision}",`;
  }
}

/** A bookmark's object: it has no tenant and no name. */
export function bookmarkEntry(
  kind: { apiVersion: string; kind: string },
  revision: number,
  initialEventsEnd: boolean,
): Entry {
  const stored = Buffer.from(
    JSON.stringify({
      kind: kind.kind,
      apiVersion: kind.apiVersion,
      metadata: initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {},
    }),
  );
  return new Entry('', '', '', '', revision, stored);
}
