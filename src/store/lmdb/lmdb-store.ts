import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
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
  UnavailableError,
  UnknownOutcomeError,
  type Watch,
  type WatchRequest,
} from '../store.ts';
import { checkTransaction, decide } from '../transaction.ts';
import { WatchHub } from '../watch-hub.ts';
import { Checkpoint, changedBytes, type DecidedRevision, type Head, headOf, keyValueOf } from './checkpoint.ts';
import { lockDirectory } from './directory-lock.ts';
import { readRange } from './read.ts';
import { missingRevisions } from './recover.ts';
import { type LogRecord, openTables, readCurrent, readState, type Tables } from './tables.ts';
import { WriteAheadLog, type WriteAheadLogOptions } from './write-ahead-log.ts';

export interface LmdbStoreOptions {
  log?: WriteAheadLogOptions;
  /** What is durable in the log is brought into the tables after so much time at most. 100 ms when absent. */
  checkpointDelayMs?: number;
}

/** Throws StoreLockedError when another process has the directory open, LogDamagedError when what was acknowledged is not there. */
export function openLmdbStore(directory: string, options: LmdbStoreOptions = {}): Store {
  const unlock = lockDirectory(directory);
  try {
    return new LmdbStore(directory, options, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Mostly the watch cache's own bytes: they take no memory besides. */
const recentBytes = 32 * 2 ** 20;

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
  revisions: DecidedRevision[];
  /** It is in the log, and not in the tables. */
  isLogged: boolean;
  /** Called when the batch is on disk, or with why it is not. */
  settle: ((error: Error | undefined) => void)[];
}

const compactionChunkRevisions = 1000;

/**
 * Transactions are decided (compared, numbered) in the order of `commit` calls, in this process' memory over what is on
 * disk; what was decided while the disk was busy goes to the log as one record (group commit). Only when that is synced
 * are watchers told, then the callers. The checkpoint brings it into the tables later. What the log cannot take goes
 * straight to the tables.
 */
class LmdbStore implements Store {
  readonly #directory: string;
  readonly #unlock: () => void;
  readonly #hub: WatchHub;
  readonly #tables: Tables;
  readonly #log: WriteAheadLog;
  readonly #checkpoint: Checkpoint;
  /** Durable, and told to watchers. */
  #revision: number;
  /** The last one given out. */
  #decided: number;
  #compacted: number;
  /** Keys whose newest version is not durable yet. */
  readonly #heads = new Map<string, Head>();
  /** What was written last: a young object is mostly written again at once, and need not be read back for that. */
  readonly #recent = new RecentHeads();
  #waiting: Batch = emptyBatch();
  #writing: Promise<void> | undefined;
  #compaction: Promise<void> = Promise.resolve();
  /** What was said to be unknown may be found when the store is opened again: nothing may take its place. */
  #isInDoubt = false;
  #closed = false;

  constructor(directory: string, options: LmdbStoreOptions, unlock: () => void) {
    this.#directory = directory;
    this.#unlock = unlock;
    const tables = openTables(directory);
    this.#tables = tables;
    const state = readState(tables);
    const { log, records } = WriteAheadLog.open(directory, state.revision, options.log);
    this.#log = log;
    this.#checkpoint = new Checkpoint({ directory, tables, state, delayMs: options.checkpointDelayMs ?? 100 });
    const missing = missingRevisions(tables, records);
    this.#checkpoint.add(missing);
    this.#revision = this.#decided = missing.at(-1)?.revision ?? state.revision;
    this.#compacted = state.compacted;
    this.#hub = new WatchHub({
      current: () => this.#revision,
      compacted: () => this.#compacted,
      read: (after, limit, upTo) => this.#checkpoint.history(after, limit, upTo),
    });
    // A crash may have cut a compaction short.
    if (state.compacted > 0) this.#compaction = this.#dropHistory().catch(() => {});
  }

  async get(key: string): Promise<KeyValue | undefined> {
    this.#checkOpen();
    const head = this.#checkpoint.head(key);
    if (head !== undefined) return keyValueOf(key, head);
    const current = readCurrent(this.#tables, key);
    if (current === undefined || current.modRevision > this.#revision) {
      // In the tables since a moment, but not announced: answer as of the announced revision, so that a reader never
      // sees more than `currentRevision` says.
      if (readState(this.#tables).revision > this.#revision) {
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
    return this.#checkpoint.range(request, revision);
  }

  commit(transaction: Transaction): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      this.#checkOpen();
      checkTransaction(transaction);
      if (this.#isInDoubt)
        throw new UnavailableError(`what ${this.#directory} holds is not known until it is opened again`);
      const result = this.#decide(transaction);
      if (this.#writing === undefined && this.#waiting.revisions.length === 0) return resolve(result);
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
    this.#checkpoint.setCompacted(revision);
    await this.#checkpoint.write([]);
    this.#compaction = this.#compaction.catch(() => {}).then(() => this.#dropHistory());
    await this.#compaction;
  }

  async sizeBytes(): Promise<number> {
    this.#checkOpen();
    let sum = 0;
    for (const name of await readdir(this.#directory)) sum += (await stat(join(this.#directory, name))).size;
    return sum;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#compaction.catch(() => {});
    while (this.#writing !== undefined) await this.#writing;
    await this.#checkpoint.close();
    this.#hub.close();
    await this.#log.close();
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
    for (const { event } of changes) this.#heads.set(event.key, headOf(event));
    const events = changes.map(({ event }) => event);
    this.#waiting.revisions.push({ revision, events, changes, bytes: changedBytes(changes) });
    this.#decided = revision;
    return result;
  }

  #head(key: string): KeyValue | undefined {
    const head = this.#heads.get(key) ?? this.#checkpoint.head(key) ?? this.#recent.get(key);
    return head === undefined ? readCurrent(this.#tables, key) : keyValueOf(key, head);
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

  /** Makes the batch durable. Returns why it could not be. */
  async #write(batch: Batch): Promise<Error | undefined> {
    const { revisions } = batch;
    if (revisions.length === 0) return undefined;
    let isInDoubt = false;
    try {
      const operations = revisions.map(({ events }) => events);
      batch.isLogged = await this.#log.append(revisions[0]!.revision, operations, this.#checkpoint.applied);
      if (batch.isLogged) return undefined;
    } catch {
      // Whatever of it is in the log is the same that the tables get now.
      isInDoubt = true;
    }
    try {
      await this.#checkpoint.write(revisions);
      return undefined;
    } catch (error) {
      if (!isInDoubt) return error as Error;
      return await this.#log.withdraw().then(
        () => error as Error,
        (withdrawing: Error) => {
          this.#isInDoubt = true;
          return new UnknownOutcomeError(`${(error as Error).message}; ${withdrawing.message}`);
        },
      );
    }
  }

  #announce(batch: Batch): void {
    const last = batch.revisions.at(-1)?.revision;
    if (last !== undefined) {
      this.#revision = last;
      if (batch.isLogged) this.#checkpoint.add(batch.revisions);
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
      await this.#checkpoint.write([], () => {
        for (const write of writes) write();
      });
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError();
  }
}

const emptyBatch = (): Batch => ({ revisions: [], isLogged: false, settle: [] });
