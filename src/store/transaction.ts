import type { CommitResult, KeyValue, StoreEvent, Transaction } from './store.ts';

/** What lmdb can index; etcd allows more. Kubernetes' names stay far below. */
const MAX_KEY_BYTES = 1024;

/** Throws for a transaction that no engine can apply: a programming error of the caller. */
export function checkTransaction(transaction: Transaction): void {
  const { operations } = transaction;
  for (const { key } of operations) {
    if (
      key === '' ||
      key.length > MAX_KEY_BYTES ||
      (key.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(key) > MAX_KEY_BYTES)
    ) {
      throw new RangeError(`a key must have 1 to ${MAX_KEY_BYTES} bytes: ${key.slice(0, 80)}`);
    }
    if (key.includes('\0')) throw new RangeError('a key must not contain NUL');
  }
  if (operations.length > 1 && new Set(operations.map(({ key }) => key)).size !== operations.length) {
    throw new RangeError('a key may appear once in a transaction');
  }
}

/** One operation that changes something, and what it replaces. */
export interface DecidedChange {
  event: StoreEvent;
  replaced: KeyValue | undefined;
}

export interface Decision {
  result: CommitResult;
  /** Empty when nothing changes: then no revision is taken. */
  changes: DecidedChange[];
}

/**
 * What a transaction comes to, for engines that decide by themselves.
 * @param newest the last revision given out
 * @param head the newest version of a key, those decided and not yet written included
 */
export function decide(
  { compare, operations }: Transaction,
  newest: number,
  head: (key: string) => KeyValue | undefined,
): Decision {
  if (compare.some(({ key, modRevision }) => (head(key)?.modRevision ?? 0) !== modRevision)) {
    const current = compare.map(({ key }) => head(key));
    return { result: { committed: false, revision: newest, current }, changes: [] };
  }
  const revision = newest + 1;
  const changes: DecidedChange[] = [];
  for (const operation of operations) {
    const { key } = operation;
    const replaced = head(key);
    if (operation.type === 'put') {
      const createRevision = replaced?.createRevision ?? revision;
      changes.push({ event: { type: 'put', key, value: operation.value, createRevision, revision }, replaced });
    } else if (replaced !== undefined) changes.push({ event: { type: 'delete', key, revision }, replaced });
  }
  return { result: { committed: true, revision: changes.length === 0 ? newest : revision }, changes };
}
