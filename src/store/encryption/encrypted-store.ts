import {
  type CommitResult,
  type KeyValue,
  type RangeRequest,
  type RangeResult,
  type Store,
  type StoreEvent,
  type Transaction,
  UnavailableError,
  type Watch,
  type WatchRequest,
  type WriteOperation,
} from '../store.ts';
import type { EncryptionRules } from './configuration.ts';
import type { ProviderList } from './providers.ts';

/**
 * A store whose engine sees values of some resources in encrypted form only. Each is bound to its key, where the
 * provider can do that. Closes the inner store.
 */
export function encryptedStore(inner: Store, rules: EncryptionRules): Store {
  return new EncryptedStore(inner, rules);
}

class EncryptedStore implements Store {
  readonly #inner: Store;
  readonly #rules: EncryptionRules;
  readonly #byResource = new Map<string, ProviderList | undefined>();
  /** What was sealed here, so that watchers get the very buffer its writer knows. */
  readonly #plain = new WeakMap<Uint8Array, Uint8Array>();

  constructor(inner: Store, rules: EncryptionRules) {
    this.#inner = inner;
    this.#rules = rules;
  }

  async get(key: string): Promise<KeyValue | undefined> {
    const found = await this.#inner.get(key);
    if (found !== undefined) await this.#prepare([found]);
    return found && this.#open(found);
  }

  async range(request: RangeRequest): Promise<RangeResult> {
    const result = await this.#inner.range(request);
    await this.#prepare(result.items);
    return { ...result, items: result.items.map((item) => this.#open(item)) };
  }

  async commit(transaction: Transaction): Promise<CommitResult> {
    const operations = transaction.operations.map((operation) => this.#seal(operation));
    const result = await this.#inner.commit({ compare: transaction.compare, operations });
    if (result.committed) return result;
    await this.#prepare(result.current.filter((item) => item !== undefined));
    return { ...result, current: result.current.map((item) => item && this.#open(item)) };
  }

  watch(request: WatchRequest): Watch {
    const deliver = (events: StoreEvent[], revision: number) =>
      request.onEvents(
        events.map((event) => (event.type === 'put' ? this.#open(event) : event)),
        revision,
      );
    // Whatever comes while a key is asked for comes after what it is for.
    let queue: Promise<void> | undefined;
    let isClosed = false;
    const watch = this.#inner.watch({
      ...request,
      onEvents: (events, revision) => {
        const puts = events.filter((event) => event.type === 'put');
        const preparing = this.#prepare(puts);
        if (queue === undefined && preparing === undefined) return deliver(events, revision);
        const turn: Promise<void> = (queue ?? Promise.resolve())
          .then(() => preparing)
          .then(() => {
            if (!isClosed) deliver(events, revision);
          })
          .catch((error: Error) => {
            if (isClosed) return;
            isClosed = true;
            watch.close();
            request.onError(error);
          })
          .finally(() => {
            if (queue === turn) queue = undefined;
          });
        // Two failures are one.
        preparing?.catch(() => {});
        queue = turn;
      },
      onError: (error) => {
        if (queue === undefined) return request.onError(error);
        void queue.then(() => {
          if (!isClosed) request.onError(error);
        });
      },
    });
    return {
      close() {
        isClosed = true;
        watch.close();
      },
    };
  }

  currentRevision(): Promise<number> {
    return this.#inner.currentRevision();
  }

  compact(revision: number): Promise<void> {
    return this.#inner.compact(revision);
  }

  async sizeBytes(): Promise<number | undefined> {
    return this.#inner.sizeBytes?.();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** undefined where all keys are at hand. */
  #prepare(items: readonly { key: string; value: Uint8Array }[]): Promise<unknown> | undefined {
    const waits = items.flatMap(({ key, value }) => {
      if (this.#plain.has(value)) return [];
      return this.#providersOf(key)?.prepare(value) ?? [];
    });
    return waits.length === 0 ? undefined : Promise.all(waits);
  }

  #seal(operation: WriteOperation): WriteOperation {
    if (operation.type !== 'put') return operation;
    const { key, value } = operation;
    let sealed: Uint8Array | undefined;
    try {
      sealed = this.#providersOf(key)?.seal(value, Buffer.from(key));
    } catch (error) {
      throw new UnavailableError((error as Error).message);
    }
    if (sealed === undefined || sealed === value) return operation;
    this.#plain.set(sealed, value);
    return { type: 'put', key, value: sealed };
  }

  #open<Item extends KeyValue | (StoreEvent & { type: 'put' })>(item: Item): Item {
    const providers = this.#providersOf(item.key);
    if (providers === undefined) return item;
    const known = this.#plain.get(item.value);
    if (known !== undefined) return { ...item, value: known };
    try {
      const { value, stale } = providers.open(item.value, Buffer.from(item.key));
      return value === item.value && !stale ? item : { ...item, value, ...(stale && { stale }) };
    } catch (error) {
      throw new Error(`unable to transform key ${JSON.stringify(item.key)}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Keys are `/<group or "core">/<resource>/…`. */
  #providersOf(key: string): ProviderList | undefined {
    const second = key.indexOf('/', 1);
    const third = key.indexOf('/', second + 1);
    if (second < 0 || third < 0) return undefined;
    const name = key.slice(1, third);
    if (!this.#byResource.has(name)) {
      const group = key.slice(1, second);
      const resource = key.slice(second + 1, third);
      this.#byResource.set(name, this.#rules.providersOf(resource, group === 'core' ? '' : group));
    }
    return this.#byResource.get(name);
  }
}
