import { createServer } from 'node:net';
import { CommandError } from './command-error.ts';

export interface ListenAddress {
  host: string;
  port: number;
}

/** `127.0.0.1:6443`, `[::1]:6443`, `:6443`. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65535)
    throw new CommandError(`--listen ${text} is not HOST:PORT (for example 127.0.0.1:6443)`);
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port };
}

/** Tells early, in the supervisor, that a port is taken. @throws CommandError */
export async function assertPortFree({ host, port }: ListenAddress): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? `port ${port} on ${host} is in use: stop what listens there, or choose another with --listen`
          : `cannot listen on ${host}:${port}: ${error.message}`;
      reject(new CommandError(why));
    });
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve()));
  });
}
