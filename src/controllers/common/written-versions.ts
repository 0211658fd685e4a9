import type { KubeObject } from '../../api/object.ts';
import type { Clock } from '../../base/clock.ts';
import type { ControllerQueue } from '../../client/controller.ts';
import { type Informer, keyOf, type ObjectKey } from '../../client/informer.ts';

// What is not seen by then was overtaken: deleted, say, while the watch was down.
const timeoutMs = 60_000;

interface Write {
  uid: string;
  /** undefined: its deletion was asked for. */
  version: number | undefined;
  atMs: number;
}

/**
 * The newest versions a controller wrote itself. While the cache shows an older one, deciding again would repeat the
 * write. Follows upstream's consistency store and EndpointSlice tracker.
 */
export class WrittenVersions {
  readonly #informer: Informer<any>;
  readonly #clock: Clock;
  /** By owner, then by object. */
  readonly #byOwner = new Map<ObjectKey, Map<ObjectKey, Write>>();

  constructor(informer: Informer<any>, clock: Clock) {
    this.#informer = informer;
    this.#clock = clock;
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
    objects.set(keyOf(object), { uid: object.metadata.uid, version, atMs: this.#clock.now() });
  }

  /** Call from the informer's `deleted`: what is gone will not be seen any more. */
  observeDeletion(owner: ObjectKey, object: KubeObject): void {
    const objects = this.#byOwner.get(owner);
    if (objects?.get(keyOf(object))?.uid === object.metadata.uid) objects.delete(keyOf(object));
    if (objects?.size === 0) this.#byOwner.delete(owner);
  }

  /**
   * The cache lags behind a write made for this owner. The watch brings what is missing and wakes the owner; should it
   * never, the queue does.
   */
  isStale(owner: ObjectKey, queue: ControllerQueue): boolean {
    const objects = this.#byOwner.get(owner);
    if (objects === undefined) return false;
    for (const [key, { uid, version, atMs }] of objects) {
      const cached = this.#informer.get(key) as KubeObject | undefined;
      const isSeen =
        version === undefined
          ? cached?.metadata.uid !== uid || cached.metadata.deletionTimestamp !== undefined
          : cached !== undefined && (cached.metadata.uid !== uid || Number(cached.metadata.resourceVersion) >= version);
      if (!isSeen && this.#clock.now() - atMs < timeoutMs) {
        queue.addAfter(owner, timeoutMs);
        return true;
      }
      objects.delete(key);
    }
    this.#byOwner.delete(owner);
    return false;
  }

  forget(owner: ObjectKey): void {
    this.#byOwner.delete(owner);
  }
}
