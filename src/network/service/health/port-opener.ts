import { spawn } from 'node:child_process';
import type { Server } from 'node:net';
import { join } from 'node:path';

const program = join(import.meta.dirname, 'open-ports.ts');
const TIMEOUT_MS = 20_000;

export interface OpenedPorts {
  servers: Map<number, Server>;
  /** Why the others could not be opened. */
  errors: Map<number, string>;
}

/** One at a time over all VPCs: each is a process of its own. */
let last: Promise<unknown> = Promise.resolve();

/** Listens within a namespace. The caller closes the servers. */
export function openPorts(namespacePath: string, ports: readonly number[]): Promise<OpenedPorts> {
  const opened = last.then(() => open(namespacePath, ports));
  last = opened.catch(() => {});
  return opened;
}

function open(namespacePath: string, ports: readonly number[]): Promise<OpenedPorts> {
  return new Promise((resolve, reject) => {
    const servers = new Map<number, Server>();
    const errors = new Map<number, string>();
    const child = spawn('nsenter', [`--net=${namespacePath}`, process.execPath, program, ...ports.map(String)], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    child.on('message', ({ port, error }: { port: number; error?: string }, server) => {
      if (error !== undefined) errors.set(port, error);
      else servers.set(port, server as Server);
    });
    child.once('error', reject);
    child.once('close', () => {
      for (const port of ports) if (!servers.has(port) && !errors.has(port)) errors.set(port, 'it was not opened');
      resolve({ servers, errors });
    });
  });
}
