import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { StatusError } from '../../api/status.ts';
import type { ProxiedAnswer } from '../answer.ts';
import type { RequestContext } from '../request-context.ts';
import { writableOf } from './http2-exchange.ts';
import { commonHeaders } from './respond.ts';

/** Passes another server's answer on, byte by byte as it comes; cut short when either side goes away. */
export async function respondProxied(
  context: RequestContext,
  answer: ProxiedAnswer,
  response: ServerResponse,
): Promise<void> {
  // Whether it may be kept is the other server's to say.
  const { 'cache-control': _cacheControl, ...headers } = commonHeaders(context);
  try {
    response.writeHead(answer.code, { ...headers, ...answer.headers });
  } catch {
    // Not every code and header that HTTP/1.1 lets pass is one of HTTP/2's.
    answer.body.destroy();
    throw new StatusError(502, '', 'the server answered with a head that cannot be passed on');
  }
  if (context.method === 'HEAD' || answer.code === 204 || answer.code === 304) {
    answer.body.resume();
    response.end();
    return;
  }
  response.flushHeaders();
  await pipeline(answer.body, writableOf(response)).catch(() => {
    // Half an answer is out: nothing can be said any more but that it ended.
    response.destroy();
  });
}
