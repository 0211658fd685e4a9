import { Duplex, PassThrough } from 'node:stream';
import type { WebSocket } from 'ws';
import { StatusError } from '../../api/status.ts';
import { decodeRemoteFrame } from '../../base/remote-command.ts';
import { channelWriter, deliver } from './remote-session.ts';

/** One TCP connection into a pod over an open, paused WebSocket; half-closes go both ways. */
export function podConnection(socket: WebSocket): Duplex {
  const incoming = new PassThrough();
  const outgoing = channelWriter(socket);
  const connection = Duplex.from({ readable: incoming, writable: outgoing });
  socket.on('message', (message: Buffer) => {
    try {
      const frame = decodeRemoteFrame(message);
      if (frame.type === 'stdout') deliver(socket, incoming, frame.data);
      else if (frame.type === 'closeStream') incoming.end();
      else if (frame.type === 'status' && frame.exit.type === 'failed') {
        const { code, reason, message: why } = frame.exit;
        connection.destroy(new StatusError(code, reason, why));
      }
    } catch (error) {
      connection.destroy(error as Error);
      socket.terminate();
    }
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    incoming.end();
    outgoing.destroy();
  });
  connection.on('close', () => socket.close(1000));
  socket.resume();
  return connection;
}
