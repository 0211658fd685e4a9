import type { KeyValue, RangeRequest, RangeResult, StoreEvent } from '../store.ts';
import type { DecidedChange } from '../transaction.ts';
import type { Revision } from '../watch-hub.ts';
import { readLog, readRange } from './read.ts';
import { encodeRecord, type LogRecord, readState, type State, type Tables } from './tables.ts';
import { explainWriteError } from './write-error.ts';

/** A transaction that has its revision, and changes something. */
export interface DecidedRevision extends Revision {
  changes: DecidedChange[];
  /** Roughly what it adds to the tables. */
  bytes: number;
}

/** A key as the newest change leaves it. */
export interface Head {
  createRevision: number;
  modRevision: number;
  /** undefined: deleted. */
  value: Uint8Array | undefined;
}

export interface CheckpointOptions {
  directory: string;
  tables: Tables;
  state: State;
  /** What the log has is brought into the tables after so much time, or when it is much. */
  delayMs: number;
}

/** So much more is brought at once. */
const bytesAtOnce = 2 ** 20;
const retryMs = 1000;

/**
 * The tables, and what is durable in the log but not in them yet. Reads see both. Many small commits come to the tables
 * as one lmdb transaction, synced, which rewrites the pages they share once.
 */
export class Checkpoint {
  readonly #directory: string;
  readonly #tables: Tables;
  readonly #delayMs: number;
  /** The tables have everything up to here, for good. */
  #applied: number;
  #compacted: number;
  /** Durable, ascending, the first one after `applied`. */
  #pending: DecidedRevision[] = [];
  #pendingBytes = 0;
  readonly #heads = new Map<string, Head>();
  /** Transactions of lmdb, one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isDraining = false;
  #closed = false;

  constructor({ directory, tables, state, delayMs }: CheckpointOptions) {
    this.#directory = directory;
    this.#tables = tables;
    this.#delayMs = delayMs;
    this.#applied = state.revision;
    this.#compacted = state.compacted;
  }

  get applied(): number {
    return this.#applied;
  }

  /** Says what from now on may be forgotten; it is written with the next transaction. */
  setCompacted(revision: number): void {
    this.#compacted = revision;
  }

  /** Takes what has become durable in the log. */
  add(revisions: DecidedRevision[]): void {
    for (const revision of revisions) {
      this.#pending.push(revision);
      this.#pendingBytes += revision.bytes;
      for (const { event } of revision.changes) this.#heads.set(event.key, headOf(event));
    }
    this.#schedule(this.#delayMs);
  }

  /** The newest change of a key that is not in the tables yet. */
  head(key: string): Head | undefined {
    return this.#heads.get(key);
  }

