import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { storeContract } from '../contract/store-contract.ts';
import { openLmdbStore } from './lmdb-store.ts';

const directories: string[] = [];
after(async () => {
  for (const directory of directories) await rm(directory, { recursive: true });
});

storeContract(
  'lmdb',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'skypod-lmdb-'));
    directories.push(directory);
    return openLmdbStore(directory);
  },
  { hasFiles: true },
);

// So small that segments are changed all the time, some records fit into none, and the tables are never far behind.
storeContract(
  'lmdb with a log of a few pages',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'skypod-lmdb-'));
    directories.push(directory);
    return openLmdbStore(directory, { log: { initialBytes: 8192, maximumBytes: 16_384 }, checkpointDelayMs: 1 });
  },
  { hasFiles: true },
);
