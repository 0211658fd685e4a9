import type { Transaction } from './store.ts';

/** What lmdb can index; etcd allows more. Kubernetes' names stay far below. */
export const MAX_KEY_BYTES = 1024;

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