  /** The range at `revision`, which is durable and not compacted. */
  range(request: RangeRequest, revision: number): RangeResult {
    const { start, end, limit } = request;
    // A transaction that was done a moment ago may be in the tables before `applied` says so: all the better.
    const base = Math.min(revision, readState(this.#tables).revision);
    const changed = new Map<string, KeyValue | undefined>();
    /** How many of them the tables have. */
    let before = 0;
    for (const each of this.#pending) {
      if (each.revision > revision) break;
      if (each.revision <= base) continue;
      for (const { event, replaced } of each.changes) {
        if (event.key < start || event.key >= end) continue;
        if (replaced !== undefined && !changed.has(event.key)) before += 1;
        changed.set(event.key, keyValueOf(event.key, headOf(event)));
      }
    }
    if (changed.size === 0) return { ...readRange(this.#tables, request, base), revision };
    const enough = limit === undefined ? undefined : limit + changed.size;
    const { items, count } = readRange(
      this.#tables,
      { start, end, ...(enough !== undefined && { limit: enough }) },
      base,
    );
    const merged = items.filter(({ key }) => !changed.has(key));
    const unchanged = merged.length;
    for (const item of changed.values()) if (item !== undefined) merged.push(item);
    const after = merged.length - unchanged;
    merged.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { items: merged.slice(0, limit), count: count - before + after, revision };
  }

  /** Revisions in (after, upTo], ascending, at most `limit`. */
  history(after: number, limit: number, upTo: number): Revision[] {
    const revisions = after < this.#applied ? readLog(this.#tables, after, Math.min(upTo, this.#applied), limit) : [];
    for (const each of this.#pending) {
      if (revisions.length === limit || each.revision > upTo) break;
      if (each.revision > after) revisions.push(each);
    }
    return revisions;
  }

  /**
   * Brings all that waits, then `revisions` (which are in no log), then `more` into the tables as one transaction.
   * Rejects when it could not, with why.
   */
  write(revisions: DecidedRevision[], more?: () => void): Promise<void> {
    const writing = this.#last.then(() => this.#write(revisions, more));
    this.#last = writing.catch(() => {});
    return writing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    // What cannot be brought now stays in the log.
    if (this.#pending.length > 0) await this.write([]).catch(() => {});
    await this.#last;
  }

  async #write(revisions: DecidedRevision[], more?: () => void): Promise<void> {
    const waiting = this.#pending.slice();
    const all = waiting.concat(revisions);
    const last = all.at(-1)?.revision ?? this.#applied;
    try {
      await this.#tables.root.batch(() => {
        putRevisions(this.#tables, all);
        more?.();
        putState(this.#tables, { format: 1, revision: last, compacted: this.#compacted });
      });
    } catch (error) {
      const bytes = all.reduce((sum, each) => sum + each.bytes, 0);
      throw await explainWriteError(error as Error, this.#directory, bytes);
    }
    this.#tables.root.resetReadTxn();
    this.#applied = last;
    this.#pending.splice(0, waiting.length);
    for (const each of waiting) {
      this.#pendingBytes -= each.bytes;
      for (const { event } of each.changes) {
        if (this.#heads.get(event.key)?.modRevision === each.revision) this.#heads.delete(event.key);
      }
    }
  }

  #schedule(delayMs: number): void {
    if (this.#isDraining || this.#closed) return;
    if (this.#pendingBytes >= bytesAtOnce && delayMs === this.#delayMs) this.#drain();
    else this.#timer ??= setTimeout(() => this.#drain(), delayMs).unref();
  }

  #drain(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isDraining = true;
    this.write([]).then(
      () => this.#drained(this.#delayMs),
      // The disk is full, say. Nothing is lost: the log has it, and takes no more than it has room for.
      () => this.#drained(retryMs),
    );
  }

  #drained(delayMs: number): void {
    this.#isDraining = false;
    if (this.#pending.length > 0) this.#schedule(delayMs);
  }
}

export const headOf = (event: StoreEvent): Head =>
  event.type === 'put'
    ? { createRevision: event.createRevision, modRevision: event.revision, value: event.value }
    : { createRevision: 0, modRevision: event.revision, value: undefined };

export const keyValueOf = (key: string, { value, createRevision, modRevision }: Head): KeyValue | undefined =>
  value === undefined ? undefined : { key, value, createRevision, modRevision };

export function changedBytes(changes: readonly DecidedChange[]): number {
  let bytes = 0;
  for (const { event, replaced } of changes) {
    bytes += (event.type === 'put' ? event.value.length : 0) + (replaced?.value.length ?? 0) + 4 * event.key.length;
  }
  return bytes;
}

/** Within a transaction of lmdb, whose end tells of what went wrong. The newest version of a key that changed several times is written once. */
function putRevisions(tables: Tables, revisions: readonly DecidedRevision[]): void {
  const newest = new Map<string, StoreEvent>();
  for (const { revision, changes } of revisions) {
    const records: LogRecord[] = [];
    for (const { event, replaced } of changes) {
      if (replaced !== undefined) {
        const record = encodeRecord(replaced.createRevision, revision, replaced.value);
        void tables.history.put([event.key, replaced.modRevision], record);
      }
      newest.set(event.key, event);
      records.push([event.key, event.type === 'put' ? event.createRevision : 0, replaced?.modRevision ?? 0]);
    }
    void tables.log.put(revision, Buffer.from(JSON.stringify(records)));
  }
  for (const event of newest.values()) {
    if (event.type === 'delete') void tables.current.remove(event.key);
    else void tables.current.put(event.key, encodeRecord(event.createRevision, event.revision, event.value));
  }
}

function putState(tables: Tables, state: State): void {
  void tables.meta.put('state', Buffer.from(JSON.stringify(state)));
}
