import type { KeyValue, RangeRequest, RangeResult, StoreEvent } from '../store.ts';
import type { Revision } from '../watch-hub.ts';
import {
  createRevisionOf,
  currentKeyValue,
  type LogRecord,
  otherRevisionOf,
  payloadOf,
  readState,
  readVersion,
  type Tables,
} from './tables.ts';

/**
 * The range at `revision`, which is neither compacted nor in the future. Runs in one turn and so on one snapshot; the
 * snapshot may be newer than `revision`.
 */
export function readRange(tables: Tables, request: RangeRequest, revision: number): RangeResult {
  const { start, end, limit = Number.POSITIVE_INFINITY } = request;
  if (start >= end) return { items: [], count: 0, revision };
  if (readState(tables).revision === revision) return readNewest(tables, start, end, limit, revision);
  const items: KeyValue[] = [];
  for (const { key, value: record } of tables.current.getRange({ start, end })) {
    if (otherRevisionOf(record) <= revision) items.push(currentKeyValue(key, record));
  }
  const fromCurrent = items.length;
  for (const { key, value: record } of tables.history.getRange({ start: [start] as any, end: [end] as any })) {
    const [name, modRevision] = key;
    if (modRevision > revision || otherRevisionOf(record) <= revision) continue;
    items.push({ key: name, value: payloadOf(record), createRevision: createRevisionOf(record), modRevision });
  }
  if (items.length > fromCurrent) items.sort((a, b) => (a.key < b.key ? -1 : 1));
  return { items: items.slice(0, limit), count: items.length, revision };
}

function readNewest(tables: Tables, start: string, end: string, limit: number, revision: number): RangeResult {
  const items: KeyValue[] = [];
  const range = tables.current.getRange(Number.isFinite(limit) ? { start, end, limit } : { start, end });
  for (const { key, value: record } of range) items.push(currentKeyValue(key, record));
  const count = items.length < limit ? items.length : tables.current.getKeysCount({ start, end });
  return { items, count, revision };
}

/** Revisions in (after, upTo], ascending, at most `limit`. */
export function readLog(tables: Tables, after: number, upTo: number, limit: number): Revision[] {
  const revisions: Revision[] = [];
  for (const { key: revision, value } of tables.log.getRange({ start: after + 1, end: upTo + 1, limit })) {
    const records: LogRecord[] = JSON.parse(value.toString());
    revisions.push({ revision, events: records.map((record) => eventOf(tables, revision, record)) });
  }
  return revisions;
}

function eventOf(tables: Tables, revision: number, [key, createRevision]: LogRecord): StoreEvent {
  if (createRevision === 0) return { type: 'delete', key, revision };
  const version = readVersion(tables, key, revision);
  if (version === undefined) throw new Error(`the store is damaged: no value of ${key} at revision ${revision}`);
  return { type: 'put', key, value: version.value, createRevision, revision };
}
