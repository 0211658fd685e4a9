// A webhook is a server of a tenant's: whatever it does, the call ends in its time, with an error, and holds no more than it may.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { CertificateAuthority } from '../identity/certificate-authority.ts';
import { createWebhookClient, type WebhookClient } from './webhook-client.ts';

const head = (rest: string) => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${rest}`;
const review = '{"response":{"allowed":true}}';

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

/** By path: what comes after a request. */
const conduct: Record<string, [does: (socket: TLSSocket) => void, error: RegExp]> = {
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
  '/endless-continue': [(socket) => endlessly(socket, 'HTTP/1.1 100 Continue\r\n\r\n'), /context deadline exceeded/],
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

describe('a webhook that means harm', { timeout: 60_000 }, () => {
  let server: Server;
  let client: WebhookClient;
  let caBundle: string;
  const sockets = new Set<TLSSocket>();

  before(async () => {
    const authority = await CertificateAuthority.create();
    const { certificatePem: cert, keyPem: key } = await authority.issueServing(['hook.shop.svc']);
    caBundle = Buffer.from(authority.certificatePem).toString('base64');
    server = createServer({ cert, key }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
        if (!text.includes('\r\n\r\n')) return;
        const path = /^POST (\/[\w-]*)/.exec(text)![1]!;
        text = '';
        if (path === '/well') {
          socket.write(head(`content-length: ${review.length}\r\n\r\n${review}`));
          return;
        }
        socket.removeAllListeners('data').resume();
        conduct[path]![0](socket);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    client = createWebhookClient({ dialService: async () => connect(port, '127.0.0.1') });
  });
  after(async () => {
    client.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  const ask = (path: string, timeoutMs = 300) =>
    client.post(
      { tenant: 'red', service: { namespace: 'shop', name: 'hook', path, port: 443 }, caBundle },
      {},
      { timeoutMs },
    );

  for (const [path, [, message]] of Object.entries(conduct)) {
    it(`ends a call of ${path.slice(1)}`, async () => {
      // What sends without end is cut off by what it sends; the time is for a busy machine.
      const timeoutMs = ['/endless-body', '/endless-headers', '/deep-json'].includes(path) ? 20_000 : 300;
      await assert.rejects(ask(path, timeoutMs), { name: 'WebhookCallError', message });
    });
  }

  it('leaves no connection behind, and the next call well', async () => {
    assert.deepEqual(await ask('/well', 5000), JSON.parse(review));
    for (let tries = 0; sockets.size > 1; tries++) {
      assert.ok(tries < 500, `${sockets.size} connections are left`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
});
