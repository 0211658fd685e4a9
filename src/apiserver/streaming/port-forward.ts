import { type Duplex, finished, type Readable, type Writable } from 'node:stream';
import type { PortForwardTarget } from './target.ts';

/**
 * One forwarded connection: joins the client's data with the pod's port, both half-closes kept apart, and says on `error`
 * what went wrong. Resolves when both directions are over. Never rejects.
 */
export async function forwardConnection(
  target: PortForwardTarget,
  port: number,
  data: { readable: Readable; writable: Writable },
  error: Writable,
): Promise<void> {
  const { readable, writable } = data;
  readable.on('error', () => {});
  writable.on('error', () => {});
  let connection: Duplex;
  try {
    connection = await target.connect(port);
  } catch (cause) {
    error.end(failure(target, port, cause as Error));
    writable.end();
    readable.resume();
    return;
  }
  let problem: Error | undefined;
  connection.on('error', (cause: Error) => (problem ??= cause));
  readable.pipe(connection);
  connection.pipe(writable);
  // A pipe does not pass on a break, only an end.
  readable.once('close', () => {
    if (!readable.readableEnded) connection.destroy();
  });
  writable.once('close', () => {
    if (!writable.writableFinished) connection.destroy();
  });
  await new Promise<void>((resolve) => finished(connection, () => resolve()));
  if (!writable.writableEnded) writable.end();
  readable.unpipe(connection);
  readable.resume();
  error.end(problem === undefined ? '' : failure(target, port, problem));
}

const failure = ({ podName, podUid }: PortForwardTarget, port: number, cause: Error) =>
  `error forwarding port ${port} to pod ${podName}, uid ${podUid}: ${cause.message}`;
