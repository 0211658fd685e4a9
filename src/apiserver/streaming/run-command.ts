import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { RemoteSession } from '../../api/pod-connector.ts';
import type { Status } from '../../api/status.ts';
import { aborted } from '../../base/abort.ts';
import { toStatusError } from './http-answer.ts';

/** The client's end of exec and attach, whatever it speaks. Streams it did not ask for are undefined. */
export interface CommandClient {
  stdin?: Readable;
  stdout?: Writable;
  stderr?: Writable;
  onResize(listener: (width: number, height: number) => void): void;
  /** The last word; resolves when it is on its way. */
  finish(status: Status): Promise<void>;
  /** Aborts when the client is gone. */
  gone: AbortSignal;
}

/** Joins client and session until the command is over or the client is gone. Never rejects. */
export async function runCommand(client: CommandClient, session: RemoteSession): Promise<void> {
  const abandon = () => session.close();
  client.gone.addEventListener('abort', abandon, { once: true });
  if (client.gone.aborted) abandon();
  client.onResize((width, height) => session.resize(width, height));
  if (session.stdin !== undefined) forwardStdin(client.stdin, session.stdin);
  const outputs = Promise.all([
    forwardOutput(session.stdout, client.stdout, client.gone),
    forwardOutput(session.stderr, client.stderr, client.gone),
  ]);
  const status = await session.done.catch((error) => toStatusError(error).toStatus());
  await Promise.race([outputs, aborted(client.gone)]);
  client.gone.removeEventListener('abort', abandon);
  if (!client.gone.aborted) await client.finish(status).catch(() => {});
  session.close();
}

function forwardStdin(source: Readable | undefined, sink: Writable): void {
  // A command that does not read its input to the end is no error.
  sink.on('error', () => source?.resume());
  sink.on('close', () => source?.resume());
  if (source === undefined) sink.end();
  else source.pipe(sink);
  source?.on('error', () => {});
}

/** Resolves when the source has ended and the sink has taken all of it; a slow sink holds the source. */
async function forwardOutput(
  source: Readable | undefined,
  sink: Writable | undefined,
  gone: AbortSignal,
): Promise<void> {
  if (source === undefined) return;
  sink?.on('error', () => {});
  try {
    // What the sink still holds when the source ends must be out before the status, which ends the client's reading.
    let written = Promise.resolve();
    for await (const chunk of source) {
      if (gone.aborted) return;
      if (sink === undefined) continue;
      const { promise, resolve } = Promise.withResolvers<void>();
      written = promise;
      if (!sink.write(chunk, () => resolve())) await once(sink, 'drain', { signal: gone });
    }
    await written;
  } catch {
    // The session broke or the client left: `done` and `gone` say which.
  }
}
