import { createServer, type TLSSocket } from 'node:tls';
import { listenLocally } from '../../../base/testing/local-server.ts';
import { CertificateAuthority } from '../../identity/certificate-authority.ts';

export const head = (rest: string) => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${rest}`;
/** What it writes until the connection ends. */
function endlessly(socket: TLSSocket, bytes: string | Buffer): void {
  const more = () => {
    while (socket.writable && socket.write(bytes));
  };
  socket.on('drain', more);
  more();
}

function slowly(socket: TLSSocket, text: string): void {
  let at = 0;
  const timer = setInterval(() => socket.write(text[at++ % text.length]!), 5);
  socket.on('close', () => clearInterval(timer));
}

/** By path: what comes after a request, and what is said of it to whom it was an answer. */
export const conduct: Record<string, [does: (socket: TLSSocket) => void, error: RegExp]> = {
  '/silent': [() => {}, /context deadline exceeded/],
  '/slow-head': [(socket) => slowly(socket, 'HTTP/1.1 200 OK\r\nx: y'), /context deadline exceeded|HTTP\/1/],
  '/slow-body': [
    (socket) => {
      socket.write(head('content-length: 1000000\r\n\r\n'));
      slowly(socket, ' ');
    },
    /context deadline exceeded/,
  ],
  '/slow-chunks': [
    (socket) => {
      socket.write(head('transfer-encoding: chunked\r\n\r\n'));
      slowly(socket, '1\r\n \r\n');
    },
    /context deadline exceeded/,
  ],
  '/endless-body': [
    (socket) => {
      socket.write(head('\r\n'));
      endlessly(socket, Buffer.alloc(64 * 1024, ' '));
    },
    /the response is larger than/,
  ],
  '/endless-headers': [
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      endlessly(socket, `x-${'y'.repeat(100)}: z\r\n`);
    },
    /Header overflow|Parse Error|HPE_HEADER_OVERFLOW/i,
  ],
  '/endless-continue': [(socket) => endlessly(socket, 'HTTP/1.1 100 Continue\r\n\r\n'), /too many 1xx/],
  '/endless-trailers': [
    (socket) => {
      socket.write(head('transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n'));
      endlessly(socket, `x-${'y'.repeat(100)}: z\r\n`);
    },
    /./,
  ],
  '/cut': [
    (socket) => {
      socket.write(head('content-length: 100\r\n\r\n{"a"'));
      setTimeout(() => socket.destroy(), 10);
    },
    /./,
  ],
  '/redirect': [
    (socket) => socket.end('HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1/\r\ncontent-length: 0\r\n\r\n'),
    /302|server (?:responded|rejected|error)|unknown/i,
  ],
  '/switches': [
    (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
    /./,
  ],
  '/not-http': [(socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'), /./],
  '/not-json': [(socket) => socket.end(head('content-length: 5\r\n\r\nhello')), /json parse error/],
  '/deep-json': [
    (socket) => socket.end(head(`content-length: 1000000\r\n\r\n${'['.repeat(1_000_000)}`)),
    /json parse error|Maximum call stack/,
  ],
  '/two-lengths': [(socket) => socket.end(head('content-length: 2\r\ncontent-length: 3\r\n\r\n{}{')), /./],
};

export interface HostileServer {
  port: number;
  /** Base64 of its certificate authority's PEM. */
  caBundle: string;
  /** Open now. */
  connections(): number;
  close(): Promise<void>;
}

/**
 * Does what `conduct` says of the last part of a request's path; answers a path that is not there with what `well`
 * gives, as JSON.
 */
export async function startHostileServer(name: string, well: (path: string) => string): Promise<HostileServer> {
  const authority = await CertificateAuthority.create();
  const { certificatePem: cert, keyPem: key } = await authority.issueServing([name]);
  const sockets = new Set<TLSSocket>();
  const server = createServer({ cert, key }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
      if (!text.includes('\r\n\r\n')) return;
      const path = /^[A-Z]+ ([^ ?]*)/.exec(text)![1]!;
      text = '';
      const bad = conduct[path.slice(path.lastIndexOf('/'))];
      if (bad === undefined) {
        const answer = well(path);
        socket.write(head(`content-length: ${answer.length}\r\n\r\n${answer}`));
        return;
      }
      socket.removeAllListeners('data').resume();
      bad[0](socket);
    });
  });
  server.on('tlsClientError', () => {});
  const port = await listenLocally(server);
  return {
    port,
    caBundle: Buffer.from(authority.certificatePem).toString('base64'),
    connections: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
