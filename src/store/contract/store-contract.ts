import { describe, test } from 'node:test';
import type { Store } from '../store.ts';
import { compactionTests } from './compaction-tests.ts';
import type { AddTest, ContractOptions } from './harness.ts';
import { rangeTests } from './range-tests.ts';
import { transactionTests } from './transaction-tests.ts';
import { watchTests } from './watch-tests.ts';

/** What every engine must do. `open` gives an empty store; the suite closes it. */
export function storeContract(name: string, open: () => Promise<Store>, options: ContractOptions = {}): void {
  const add: AddTest = (title, body) =>
    test(title, async () => {
      const store = await open();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    });
  describe(`${name}: transactions`, () => transactionTests(add, options));
  describe(`${name}: ranges`, () => rangeTests(add));
  describe(`${name}: watches`, () => watchTests(add));
  describe(`${name}: compaction`, () => compactionTests(add));
}
