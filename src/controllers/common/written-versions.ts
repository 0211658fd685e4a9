import type { KubeObject } from '../../api/object.ts';
import { type Informer, keyOf, type ObjectKey } from '../../client/informer.ts';

/**
 * The newest versions a controller wrote itself. While the cache shows an older one, deciding again would repeat the
 * write. Follows upstream's consistency store and EndpointSlice tracker.
 */
export class WrittenVersions {
  readonly #informer: Informer<any>;
  /** By owner, then by object: the resourceVersion written, or undefined for a deletion asked for. */
  readonly #byOwner = new Map<ObjectKey, Map<ObjectKey, { uid: string; version: number | undefined }>>();

  constructor(informer: Informer<any>) {
    this.#informer = informer;
  }

  wrote(owner: ObjectKey, object: KubeObject): void {
    this.#note(owner, object, Number(object.metadata.resourceVersion));
  }

  deleted(owner: ObjectKey, object: KubeObject): void {
    this.#note(owner, object, undefined);
  }

  #note(owner: ObjectKey, object: KubeObject, version: number | undefined): void {
    let objects = this.#byOwner.get(owner);
    if (objects === undefined) this.#byOwner.set(owner, (objects = new Map()));
    objects.set(keyOf(object), { uid: object.metadata.uid, version });
  }

  /** Call from the informer's `deleted`: what is gone will not be seen any more. */
  observeDeletion(owner: ObjectKey, object: KubeObject): void {
    const objects = this.#byOwner.get(owner);
    if (objects?.get(keyOf(object))?.uid === object.metadata.uid) objects.delete(keyOf(object));
    if (objects?.size === 0) this.#byOwner.delete(owner);
  }

  /** The cache lags behind a write made for this owner. The watch brings what is missing, and wakes the owner. */
  isStale(owner: ObjectKey): boolean {
    const objects = this.#byOwner.get(owner);
    if (objects === undefined) return false;
    for (const [key, { uid, version }] of objects) {
      const cached = this.#informer.get(key) as KubeObject | undefined;
      const isSeen =
        version === undefined
          ? cached?.metadata.uid !== uid || cached.metadata.deletionTimestamp !== undefined
          : cached !== undefined && (cached.metadata.uid !== uid || Number(cached.metadata.resourceVersion) >= version);
      if (!isSeen) return true;
      objects.delete(key);
    }
    this.#byOwner.delete(owner);
    return false;
  }

  forget(owner: ObjectKey): void {
    this.#byOwner.delete(owner);
  }
}
