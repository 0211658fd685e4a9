import { createHash } from 'node:crypto';
import type { KubeObject } from '../../api/object.ts';
import { serialized } from '../watch-cache/serialized.ts';
import type { CacheEntry, Variant } from '../watch-cache/watch-cache.ts';

/**
 * An object that is nowhere stored: every tenant has it until it writes its own over it. Built on demand, so an idle
 * tenant costs nothing.
 */
export class VirtualEntry implements CacheEntry {
  readonly tenant: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly key: string;
  readonly #build: () => KubeObject;
  #object: KubeObject | undefined;
  readonly #representations = new Map<string, unknown>();
  readonly #isLive: boolean;

  /** `isLive`: parts of the object change as time goes by, so no form of it is kept. */
  constructor(
    place: { tenant: string; namespace: string; name: string; revision: number; key: string },
    build: () => KubeObject,
    isLive = false,
  ) {
    this.tenant = place.tenant;
    this.namespace = place.namespace;
    this.name = place.name;
    this.revision = place.revision;
    this.key = place.key;
    this.#build = build;
    this.#isLive = isLive;
  }

  /** The same as of another revision: of its deletion. */
  at(revision: number): VirtualEntry {
    const { tenant, namespace, name, key, object } = this;
    const metadata = { ...object.metadata, resourceVersion: String(revision) };
    return new VirtualEntry({ tenant, namespace, name, revision, key }, () => ({ ...object, metadata }), this.#isLive);
  }

  get object(): KubeObject {
    return (this.#object ??= this.#build());
  }

  bytes(variant: Variant): Buffer {
    return this.representation(`bytes-${variant}`, (object) => serialized(object, variant));
  }

  representation<T>(name: string, build: (object: KubeObject) => T): T {
    if (this.#isLive) return build(this.object);
    let known = this.#representations.get(name) as T | undefined;
    if (known === undefined) {
      known = build(this.object);
      this.#representations.set(name, known);
    }
    return known;
  }
}

/** The same uid every time: tokens and owner references name it. */
export function derivedUid(...parts: string[]): string {
  const hex = createHash('sha256').update(parts.join('\n')).digest('hex');
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
