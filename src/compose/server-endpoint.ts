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

/** `https://a:6443,https://b:6443` in parts. @throws CommandError */
export function parseServers(option: string, text: string): ListenAddress[] {
  return text
    .split(',')
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const url = URL.canParse(part.trim()) ? new URL(part.trim()) : undefined;
      if (url?.protocol !== 'https:' || url.pathname !== '/' || url.search !== '')
        throw new CommandError(`${option}: "${part}" is not a control plane's URL (for example https://10.0.0.1:6443)`);
      return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) };
    });
}

/**
 * Tells the host process where the control plane of this data directory listens, and where its peers do: they stand in
 * for it while it is away.
 */
export function writeEndpoint(data: DataDirectory, endpoint: ListenAddress, peers: ListenAddress[] = []): void {
  const path = fileOf(data);
  writeFileSync(`${path}.tmp`, `${JSON.stringify({ ...endpoint, peers })}\n`);
  renameSync(`${path}.tmp`, path);
}

/** The nearest first. */
export function readEndpoints(data: DataDirectory): ListenAddress[] {
  try {
    const { host, port, peers = [] } = JSON.parse(readFileSync(fileOf(data), 'utf8'));
    return [{ host, port }, ...peers];
  } catch {
    throw new CommandError(`no control plane was ever started on ${data.root}: start one first`);
  }
}
