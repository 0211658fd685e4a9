import { decide } from '../transaction.ts';
import { changedBytes, type DecidedRevision, type Head, headOf, keyValueOf } from './checkpoint.ts';
import { LogDamagedError, type LogRecord } from './log-record.ts';
import { readCurrent, readState, type Tables } from './tables.ts';

/**
 * What the log has and the tables have not. A record is whole or not there, and the tables end where a record does, so
 * each is skipped or follows right after. Throws LogDamagedError.
 */
export function missingRevisions(tables: Tables, records: readonly LogRecord[]): DecidedRevision[] {
  const applied = readState(tables).revision;
  const heads = new Map<string, Head>();
  const head = (key: string) => {
    const changed = heads.get(key);
    return changed === undefined ? readCurrent(tables, key) : keyValueOf(key, changed);
  };
  const missing: DecidedRevision[] = [];
  let newest = applied;
  for (const { first, revisions } of records) {
    if (first + revisions.length - 1 <= applied) continue;
    if (first !== newest + 1) throw new LogDamagedError(`revision ${first} follows upon ${newest}`);
    for (const operations of revisions) {
      const { changes } = decide({ compare: [], operations }, newest, head);
      newest += 1;
      if (changes.length !== operations.length) {
        throw new LogDamagedError(`revision ${newest} deletes what the tables do not have`);
      }
      for (const { event } of changes) heads.set(event.key, headOf(event));
      const events = changes.map(({ event }) => event);
      missing.push({ revision: newest, events, changes, bytes: changedBytes(changes) });
    }
  }
  return missing;
}
