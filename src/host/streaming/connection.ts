import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { decodeRemoteFrame } from '../../base/remote-command.ts';
import { pump } from './remote-session.ts';

const NORMAL_CLOSURE = 1000;
const PROTOCOL_ERROR = 1002;

/** Joins one TCP connection to a WebSocket: port-forward and dial. Half-closes travel both ways. */
export function carryConnection(socket: WebSocket, connection: Duplex): void {
  socket.on('message', (message: Buffer) => {
    try {
      const frame = decodeRemoteFrame(message);
      if (frame.type === 'closeStream') connection.end();
      else if (frame.type === 'stdin' && connection.writable && !connection.write(frame.data)) {
        socket.pause();
        connection.once('drain', () => socket.resume());
        connection.once('close', () => socket.resume());
      }
    } catch {
      socket.close(PROTOCOL_ERROR);
    }
  });
  socket.on('close', () => connection.destroy());
  connection.on('error', () => socket.close(NORMAL_CLOSURE));
  connection.on('close', () => socket.close(NORMAL_CLOSURE));
  void pump(socket, connection, 'stdout').catch(() => {});
}
