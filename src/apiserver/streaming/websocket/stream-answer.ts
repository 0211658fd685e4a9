import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { acceptWebSocket, NegotiationError, words } from '../handle-upgrade.ts';
import { refuseUpgrade } from '../http-answer.ts';

const base64Protocol = 'base64.binary.k8s.io';
const protocols = ['binary.k8s.io', base64Protocol];
const maxMessageBytes = 32 * 1024;

/**
 * Sends what would be the body of an answer (a container's log) as messages of a WebSocket, then closes it. Source:
 * apiserver's wsstream.Reader. Takes over the socket; never rejects.
 */
export async function streamOverWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  socket.on('error', () => {});
  const asked = words(request.headers['sec-websocket-protocol']);
  const protocol = asked.find((each) => protocols.includes(each));
  const error = asked.length > 0 && protocol === undefined ? new NegotiationError(asked, protocols) : undefined;
  if (error !== undefined) return refuseUpgrade(socket, error, error.headers);
  try {
    const webSocket = await acceptWebSocket(request, socket, head, protocol);
    webSocket.on('error', () => {});
    const send = (message: Uint8Array | string) =>
      new Promise<void>((resolve, reject) =>
        webSocket.send(message, (failure) => (failure ? reject(failure) : resolve())),
      );
    for await (const chunk of chunks) {
      for (let offset = 0; offset < chunk.length; offset += maxMessageBytes) {
        const piece = chunk.subarray(offset, offset + maxMessageBytes);
        await send(protocol === base64Protocol ? Buffer.from(piece).toString('base64') : piece);
      }
    }
    webSocket.close(1000);
  } catch {
    // The client left, or the log ended in the middle: either way there is nobody to tell more than that it is over.
    socket.destroy();
  }
}
