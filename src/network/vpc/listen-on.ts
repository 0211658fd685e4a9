import { once } from 'node:events';
import type { Server } from 'node:net';
import { sleep } from '../../base/abort.ts';

const ATTEMPTS = 50;
const PAUSE_MS = 100;

/**
 * Listens on a link's address. The process before this one may not have let go of it yet, so a port in use is tried
 * again for five seconds.
 */
export async function listenOn(server: Server, host: string, port: number, signal: AbortSignal): Promise<void> {
  await retryInUse(signal, async () => {
    server.listen({ host, port });
    await once(server, 'listening');
  });
}

export async function retryInUse(signal: AbortSignal, attempt: () => Promise<void>): Promise<void> {
  for (let count = 1; ; count++) {
    try {
      return await attempt();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || count === ATTEMPTS || signal.aborted) throw error;
      await sleep(PAUSE_MS, signal);
    }
  }
}
