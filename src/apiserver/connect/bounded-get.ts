import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { ByteCollector } from '../../base/byte-collector.ts';
import { limitInterimAnswers } from './interim-answers.ts';

export interface BoundedGet {
  path: string;
  headers: Record<string, string | string[]>;
  /** A longer answer is an error. */
  limitBytes: number;
  /** What that error says. */
  tooLong: string;
}

export interface BoundedAnswer {
  code: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** One GET over a connection that is there, and that the caller closes. Rejects when the connection fails. */
export function boundedGet(socket: Duplex, options: BoundedGet): Promise<BoundedAnswer> {
  const { path, headers, limitBytes, tooLong } = options;
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      path,
      createConnection: () => socket as never,
      headers: { ...headers, connection: 'close' },
    });
    limitInterimAnswers(outgoing);
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      const { statusCode: code = 0, headers } = response;
      readBounded(response, limitBytes, tooLong).then((body) => resolve({ code, headers, body }), reject);
    });
    outgoing.on('upgrade', () => {
      socket.destroy();
      reject(new Error('the server switched protocols without being asked'));
    });
    outgoing.end();
  });
}

/** The body of an answer; whoever sends more than `limitBytes` is cut off. */
export function readBounded(response: IncomingMessage, limitBytes: number, tooLong: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const body = new ByteCollector();
    response.on('data', (chunk: Buffer) => {
      if (body.length + chunk.length <= limitBytes) body.add(chunk);
      else response.destroy(new Error(tooLong));
    });
    response.on('end', () => resolve(body.bytes()));
    response.on('error', reject);
  });
}
