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
import { checkTransaction, decide } from '../transaction.ts';
import { type Revision, WatchHub } from '../watch-hub.ts';
import { lockDirectory } from './directory-lock.ts';
import { readLog, readRange } from './read.ts';
import { encodeRecord, type LogRecord, openTables, readCurrent, readState, type State, type Tables } from './tables.ts';
import { explainWriteError } from './write-error.ts';

export interface LmdbStoreOptions {
  /** Address space (not memory) taken for the map at first; lmdb moves to a greater one when needed. 64 GiB when absent. */
  mapSizeBytes?: number;
}

/** Throws StoreLockedError when another process has the directory open. */
export function openLmdbStore(directory: string, options: LmdbStoreOptions = {}): Store {
  const unlock = lockDirectory(directory);
  try {
    return new LmdbStore(directory, options.mapSizeBytes ?? 64 * 2 ** 30, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

/** A key as the transactions decided so far will leave it. */
interface Head {
  createRevision: number;
  modRevision: number;
  /** undefined: deleted. */
  value: Uint8Array | undefined;
}

const recentBytes = 8 * 2 ** 20;

/** The newest durable versions by key, the oldest forgotten first. Deleted keys are not kept: they are not read again. */
class RecentHeads {
  readonly #heads = new Map<string, Head>();
  #bytes = 0;

  get(key: string): Head | undefined {
    return this.#heads.get(key);
  }

  set(key: string, head: Head): void {
    this.#delete(key);
    if (head.value === undefined) return;
    this.#heads.set(key, head);
    this.#bytes += head.value.length;
    for (const oldest of this.#heads.keys()) {
      if (this.#bytes <= recentBytes) break;
      this.#delete(oldest);
    }
  }

  #delete(key: string): void {
    const head = this.#heads.get(key);
    if (head === undefined) return;
    this.#heads.delete(key);
    this.#bytes -= head.value!.length;
  }
}

/** Transactions that become durable together. */
interface Batch {
  revisions: Revision[];
  writes: (() => void)[];
  /** Roughly what the batch adds to the file. */
  bytes: number;
  /** Called when the batch is on disk, or with why it is not. */
  settle: ((error: Error | undefined) => void)[];
}

const compactionChunkRevisions = 1000;

/**
 * Transactions are decided (compared, numbered) in the order of `commit` calls, in this process' memory over what is on
 * disk; what was decided while the disk was busy goes to it as one lmdb transaction (group commit). Only when that is
 * synced are watchers told, then the callers.
 */
class LmdbStore implements Store {
  readonly #directory: string;
  readonly #unlock: () => void;
  readonly #hub: WatchHub;
  readonly #tables: Tables;
  /** Durable, and told to watchers. */
  #revision: number;
  /** The last one given out. */
  #decided: number;
  #compacted: number;
  /** Keys whose newest version is not on disk yet. */
  readonly #heads = new Map<string, Head>();
  /** What was written last: a young object is mostly written again at once, and need not be read back for that. */
  readonly #recent = new RecentHeads();
  #waiting: Batch = emptyBatch();
  #writing: Promise<void> | undefined;
  #compaction: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(directory: string, mapSizeBytes: number, unlock: () => void) {
    this.#directory = directory;
    this.#unlock = unlock;
    this.#tables = openTables(directory, mapSizeBytes);
    const state = readState(this.#tables);
    this.#revision = this.#decided = state.revision;
    this.#compacted = state.compacted;
    this.#hub = new WatchHub({
      current: () => this.#revision,
      compacted: () => this.#compacted,
      read: (after, limit) => readLog(this.#tables, after, this.#revision, limit),
    });
    // A crash may have cut a compaction short.
    if (state.compacted > 0) this.#compaction = this.#dropHistory().catch(() => {});
  }

  async get(key: string): Promise<KeyValue | undefined> {
    this.#checkOpen();
    const current = readCurrent(this.#tables, key);
    if (current === undefined || current.modRevision > this.#revision) {
      // Durable since a moment, but not announced: answer as of the announced revision, so that a reader never sees
      // more than `currentRevision` says.
      if (readState(this.#tables).revision !== this.#revision) {
        return readRange(this.#tables, { start: key, end: `${key}\x01` }, this.#revision).items.find(
          (item) => item.key === key,
        );
      }
    }
    return current;
  }

  async range(request: RangeRequest): Promise<RangeResult> {
    this.#checkOpen();
    const revision = request.revision ?? this.#revision;
    if (revision > this.#revision) throw new FutureRevisionError(revision, this.#revision);
    if (revision < this.#compacted) throw new CompactedError(this.#compacted);
    return readRange(this.#tables, request, revision);
  }

  commit(transaction: Transaction): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      this.#checkOpen();
      checkTransaction(transaction);
      const result = this.#decide(transaction);
      if (this.#writing === undefined && this.#waiting.writes.length === 0) return resolve(result);
      // Even a refusal waits: it may rest on a write that is not durable yet.
      this.#waiting.settle.push((error) => (error === undefined ? resolve(result) : reject(error)));
      this.#writing ??= this.#writeAll();
    });
  }

  watch(request: WatchRequest): Watch {
    return this.#hub.watch(request);
  }

  async currentRevision(): Promise<number> {
    this.#checkOpen();
    return this.#revision;
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen();
    if (revision > this.#revision) throw new FutureRevisionError(revision, this.#revision);
    if (revision <= this.#compacted) return;
    this.#compacted = revision;
    await this.#enqueue(() => this.#putState(this.#decided));
    this.#compaction = this.#compaction.catch(() => {}).then(() => this.#dropHistory());
    await this.#compaction;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#compaction.catch(() => {});
    while (this.#writing !== undefined) await this.#writing;
    this.#hub.close();
    await this.#tables.root.close();
    this.#unlock();
  }

  /** Compares, and if all holds, gives the transaction its revision and puts its writes into the waiting batch. */
  #decide(transaction: Transaction): CommitResult {
    const before = new Map<string, KeyValue | undefined>();
    const head = (key: string) => {
      if (!before.has(key)) before.set(key, this.#head(key));
      return before.get(key);
    };
    const { result, changes } = decide(transaction, this.#decided, head);
    if (changes.length === 0) return result;
    const { revision } = result;
    const records: LogRecord[] = [];
    const batch = this.#waiting;
    const { writes } = batch;
    for (const { event, replaced } of changes) {
      const { key } = event;
      if (replaced !== undefined) {
        const record = encodeRecord(replaced.createRevision, revision, replaced.value);
        batch.bytes += record.length;
        writes.push(() => this.#tables.history.put([key, replaced.modRevision], record));
      }
      if (event.type === 'put') {
        const { createRevision, value } = event;
        const record = encodeRecord(createRevision, revision, value);
        batch.bytes += record.length;
        writes.push(() => this.#tables.current.put(key, record));
        records.push([key, createRevision, replaced?.modRevision ?? 0]);
        this.#heads.set(key, { createRevision, modRevision: revision, value });
      } else {
        writes.push(() => this.#tables.current.remove(key));
        records.push([key, 0, replaced!.modRevision]);
        this.#heads.set(key, { createRevision: 0, modRevision: revision, value: undefined });
      }
    }
    const log = Buffer.from(JSON.stringify(records));
    writes.push(() => this.#tables.log.put(revision, log));
    batch.revisions.push({ revision, events: changes.map(({ event }) => event) });
    this.#decided = revision;
    return result;
  }

  #head(key: string): KeyValue | undefined {
    const head = this.#heads.get(key) ?? this.#recent.get(key);
    if (head === undefined) return readCurrent(this.#tables, key);
    return head.value === undefined
      ? undefined
      : { key, value: head.value, createRevision: head.createRevision, modRevision: head.modRevision };
  }

  #enqueue(write: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.writes.push(write);
      this.#waiting.settle.push((error) => (error === undefined ? resolve() : reject(error)));
      this.#writing ??= this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    // Let the rest of this turn's commits join.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#waiting.settle.length > 0) {
      const batch = this.#waiting;
      this.#waiting = emptyBatch();
      const error = await this.#write(batch);
      if (error === undefined) this.#announce(batch);
      else this.#giveUp(batch, error);
    }
    this.#writing = undefined;
  }

  /** One lmdb transaction, synced. Returns why it could not be. */
  async #write(batch: Batch): Promise<Error | undefined> {
    if (batch.writes.length === 0) return undefined;
    const last = batch.revisions.at(-1)?.revision;
    try {
      await this.#tables.root.batch(() => {
        for (const write of batch.writes) write();
        if (last !== undefined) this.#putState(last);
      });
      this.#tables.root.resetReadTxn();
      return undefined;
    } catch (error) {
      return explainWriteError(error as Error, this.#directory, batch.bytes);
    }
  }

  #putState(revision: number): void {
    const state: State = { format: 1, revision, compacted: this.#compacted };
    this.#tables.meta.put('state', Buffer.from(JSON.stringify(state)));
  }

  #announce(batch: Batch): void {
    const last = batch.revisions.at(-1)?.revision;
    if (last !== undefined) {
      this.#revision = last;
      for (const { events, revision } of batch.revisions) {
        for (const { key } of events) {
          const head = this.#heads.get(key);
          if (head?.modRevision !== revision) continue;
          this.#heads.delete(key);
          this.#recent.set(key, head);
        }
      }
      this.#hub.publish(batch.revisions);
    }
    for (const settle of batch.settle) settle(undefined);
  }

  /**
   * Nothing of the batch is on disk. What was decided since was decided upon it, so it fails too, and deciding goes on
   * from what is durable.
   */
  #giveUp(batch: Batch, error: Error): void {
    const failed = [...batch.settle, ...this.#waiting.settle];
    this.#waiting = emptyBatch();
    this.#heads.clear();
    this.#decided = this.#revision;
    for (const settle of failed) settle(error);
  }

  /** Deletes what compaction made unreachable, in chunks, so that commits get their turn in between. */
  async #dropHistory(): Promise<void> {
    for (;;) {
      if (this.#closed) return;
      const writes: (() => void)[] = [];
      const range = { start: 0, end: this.#compacted + 1, limit: compactionChunkRevisions };
      for (const { key: revision, value } of this.#tables.log.getRange(range)) {
        for (const [key, , replaced] of JSON.parse(value.toString()) as LogRecord[]) {
          if (replaced > 0) writes.push(() => this.#tables.history.remove([key, replaced]));
        }
        writes.push(() => this.#tables.log.remove(revision));
      }
      if (writes.length === 0) return;
      await this.#enqueue(() => {
        for (const write of writes) write();
      });
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError();
  }
}

const emptyBatch = (): Batch => ({ revisions: [], writes: [], bytes: 0, settle: [] });
