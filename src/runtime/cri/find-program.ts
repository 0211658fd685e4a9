import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** The absolute path of an executable, found where system packages put theirs, whatever PATH says. */
export function findProgram(name: string): string | undefined {
  for (const directory of ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']) {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return join(directory, name);
    } catch {}
  }
  return undefined;
}
