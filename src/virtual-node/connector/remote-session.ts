import { PassThrough, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { RemoteSession } from '../../api/pod-connector.ts';
import { internalError, type Status } from '../../api/status.ts';
import { decodeRemoteFrame, encodeRemoteFrame, MAX_PAYLOAD_BYTES, type RemoteExit } from '../../base/remote-command.ts';

const NORMAL_CLOSURE = 1000;

/** Streams of an exec or attach over an open, paused WebSocket. */
export function remoteSession(
  socket: WebSocket,
  wanted: { stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean; command: readonly string[] },
): RemoteSession {
  const stdout = wanted.stdout ? new PassThrough() : undefined;
  const stderr = wanted.stderr && !wanted.tty ? new PassThrough() : undefined;
  const done = Promise.withResolvers<Status>();

  const end = (status: Status) => {
    stdout?.end();
    stderr?.end();
    done.resolve(status);
  };
  socket.on('message', (message: Buffer) => {
    try {
      const frame = decodeRemoteFrame(message);
      if (frame.type === 'status') end(statusOf(frame.exit, wanted.command));
      else if (frame.type === 'stdout') deliver(socket, stdout, frame.data);
      else if (frame.type === 'stderr') deliver(socket, stderr, frame.data);
      else if (frame.type === 'closeStream') (frame.channel === 'stdout' ? stdout : stderr)?.end();
    } catch (error) {
      end(internalError((error as Error).message).toStatus());
      socket.terminate();
    }
  });
  socket.on('error', () => {});
  // After a status this changes nothing.
  socket.on('close', () => end(internalError('the connection to the host was lost').toStatus()));
  socket.resume();

  return {
    ...(wanted.stdin && { stdin: channelWriter(socket) }),
    ...(stdout !== undefined && { stdout }),
    ...(stderr !== undefined && { stderr }),
    resize(width, height) {
      if (socket.readyState === socket.OPEN) socket.send(encodeRemoteFrame({ type: 'resize', width, height }));
    },
    done: done.promise,
    close: () => socket.close(NORMAL_CLOSURE),
  };
}

/** A reader that is slow holds the WebSocket back; one that left lets it run dry. */
export function deliver(socket: WebSocket, stream: PassThrough | undefined, data: Uint8Array): void {
  if (stream === undefined || stream.writableEnded || stream.destroyed || stream.write(data)) return;
  socket.pause();
  const go = () => {
    stream.off('drain', go);
    stream.off('close', go);
    socket.resume();
  };
  stream.on('drain', go);
  stream.on('close', go);
}

/** Bytes towards the pod, cut to frames; ending it closes the channel. */
export function channelWriter(socket: WebSocket): Writable {
  const send = (frame: Parameters<typeof encodeRemoteFrame>[0], sent: (error?: Error | null) => void) => {
    // The command may be over before everything was typed.
    if (socket.readyState !== socket.OPEN) sent();
    else socket.send(encodeRemoteFrame(frame), () => sent());
  };
  return new Writable({
    write(chunk: Buffer, _encoding, callback) {
      const cut = (from: number) => {
        const data = chunk.subarray(from, from + MAX_PAYLOAD_BYTES);
        const next = from + data.length;
        send({ type: 'stdin', data }, next < chunk.length ? () => cut(next) : callback);
      };
      cut(0);
    },
    final(callback) {
      send({ type: 'closeStream', channel: 'stdin' }, callback);
    },
  });
}

/** As the kubelet reports it on the error stream. */
export function statusOf(exit: RemoteExit, command: readonly string[]): Status {
  if (exit.type === 'failed') {
    return internalError(
      command.length > 0 ? `error executing command in container: ${exit.message}` : exit.message,
    ).toStatus();
  }
  const base = { kind: 'Status', apiVersion: 'v1', metadata: {} } as const;
  if (exit.exitCode === 0) return { ...base, status: 'Success', code: 200 };
  const why = `error executing command [${command.join(' ')}], exit code ${exit.exitCode}`;
  return {
    ...base,
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with non-zero exit code: ${why}`,
    details: { causes: [{ reason: 'ExitCode', message: String(exit.exitCode) }] },
    code: 500,
  };
}
