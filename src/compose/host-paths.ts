import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { containerdPaths } from '../runtime/cri/paths.ts';
import type { DataDirectory } from './data-directory.ts';

export const containerdPidFile = (data: DataDirectory) => containerdPaths(data.host).pidFile;

/** Of the one host of `skypod up`: the machine's name, with the data directory told apart by a few characters. */
export function localHostName(data: DataDirectory): string {
  const machine = hostname()
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  return `${machine || 'host'}-${createHash('sha256').update(data.root).digest('hex').slice(0, 6)}`;
}
