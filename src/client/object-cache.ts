import type { KubeObject } from '../api/object.ts';
import type { Logger } from '../base/log.ts';
import { type Informer, type InformerHandlers, keyOf, type ObjectKey } from './informer.ts';

interface Index<T> {
  valuesOf(object: T): string[];
  entries: Map<string, Map<ObjectKey, T>>;
}

/** The copy behind an informer: objects by key, the indexes over them, and whom to tell of changes. */
export class ObjectCache<T extends KubeObject> implements Informer<T> {
  readonly #tenant: string;
  readonly #logger: Logger;
  readonly #objects = new Map<ObjectKey, T>();
  readonly #indexes = new Map<string, Index<T>>();
  readonly #handlers: InformerHandlers<T>[] = [];
  #hasSynced = false;
  readonly #synced = Promise.withResolvers<void>();

  /** `tenant` is given to objects that carry none: those of an API server without tenants. */
  constructor(tenant: string, logger: Logger) {
    this.#tenant = tenant;
    this.#logger = logger;
  }

  get(key: ObjectKey): T | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  get size(): number {
    return this.#objects.size;
  }

  byIndex(name: string, value: string): T[] {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new Error(`the informer has no index ${name}`);
    const found = index.entries.get(value);
    return found === undefined ? [] : [...found.values()];
  }

  addIndex(name: string, valuesOf: (object: T) => string[]): void {
    // Shared informers are asked for the same index by each of their users.
    if (this.#indexes.has(name)) return;
    const index: Index<T> = { valuesOf, entries: new Map() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#objects) insert(index, key, object);
  }

  /** Late subscribers hear of everything that is already there. */
  addHandlers(handlers: InformerHandlers<T>): void {
    this.#handlers.push(handlers);
    if (handlers.added === undefined) return;
    for (const object of this.#objects.values()) this.#tell(() => handlers.added?.(object));
  }

  synced(): Promise<void> {
    return this.#synced.promise;
  }

  hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** A full list: what is missing from it was deleted while nobody watched. */
  replace(items: T[]): void {
    const missing = new Map(this.#objects);
    for (const item of items) {
      const object = this.#withTenant(item);
      const key = keyOf(object);
      const before = missing.get(key);
      missing.delete(key);
      if (before?.metadata.uid !== undefined && before.metadata.uid !== object.metadata.uid) this.#remove(key, before);
      if (before?.metadata.resourceVersion !== object.metadata.resourceVersion) this.#put(key, object);
    }
    for (const [key, object] of missing) this.#remove(key, object);
    if (this.#hasSynced) return;
    this.#hasSynced = true;
    this.#synced.resolve();
  }

  put(item: T): void {
    const object = this.#withTenant(item);
    this.#put(keyOf(object), object);
  }

  /** `last` is the object's last state, as the watch gives it. */
  remove(last: T): void {
    const object = this.#withTenant(last);
    this.#remove(keyOf(object), object);
  }

  #withTenant(object: T): T {
    if (object.metadata.clusterName !== undefined || this.#tenant === '') return object;
    return { ...object, metadata: { ...object.metadata, clusterName: this.#tenant } };
  }

  #put(key: ObjectKey, object: T): void {
    const before = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) {
      if (before === undefined) insert(index, key, object);
      else move(index, key, before, object);
    }
    // Every change of every object passes here, once for each subscriber: without a closure for each of them.
    for (const handlers of this.#handlers) {
      try {
        if (before === undefined) handlers.added?.(object);
        else handlers.updated?.(before, object);
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  #remove(key: ObjectKey, last: T): void {
    const before = this.#objects.get(key);
    if (before === undefined) return;
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) take(index, key, before);
    for (const handlers of this.#handlers) this.#tell(() => handlers.deleted?.(last));
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** One subscriber's mistake must not cost the others their events. */
  #failed(error: unknown): void {
    this.#logger.error({ error }, 'an informer handler failed');
  }
}

/** Most changes leave an object where it stands in the index. */
function move<T extends KubeObject>(index: Index<T>, key: ObjectKey, before: T, after: T): void {
  const old = index.valuesOf(before);
  const values = index.valuesOf(after);
  if (!sameTexts(old, values)) takeFrom(index, key, old);
  insertAt(index, key, after, values);
}

function sameTexts(a: string[], b: string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function insert<T extends KubeObject>(index: Index<T>, key: ObjectKey, object: T): void {
  insertAt(index, key, object, index.valuesOf(object));
}

function insertAt<T extends KubeObject>(index: Index<T>, key: ObjectKey, object: T, values: string[]): void {
  for (let i = 0; i < values.length; i++) {
    const entry = index.entries.get(values[i]!);
    if (entry === undefined) index.entries.set(values[i]!, new Map([[key, object]]));
    else entry.set(key, object);
  }
}

function take<T extends KubeObject>(index: Index<T>, key: ObjectKey, object: T): void {
  takeFrom(index, key, index.valuesOf(object));
}

function takeFrom<T extends KubeObject>(index: Index<T>, key: ObjectKey, values: string[]): void {
  for (let i = 0; i < values.length; i++) {
    const entry = index.entries.get(values[i]!);
    entry?.delete(key);
    if (entry?.size === 0) index.entries.delete(values[i]!);
  }
}
