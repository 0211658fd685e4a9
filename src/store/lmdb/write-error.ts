import { statfsSync } from 'node:fs';
import { StoreFullError } from '../store.ts';

const pageBytes = 4096;
/** A commit of few bytes still copies the pages on the way to the root of each table. */
const pagesPerCommit = 64;

/**
 * What a failed lmdb commit means. lmdb reports a short write, which is how a full disk shows, as an input/output error:
 * whether it was one is asked of the file system.
 */
export async function explainWriteError(error: Error, directory: string, batchBytes: number): Promise<Error> {
  const cause: Error = await Promise.resolve((error as { commitError?: Promise<never> }).commitError).then(
    () => error,
    (reason) => reason as Error,
  );
  if (/MDB_MAP_FULL|ENOSPC|No space left|EDQUOT|quota/i.test(cause.message)) return new StoreFullError(cause.message);
  if (/Input\/output error/.test(cause.message)) {
    const { bavail, bsize } = statfsSync(directory);
    if (bavail * bsize < batchBytes * 4 + pagesPerCommit * pageBytes) {
      return new StoreFullError(`${Math.floor((bavail * bsize) / 1024)} KiB left on the disk of ${directory}`);
    }
  }
  return new Error(`the store in ${directory} could not write: ${cause.message}`, { cause });
}
