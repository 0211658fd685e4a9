import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { badRequest, requestEntityTooLarge, StatusError } from '../../api/status.ts';
import { ByteCollector } from '../../base/byte-collector.ts';
import type { RequestBody } from '../request-context.ts';
import { Http2Request } from './http2-exchange.ts';
import { mostValues, outgrown } from './nesting.ts';

/** As kube-apiserver's --max-request-bytes: 3 MiB. */
export const bodyLimitBytes = 3 * 1024 * 1024;

/** Reads the body to its end. A body over the limit is dropped as it comes in, and answered with 413. */
export function readBody(request: IncomingMessage | Http2Request): Promise<RequestBody> {
  const contentType = String(request.headers['content-type'] ?? '');
  const announced = Number(request.headers['content-length'] ?? 0);
  const readable = request instanceof Http2Request ? request.stream : request;
  return new Promise((resolve, reject) => {
    if (announced > bodyLimitBytes) {
      readable.resume();
      return reject(requestEntityTooLarge(bodyLimitBytes));
    }
    const body = new ByteCollector();
    readable.on('data', (chunk: Buffer) => {
      if (body.length + chunk.length <= bodyLimitBytes) return body.add(chunk);
      body.length += chunk.length;
      body.clear();
      reject(requestEntityTooLarge(bodyLimitBytes));
    });
    let isRead = false;
    const finish = () => {
      isRead = true;
      const bytes = body.bytes();
      const problem = contentType.includes('protobuf') ? undefined : outgrown(bytes, contentType.includes('yaml'));
      if (problem === 'depth') {
        return reject(badRequest('the body of the request cannot be read: exceeded max depth'));
      }
      if (problem === 'values') {
        const message = `Request entity too large: the body holds more than ${mostValues} values`;
        return reject(new StatusError(413, 'RequestEntityTooLarge', message));
      }
      resolve({ type: 'bytes', bytes, contentType });
    };
    // Of a stream over HTTP/2 without any data, nobody hears the end who comes later.
    if (readable.readableEnded) return finish();
    readable.on('end', finish);
    // Every request's stream is closed at last: an error is dear to make, and nobody hears of this one.
    const cut = () => {
      if (!isRead) reject(new StatusError(400, 'BadRequest', 'the request ended before its body did'));
    };
    if (readable.destroyed) return cut();
    readable.on('aborted', cut);
    readable.on('error', cut);
    readable.on('close', cut);
  });
}

/** The body unread; undefined where the request has none. */
export function bodyStream(request: IncomingMessage | Http2Request): Readable | undefined {
  if (request instanceof Http2Request) return request.asReadable();
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  return (length !== undefined && length !== '0') || encoding !== undefined ? request : undefined;
}
