import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Another process holds the directory. */
export class StoreLockedError extends Error {
  constructor(directory: string, holder: string) {
    super(`the store in ${directory} is in use by another process${holder === '' ? '' : ` (pid ${holder})`}`);
    this.name = 'StoreLockedError';
  }
}

/**
 * One process a directory, by flock(2): the kernel lets go of it however the process ends. Node has no flock, but such a
 * lock belongs to the open file and not to who asked for it: flock(1), started with our descriptor, takes it for us.
 * Returns what releases it.
 */
export function lockDirectory(directory: string): () => void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, 'lock');
  const descriptor = openSync(path, 'a+', 0o600);
  const taken = spawnSync('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'pipe', descriptor] });
  if (taken.status !== 0) {
    closeSync(descriptor);
    if (taken.error !== undefined) throw new Error(`cannot run flock(1): ${taken.error.message}`);
    if (taken.stderr.length > 0) throw new Error(`cannot lock ${path}: ${taken.stderr.toString().trim()}`);
    throw new StoreLockedError(directory, readFileSync(path, 'utf8').trim());
  }
  // Only for the message above. A full disk must not keep the store from opening, so failing is fine.
  try {
    ftruncateSync(descriptor, 0);
    writeSync(descriptor, `${process.pid}\n`);
  } catch {}
  return () => closeSync(descriptor);
}
