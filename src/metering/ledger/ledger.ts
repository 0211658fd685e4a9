import type { UsageRecord } from '../../api/pool.ts';
import { USAGE_RECORDS } from '../../api/resources.ts';
import { isAlreadyExists, isNotFound } from '../../api/status.ts';
import { type Client, SYSTEM_TENANT } from '../../client/client.ts';
import { recordOf, rowName, type UsageRow } from './rows.ts';

/** The append-only ledger: a row is created once under a name that its interval gives, so writing it again does nothing. */
export interface Ledger {
  /** Resolves when the row is durable, be it written now or before. */
  write(row: UsageRow): Promise<void>;
  has(row: UsageRow): Promise<boolean>;
}

export function createLedger(client: Client): Ledger {
  const records = (row: UsageRow) => client.resource<UsageRecord>(SYSTEM_TENANT, USAGE_RECORDS, row.tenant);
  return {
    async write(row) {
      try {
        await records(row).create(recordOf(row));
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
      }
    },
    async has(row) {
      try {
        await records(row).get(rowName(row));
        return true;
      } catch (error) {
        if (isNotFound(error)) return false;
        throw error;
      }
    },
  };
}

/**
 * The rows that still have to be written. Rows are written in order, so the last one there tells of all before it: after
 * a restart that takes one question an instance, not one a row.
 */
export async function unwritten(rows: readonly UsageRow[], ledger: Pick<Ledger, 'has'>): Promise<UsageRow[]> {
  // A single row is as cheaply written as asked for.
  if (rows.length <= 1) return [...rows];
  let next = rows.length;
  while (next > 0 && !(await ledger.has(rows[next - 1]!))) next--;
  return rows.slice(next);
}
