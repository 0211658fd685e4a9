import type { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import { decodeRemoteFrame, encodeRemoteFrame, MAX_PAYLOAD_BYTES, type RemoteExit } from '../../base/remote-command.ts';
import type { ExecSession } from '../../runtime/sandbox-runtime.ts';

const NORMAL_CLOSURE = 1000;
const PROTOCOL_ERROR = 1002;

/** Sends one message; resolves when the socket has taken it, which is what holds a fast sender back. */
export function send(socket: WebSocket, message: Buffer): Promise<void> {
  return new Promise((resolve, reject) =>
    socket.send(message, { binary: true }, (error) => (error ? reject(error) : resolve())),
  );
}

/** Carries a stream's bytes to the other side, then says that no more come. */
export async function pump(
  socket: WebSocket,
  stream: Readable | undefined,
  channel: 'stdout' | 'stderr',
): Promise<void> {
  if (stream === undefined) return;
  for await (const chunk of stream) {
    const data = chunk as Buffer;
    for (let start = 0; start < data.length; start += MAX_PAYLOAD_BYTES) {
      const frame = encodeRemoteFrame({ type: channel, data: data.subarray(start, start + MAX_PAYLOAD_BYTES) });
      await send(socket, frame);
    }
  }
  await send(socket, encodeRemoteFrame({ type: 'closeStream', channel }));
}

export async function sendExit(socket: WebSocket, exit: RemoteExit): Promise<void> {
  await send(socket, encodeRemoteFrame({ type: 'status', exit })).catch(() => {});
  socket.close(NORMAL_CLOSURE);
}

/** Joins an exec or attach session to a WebSocket, until either ends. */
export async function carrySession(socket: WebSocket, session: ExecSession): Promise<void> {
  const { stdin } = session;
  stdin?.on('error', () => {});
  socket.on('message', (message: Buffer) => {
    try {
      const frame = decodeRemoteFrame(message);
      if (frame.type === 'resize') session.resize(frame.width, frame.height);
      else if (frame.type === 'closeStream') stdin?.end();
      else if (frame.type === 'stdin' && stdin !== undefined && stdin.writable && !stdin.write(frame.data)) {
        socket.pause();
        stdin.once('drain', () => socket.resume());
        stdin.once('close', () => socket.resume());
      }
    } catch {
      socket.close(PROTOCOL_ERROR);
    }
  });
  socket.on('close', () => session.close());
  const output = Promise.all([pump(socket, session.stdout, 'stdout'), pump(socket, session.stderr, 'stderr')]).catch(
    // The other side is gone; closing the socket ends the session.
    () => {},
  );
  try {
    const { exitCode } = await session.done;
    await output;
    await sendExit(socket, { type: 'exited', exitCode });
  } catch (error) {
    const { code = 500, reason = 'InternalError' } = error as { code?: number | string; reason?: string };
    const message = (error as Error).message;
    await sendExit(socket, {
      type: 'failed',
      code: typeof code === 'number' && code >= 400 ? code : 500,
      reason,
      message,
    });
  }
}
