import {
  ClosedError,
  type CommitResult,
  CompactedError,
  FutureRevisionError,
  type KeyValue,
  type RangeRequest,
  type RangeResult,
  type Store,
  type Transaction,
  type Watch,
  type WatchRequest,
} from '../store.ts';
import { checkTransaction } from '../transaction.ts';
import { Committer } from './committer.ts';
import { Connection, type ConnectionOptions, type EtcdTls } from './connection.ts';
import { asStoreError, isCompacted, isFutureRevision } from './errors.ts';
import { Feed } from './feed.ts';
import { Keyspace } from './keys.ts';
import type { EtcdKeyValue } from './messages.ts';

export interface EtcdStoreOptions extends ConnectionOptions {
  /** Where everything lies, `/skypod` when absent: several Skypods can share a cluster. */
  prefix?: string;
}

/** Keys asked for at once: whole resources are read in pages, all at the first page's revision. */
const pageSize = 1_000;
/** A read of the newest state is begun again so often when it was compacted away between two pages. */
const compactedRetries = 3;

/** Rejects with UnavailableError when no member answers. */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<EtcdStore> {
  const connection = new Connection(options);
  const keyspace = new Keyspace(options.prefix ?? '/skypod');
  try {
    return new EtcdStore(connection, keyspace, await readRevision(connection, keyspace));
  } catch (error) {
    connection.close();
    throw asStoreError(error);
  }
}

/**
 * A store that several processes share: an etcd cluster. Reads are linearizable, writes are etcd's transactions, and
 * all watchers of this process are served from one watch (`feed.ts`).
 */
export class EtcdStore implements Store {
  readonly #connection: Connection;
  readonly #keyspace: Keyspace;
  readonly #feed: Feed;
  readonly #committer: Committer;
  /** The next read of the newest revision: all who ask while one is under way share the one after it. */
  #reading: Promise<number> | undefined;
  #next: Promise<number> | undefined;
  #closed = false;

  constructor(connection: Connection, keyspace: Keyspace, revision: number) {
    this.#connection = connection;
    this.#keyspace = keyspace;
    this.#committer = new Committer({
      connection,
      keyspace,
      feed: () => this.#feed,
      toKeyValue: (kv) => this.#toKeyValue(kv, false),
    });
    this.#feed = new Feed(
      {
        connection,
        keyspace,
        currentRevision: () => readRevision(connection, keyspace),
        writeMark: async () => {
          const mark = { key: keyspace.own('mark'), value: Buffer.alloc(0) };
          return (await connection.call('Put', mark)).header.revision;
        },
        onEvent: (event) => this.#committer.onEvent(event),
      },
      revision,
    );
    // Of no hurry: the next process that starts does it as well.
    this.#committer.sweep().catch(() => {});
  }

  async get(key: string): Promise<KeyValue | undefined> {
    this.#checkOpen();
    try {
      const { kvs } = await this.#connection.call('Range', { key: this.#keyspace.encode(key) });
      return kvs[0] && this.#toKeyValue(kvs[0], false);
    } catch (error) {
      throw asStoreError(error);
    }
  }

  async range(request: RangeRequest): Promise<RangeResult> {
    this.#checkOpen();
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#range(request);
      } catch (error) {
        if (isCompacted(error)) {
          if (request.revision === undefined && attempt < compactedRetries) continue;
          throw new CompactedError(Math.max(this.#feed.compacted, request.revision ?? 0));
        }
        if (isFutureRevision(error)) throw new FutureRevisionError(request.revision!, await this.currentRevision());
        throw asStoreError(error);
      }
    }
  }

  async commit(transaction: Transaction): Promise<CommitResult> {
    this.#checkOpen();
    checkTransaction(transaction);
    return this.#committer.commit(transaction);
  }

  watch(request: WatchRequest): Watch {
    return this.#feed.hub.watch(request);
  }

  currentRevision(): Promise<number> {
    if (this.#closed) return Promise.reject(new ClosedError());
    if (this.#next !== undefined) return this.#next;
    if (this.#reading === undefined) return this.#read();
    // The one under way may have been answered before this caller's "now".
    this.#next = this.#reading.then(
      () => this.#read(),
      () => this.#read(),
    );
    return this.#next;
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen();
    try {
      await this.#connection.call('Compact', { revision });
    } catch (error) {
      if (isFutureRevision(error)) throw new FutureRevisionError(revision, await this.currentRevision());
      // Somebody has compacted further already.
      if (!isCompacted(error)) throw asStoreError(error);
    }
    this.#feed.noteCompaction(revision);
  }

  async sizeBytes(): Promise<number> {
    this.#checkOpen();
    try {
      return (await this.#connection.status()).dbSize;
    } catch (error) {
      throw asStoreError(error);
    }
  }

  /** See `Connection.renewTls`. */
  renewTls(tls: EtcdTls): Promise<Map<string, string>> {
    return this.#connection.renewTls(tls);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#feed.close();
    await this.#committer.close();
    this.#connection.close();
  }

  #read(): Promise<number> {
    this.#next = undefined;
    const reading = readRevision(this.#connection, this.#keyspace)
      .then(
        (revision) => {
          this.#feed.expect(revision);
          return revision;
        },
        (error) => {
          throw asStoreError(error);
        },
      )
      .finally(() => {
        if (this.#reading === reading) this.#reading = undefined;
      });
    this.#reading = reading;
    return reading;
  }

  async #range({ start, end, revision, limit }: RangeRequest): Promise<RangeResult> {
    if (start >= end) return { items: [], count: 0, revision: revision ?? (await this.currentRevision()) };
    const items: KeyValue[] = [];
    const rangeEnd = this.#keyspace.encode(end);
    let key = this.#keyspace.encodeStart(start);
    let count: number | undefined;
    let at = revision;
    for (;;) {
      const wanted = Math.min(pageSize, (limit ?? Number.POSITIVE_INFINITY) - items.length);
      const page = await this.#connection.call('Range', { key, rangeEnd, limit: wanted, revision: at ?? 0 });
      at ??= page.header.revision;
      count ??= page.count;
      for (const kv of page.kvs) items.push(this.#toKeyValue(kv, true));
      if (!page.more || items.length === limit) return { items, count, revision: at };
      key = Buffer.concat([page.kvs.at(-1)!.key, Buffer.of(0)]);
    }
  }

  /** `copied`: a value of its own memory, where it is a slice of a whole page that would otherwise live as long. */
  #toKeyValue(kv: EtcdKeyValue, copied: boolean): KeyValue {
    let { value } = kv;
    if (copied) {
      value = Buffer.allocUnsafeSlow(kv.value.length);
      kv.value.copy(value);
    }
    return {
      key: this.#keyspace.decode(kv.key),
      value,
      createRevision: kv.createRevision,
      modRevision: kv.modRevision,
    };
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError();
  }
}

/** The revision of a linearizable read that reads nothing. */
async function readRevision(connection: Connection, keyspace: Keyspace): Promise<number> {
  const { header } = await connection.call('Range', { key: keyspace.own('nothing'), countOnly: true });
  return header.revision;
}
