import { connect } from 'node:net';

/** Whether anybody takes a connection at `HOST:PORT` within the time; it is closed at once. */
export function takesConnections(endpoint: string, timeoutMs: number): Promise<boolean> {
  const colon = endpoint.lastIndexOf(':');
  const host = endpoint.slice(0, colon).replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(endpoint.slice(colon + 1)) });
    const end = (isTaken: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(isTaken);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    socket.on('connect', () => end(true));
    socket.on('error', () => end(false));
  });
}
