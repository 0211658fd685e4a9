import { createServer } from 'node:net';

/**
 * A program, run in a VPC's namespace: listens at all its addresses on the ports it is given, hands each listening
 * socket to its parent, and ends. Sockets belong to the namespace they were made in, so the parent serves there.
 */
const ports = process.argv.slice(2).map(Number);

await Promise.all(
  ports.map(
    (port) =>
      new Promise<void>((resolve) => {
        const server = createServer((socket) => socket.destroy());
        server.once('error', (error: NodeJS.ErrnoException) => {
          process.send!({ port, error: error.code ?? error.message }, () => resolve());
        });
        server.listen({ host: '0.0.0.0', port }, () => process.send!({ port }, server, () => resolve()));
      }),
  ),
);
process.exit(0);
