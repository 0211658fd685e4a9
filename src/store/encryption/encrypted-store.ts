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

/** No key opens what is stored. */
export class UnreadableError extends Error {
  constructor(key: string, cause: unknown) {
    super(`unable to transform key ${JSON.stringify(key)}: ${(cause as Error).message}`, { cause });
    this.name = 'UnreadableError';
  }
}

export interface EncryptedStore extends Store {
  /**
   * From now on values are written and read by these rules. Who is in the middle of something ends it by those it began
   * with: plug-ins behind them must not be closed at once.
   */
  use(rules: EncryptionRules): void;
}

/**
 * A store whose engine sees values of some resources in encrypted form only. Each is bound to its key, where the
 * provider can do that. Closes the inner store.
 */
export function encryptedStore(inner: Store, rules: EncryptionRules): EncryptedStore {
  return new Encrypted(inner, rules);
}

/** The providers for what is under a key of the store; undefined where values stay as they are. */
type Lookup = (key: string) => ProviderList | undefined;
type Stored = KeyValue | (StoreEvent & { type: 'put' });

class Encrypted implements EncryptedStore {
  readonly #inner: Store;
  #lookup: Lookup;
  /** What was sealed here, so that watchers get the very buffer its writer knows. */
  readonly #plain = new WeakMap<Uint8Array, Uint8Array>();

  constructor(inner: Store, rules: EncryptionRules) {
    this.#inner = inner;
    this.#lookup = lookupOf(rules);
  }

  use(rules: EncryptionRules): void {
    this.#lookup = lookupOf(rules);
  }

  async get(key: string): Promise<KeyValue | undefined> {
    const found = await this.#inner.get(key);
    if (found === undefined) return undefined;
    const lookup = this.#lookup;
    await prepare([found], lookup);
    return open(found, lookup);
  }

  async range(request: RangeRequest): Promise<RangeResult> {
    const result = await this.#inner.range(request);
    const lookup = this.#lookup;
    await prepare(result.items, lookup);
    return { ...result, items: result.items.map((item) => open(item, lookup)) };
  }

  async commit(transaction: Transaction): Promise<CommitResult> {
    const operations = transaction.operations.map((operation) => this.#seal(operation));
    const result = await this.#inner.commit({ compare: transaction.compare, operations });
    if (result.committed) return result;
    const lookup = this.#lookup;
    await prepare(
      result.current.filter((item) => item !== undefined),
      lookup,
    );
    return { ...result, current: result.current.map((item) => item && open(item, lookup)) };
  }

  watch(request: WatchRequest): Watch {
    const deliver = (events: StoreEvent[], revision: number, lookup: Lookup) =>
      request.onEvents(
        events.map((event) => (event.type === 'put' ? this.#openOwn(event, lookup) : event)),
        revision,
      );
    // Whatever comes while a key is asked for comes after what it is for.
    let queue: Promise<void> | undefined;
    let isClosed = false;
    const watch = this.#inner.watch({
      ...request,
      onEvents: (events, revision) => {
        const lookup = this.#lookup;
        const foreign = events.filter((event) => event.type === 'put').filter(({ value }) => !this.#plain.has(value));
        const preparing = prepare(foreign, lookup);
        if (queue === undefined && preparing === undefined) return deliver(events, revision, lookup);
        const turn: Promise<void> = (queue ?? Promise.resolve())
          .then(() => preparing)
          .then(() => {
            if (!isClosed) deliver(events, revision, lookup);
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

  isStale(key: string): Promise<boolean> | false {
    if (this.#lookup(key) === undefined) return false;
    return this.get(key).then((found) => found?.stale === true);
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

  #seal(operation: WriteOperation): WriteOperation {
    if (operation.type !== 'put') return operation;
    const { key, value } = operation;
    let sealed: Uint8Array | undefined;
    try {
      sealed = this.#lookup(key)?.seal(value, Buffer.from(key));
    } catch (error) {
      throw new UnavailableError((error as Error).message);
    }
    if (sealed === undefined || sealed === value) return operation;
    this.#plain.set(sealed, value);
    return { type: 'put', key, value: sealed };
  }

  /** Whether it became stale since it was sealed is not told: `isStale` knows. */
  #openOwn(event: StoreEvent & { type: 'put' }, lookup: Lookup): StoreEvent {
    const known = this.#plain.get(event.value);
    return known === undefined ? open(event, lookup) : { ...event, value: known };
  }
}

/** Custom resources come and go. */
const resourcesRemembered = 10_000;

/** Keys are `/<group or "core">/<resource>/…`. */
function lookupOf(rules: EncryptionRules): Lookup {
  const byResource = new Map<string, ProviderList | undefined>();
  return (key) => {
    const second = key.indexOf('/', 1);
    const third = key.indexOf('/', second + 1);
    if (second < 0 || third < 0) return undefined;
    const name = key.slice(1, third);
    if (!byResource.has(name)) {
      if (byResource.size >= resourcesRemembered) byResource.clear();
      const group = key.slice(1, second);
      const resource = key.slice(second + 1, third);
      byResource.set(name, rules.providersOf(resource, group === 'core' ? '' : group));
    }
    return byResource.get(name);
  };
}

/** undefined where all keys are at hand. */
function prepare(items: readonly Stored[], lookup: Lookup): Promise<unknown> | undefined {
  const waits = items.flatMap(({ key, value }) => lookup(key)?.prepare(value) ?? []);
  return waits.length === 0 ? undefined : Promise.all(waits);
}

function open<Item extends Stored>(item: Item, lookup: Lookup): Item {
  const providers = lookup(item.key);
  if (providers === undefined) return item;
  try {
    const { value, stale } = providers.open(item.value, Buffer.from(item.key));
    return value === item.value && !stale ? item : { ...item, value, ...(stale && { stale }) };
  } catch (error) {
    throw new UnreadableError(item.key, error);
  }
}
