import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from './command-error.ts';
import type { DataDirectory } from './data-directory.ts';
import type { ListenAddress } from './listen-address.ts';

const fileOf = (data: DataDirectory) => join(data.run, 'api-server');

/** Where a process on this machine reaches the API server: a wildcard address is reached on loopback. */
export function reachable({ host, port }: ListenAddress): ListenAddress {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}

export function urlOf({ host, port }: ListenAddress): string {
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Tells the host process where the control plane of this data directory listens. */
export function writeEndpoint(data: DataDirectory, endpoint: ListenAddress): void {
  const path = fileOf(data);
  writeFileSync(`${path}.tmp`, `${JSON.stringify(endpoint)}\n`);
  renameSync(`${path}.tmp`, path);
}

export function readEndpoint(data: DataDirectory): ListenAddress {
  try {
    return JSON.parse(readFileSync(fileOf(data), 'utf8'));
  } catch {
    throw new CommandError(`no control plane was ever started on ${data.root}: start one first`);
  }
}
