import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type CommitResult,
  type KeyValue,
  type RangeRequest,
  type RangeResult,
  type Store,
  type Transaction,
  UnavailableError,
  type Watch,
  type WatchRequest,
} from './store.ts';

/** A right to write that ends when somebody else writes `key`. */
export interface Fence {
  key: string;
  /** At which the key stood when the right began. */
  modRevision: number;
  /** Called with each commit that came too late. */
  onLost(): void;
}

/** A commit under a fence that was taken down: nothing was written. */
export class FencedError extends UnavailableError {
  constructor() {
    super('the writer has been replaced by another');
    this.name = 'FencedError';
  }
}

export interface FencedStore extends Store {
  /** Whatever `work` commits, now or later, is committed only while the fence stands. */
  within<T>(fence: Fence, work: () => T): T;
}

/**
 * A store for processes that take turns: a lease alone does not keep one that slept through its end from writing on,
 * but a comparison in each of its transactions does.
 */
export function fencedStore(inner: Store): FencedStore {
  return new Fenced(inner);
}

class Fenced implements FencedStore {
  readonly #inner: Store;
  readonly #current = new AsyncLocalStorage<Fence>();

  constructor(inner: Store) {
    this.#inner = inner;
  }

  within<T>(fence: Fence, work: () => T): T {
    return this.#current.run(fence, work);
  }

  async commit(transaction: Transaction): Promise<CommitResult> {
    const fence = this.#current.getStore();
    if (fence === undefined) return this.#inner.commit(transaction);
    const { key, modRevision } = fence;
    const compare = [...transaction.compare, { key, modRevision }];
    const result = await this.#inner.commit({ compare, operations: transaction.operations });
    if (result.committed) return result;
    if (result.current.at(-1)?.modRevision !== modRevision) {
      fence.onLost();
      throw new FencedError();
    }
    return { ...result, current: result.current.slice(0, -1) };
  }

  get(key: string): Promise<KeyValue | undefined> {
    return this.#inner.get(key);
  }

  range(request: RangeRequest): Promise<RangeResult> {
    return this.#inner.range(request);
  }

  watch(request: WatchRequest): Watch {
    return this.#inner.watch(request);
  }

  currentRevision(): Promise<number> {
    return this.#inner.currentRevision();
  }

  compact(revision: number): Promise<void> {
    return this.#inner.compact(revision);
  }

  isStale(key: string): Promise<boolean> | false {
    return this.#inner.isStale?.(key) ?? false;
  }

  async sizeBytes(): Promise<number | undefined> {
    return this.#inner.sizeBytes?.();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
