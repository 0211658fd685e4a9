import { type ClientRequest, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Answer } from '../answer.ts';

/** So much of a refused upgrade's explanation is passed on. */
const refusalLimitBytes = 64 * 1024;

/**
 * Sends an upgrade and, when the server switches, joins both connections. Anything but 101 is answered as what it is and
 * both connections end: on a connection that was not switched the client could otherwise speak to the server as we do.
 */
export function tunnel(outgoing: ClientRequest, socket: Duplex, onFailure: (error: Error) => Answer): Promise<Answer> {
  return new Promise((resolve) => {
    outgoing.on('error', (error) => {
      socket.destroy();
      resolve(onFailure(error));
    });
    outgoing.on('upgrade', (response, _socket, head) => {
      resolve({
        type: 'upgrade',
        handle(_request, client, sent) {
          client.write(`${headOf(response)}\r\n`);
          if (head.length > 0) client.write(head);
          if (sent.length > 0) socket.write(sent);
          join(client, socket);
        },
      });
    });
    outgoing.on('response', (response) => {
      const code = response.statusCode ?? 502;
      if (code < 400) {
        socket.destroy();
        return resolve(onFailure(new Error(`invalid upgrade response: status code ${code}`)));
      }
      collect(response, (body) => {
        socket.destroy();
        resolve({ type: 'upgrade', handle: (_request, client) => refuse(response, body, client) });
      });
    });
    outgoing.end();
  });
}

const lengthHeaders = new Set(['connection', 'transfer-encoding', 'content-length', 'keep-alive']);

/** The status line and headers as they came, for a client that must see the handshake's own. */
function headOf(response: IncomingMessage, without: ReadonlySet<string> = new Set()): string {
  const { rawHeaders } = response;
  const code = response.statusCode ?? 502;
  let text = `HTTP/1.1 ${code} ${response.statusMessage || STATUS_CODES[code] || ''}\r\n`;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (!without.has(rawHeaders[index]!.toLowerCase())) text += `${rawHeaders[index]}: ${rawHeaders[index + 1]}\r\n`;
  }
  return text;
}

function refuse(response: IncomingMessage, body: Buffer, client: Duplex): void {
  client.write(`${headOf(response, lengthHeaders)}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n`);
  client.end(body);
}

function collect(response: IncomingMessage, done: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  let isDone = false;
  const finish = () => {
    if (isDone) return;
    isDone = true;
    done(Buffer.concat(chunks).subarray(0, refusalLimitBytes));
  };
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= refusalLimitBytes) finish();
  });
  response.on('end', finish);
  response.on('close', finish);
}

/** Once one side is gone the other has nobody to speak to. */
function join(client: Duplex, server: Duplex): void {
  client.pipe(server);
  server.pipe(client);
  client.on('error', () => server.destroy());
  server.on('error', () => client.destroy());
  client.on('close', () => server.destroy());
  server.on('close', () => client.destroy());
}
