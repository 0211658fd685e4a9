import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

/** The kubelet's containerLogMaxSize and containerLogMaxFiles. */
const LARGEST_BYTES = 10 * 1024 * 1024;
const MOST_FILES = 5;

/**
 * Renames a log that has grown too large to `path.20060102-150405`, has the runtime open a new one, compresses the one
 * before and drops the oldest.
 */
export async function rotateLog(
  path: string,
  reopen: () => Promise<void>,
  { largestBytes = LARGEST_BYTES, mostFiles = MOST_FILES, now = Date.now() } = {},
): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined || info.size < largestBytes) return;
  const rotated = await rotatedFiles(path);
  for (const leftover of rotated.filter((name) => name.endsWith('.tmp'))) await rm(leftover, { force: true });
  const kept = rotated.filter((name) => !name.endsWith('.tmp'));
  // The current file and the one about to be made count too.
  const surplus = kept.splice(0, Math.max(kept.length - (mostFiles - 2), 0));
  for (const name of surplus) await rm(name, { force: true });
  for (const name of kept) if (!name.endsWith('.gz')) await compress(name);

  const stamp = new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const target = `${path}.${stamp}`;
  await rename(path, target);
  try {
    await reopen();
  } catch (error) {
    // Still written to under its new name: it gets its old one back, so that nothing is lost to readers.
    await rename(target, path);
    throw error;
  }
}

/** Oldest first: the stamp in the name sorts by time. */
async function rotatedFiles(path: string): Promise<string[]> {
  const directory = dirname(path);
  const prefix = `${basename(path)}.`;
  const names = await readdir(directory);
  return names
    .filter((name) => name.startsWith(prefix))
    .sort()
    .map((name) => join(directory, name));
}

async function compress(path: string): Promise<void> {
  const temporary = `${path}.gz.tmp`;
  await pipeline(createReadStream(path), createGzip(), createWriteStream(temporary));
  await rename(temporary, `${path}.gz`);
  await rm(path, { force: true });
}
