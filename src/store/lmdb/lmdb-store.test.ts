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

storeContract('lmdb', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'skypod-lmdb-'));
  directories.push(directory);
  return openLmdbStore(directory);
});
