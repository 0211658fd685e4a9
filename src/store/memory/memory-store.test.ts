import { storeContract } from '../contract/store-contract.ts';
import { openMemoryStore } from './memory-store.ts';

storeContract('memory', async () => openMemoryStore());
