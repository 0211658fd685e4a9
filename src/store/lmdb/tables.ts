import { type Database, open, type RootDatabase } from 'lmdb';
import type { KeyValue } from '../store.ts';

/**
 * The layout on disk. A put of key k at revision 7 that replaces the version of revision 4 becomes, in one transaction:
 *
 *     current   k        -> createRevision, 7, value       the newest version of each key that exists
 *     history   [k, 4]   -> createRevision, 7, value       a replaced version: visible at revisions 4 <= r < 7
 *     log       7        -> [[k, createRevision, 4]]       who changed at 7, and what they replaced (0: nothing)
 *     meta      'state'  -> { revision: 7, compacted }
 *
 * A delete removes from `current` and logs createRevision 0. A range at an old revision is `current` and `history`
 * merged; a watch from the past walks `log`; compaction drops log entries and, by what they replaced, history.
 */
export interface Tables {
  root: RootDatabase<Buffer, string>;
  current: Database<Buffer, string>;
  history: Database<Buffer, [string, number]>;
  log: Database<Buffer, number>;
  meta: Database<Buffer, string>;
}

/** [key, createRevision (0: deleted), the modRevision replaced (0: none)]. */
export type LogRecord = [key: string, createRevision: number, replaced: number];

export interface State {
  format: 1;
  revision: number;
  compacted: number;
}

/** Address space (not memory) taken for the map at first; lmdb moves to a greater one when needed. */
const MAP_BYTES = 64 * 2 ** 30;

export function openTables(directory: string): Tables {
  const root = open<Buffer, string>({
    path: directory,
    noSubdir: false,
    mapSize: MAP_BYTES,
    maxDbs: 8,
    encoding: 'binary',
    // A commit is acknowledged when it is on disk, so there is nothing to win by making it visible before.
    overlappingSync: false,
    // The store batches by itself; lmdb's own batching would leave rejections that nobody can catch.
    eventTurnBatching: false,
  });
  const table = <K extends string | number | [string, number]>(name: string) =>
    root.openDB<Buffer, K>({ name, encoding: 'binary' });
  return {
    root,
    current: table<string>('current'),
    history: table<[string, number]>('history'),
    log: table<number>('log'),
    meta: table<string>('meta'),
  };
}

export function readState(tables: Tables): State {
  const bytes = tables.meta.get('state');
  return bytes === undefined ? { format: 1, revision: 1, compacted: 0 } : JSON.parse(bytes.toString());
}

const headerBytes = 16;

/** Two revisions and the value. */
export function encodeRecord(createRevision: number, otherRevision: number, value: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(headerBytes + value.length);
  record.writeDoubleBE(createRevision, 0);
  record.writeDoubleBE(otherRevision, 8);
  record.set(value, headerBytes);
  return record;
}

export const createRevisionOf = (record: Buffer) => record.readDoubleBE(0);
/** modRevision in `current`, the replacing revision in `history`. */
export const otherRevisionOf = (record: Buffer) => record.readDoubleBE(8);
export const payloadOf = (record: Buffer): Uint8Array => record.subarray(headerBytes);

export function readCurrent(tables: Tables, key: string): KeyValue | undefined {
  const record = tables.current.get(key);
  return record === undefined ? undefined : currentKeyValue(key, record);
}

export const currentKeyValue = (key: string, record: Buffer): KeyValue => ({
  key,
  value: payloadOf(record),
  createRevision: createRevisionOf(record),
  modRevision: otherRevisionOf(record),
});

/** The version of `key` that was written at `modRevision`, wherever it is by now. */
export function readVersion(tables: Tables, key: string, modRevision: number): KeyValue | undefined {
  const current = readCurrent(tables, key);
  if (current?.modRevision === modRevision) return current;
  const record = tables.history.get([key, modRevision]);
  return record === undefined
    ? undefined
    : { key, value: payloadOf(record), createRevision: createRevisionOf(record), modRevision };
}
