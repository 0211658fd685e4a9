import { createWebSocketStream, type WebSocket } from 'ws';
import { badRequest } from '../../../api/status.ts';
import { forwardConnection } from '../port-forward.ts';
import { spdyPortForward } from '../spdy/port-forward.ts';
import type { PortForwardTarget } from '../target.ts';
import { ChannelSocket } from './channels.ts';

/** A SPDY connection inside the WebSocket: what kubectl speaks since 1.30. */
export const tunnelSubprotocol = 'SPDY/3.1+portforward.k8s.io';
export const portForwardSubprotocols = [tunnelSubprotocol, 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io'];

export async function webSocketPortForward(
  socket: WebSocket,
  protocol: string,
  target: PortForwardTarget,
  ports: number[],
): Promise<void> {
  if (protocol === tunnelSubprotocol) return spdyPortForward(createWebSocketStream(socket), target);
  const channels = new ChannelSocket(socket, protocol.includes('base64'));
  await Promise.all(
    ports.map((port, index) => {
      const dataChannel = index * 2;
      const errorChannel = dataChannel + 1;
      // Both channels begin with the port, so that the client knows which is which.
      const greeting = Buffer.alloc(2);
      greeting.writeUInt16LE(port);
      channels.send(dataChannel, greeting);
      channels.send(errorChannel, greeting);
      const data = { readable: channels.readable(dataChannel), writable: channels.writable(dataChannel) };
      const error = channels.writable(errorChannel);
      channels.gone.addEventListener('abort', () => data.writable.destroy());
      return forwardConnection(target, port, data, error);
    }),
  );
  channels.close();
}

/** `ports=80&ports=81` or `ports=80,81`; throws badRequest. Only the plain channel protocol needs them. */
export function parsePorts(query: URLSearchParams): number[] {
  const ports = query.getAll('ports').flatMap((value) => value.split(','));
  if (ports.length === 0) throw badRequest('query parameter "ports" is required');
  return ports.map((text) => {
    const port = Number(text);
    if (!/^\d+$/.test(text) || port < 1 || port > 65_535) {
      throw badRequest(`unable to parse ${JSON.stringify(text)} as a port`);
    }
    return port;
  });
}
