import { prefixEnd, type Store } from '../store.ts';

const pageSize = 200;

/**
 * Writes again what is stored with another key than the first, so that old keys may go: for objects of the platform's
 * own that no operator replaces by hand. What somebody else writes meanwhile is theirs. Returns how many were written.
 */
export async function reseal(store: Store, prefix: string): Promise<number> {
  const end = prefixEnd(prefix);
  let start = prefix;
  let written = 0;
  for (;;) {
    const { items } = await store.range({ start, end, limit: pageSize });
    for (const { key, value, modRevision, stale } of items) {
      if (stale !== true) continue;
      const compare = [{ key, modRevision }];
      const { committed } = await store.commit({ compare, operations: [{ type: 'put', key, value }] });
      if (committed) written++;
    }
    if (items.length < pageSize) return written;
    start = `${items.at(-1)!.key}\0`;
  }
}
