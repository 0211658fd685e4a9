import type { Duplex } from 'node:stream';
import { forwardConnection } from '../port-forward.ts';
import type { PortForwardTarget } from '../target.ts';
import { SpdyConnection, type SpdyStream } from './connection.ts';

export const portForwardProtocols = ['portforward.k8s.io'];

/** The client opens both streams of a pair at once; one that stays alone this long is reset. */
const pairTimeoutMs = 30_000;

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
  timeout: NodeJS.Timeout;
}

/** Each connection of the client is a pair of streams, `error` and `data`, with one requestID. Resolves at the end. */
export function spdyPortForward(transport: Duplex, target: PortForwardTarget): Promise<void> {
  const pairs = new Map<string, Pair>();
  const connection = new SpdyConnection(transport, (stream) => {
    const { streamtype: type } = stream.headers;
    const port = Number(stream.headers.port);
    if ((type !== 'data' && type !== 'error') || !Number.isInteger(port) || port < 1 || port > 65_535) {
      stream.destroy();
      return;
    }
    const id = requestIdOf(stream);
    const pair = pairs.get(id) ?? {
      timeout: setTimeout(() => {
        pairs.get(id)?.data?.destroy();
        pairs.get(id)?.error?.destroy();
        pairs.delete(id);
      }, pairTimeoutMs),
    };
    pairs.set(id, pair);
    if (pair[type] !== undefined) {
      stream.destroy();
      return;
    }
    pair[type] = stream;
    const { data, error } = pair;
    if (data === undefined || error === undefined) return;
    clearTimeout(pair.timeout);
    pairs.delete(id);
    error.resume();
    void forwardConnection(target, port, { readable: data, writable: data }, error);
  });
  return connection.run().finally(() => {
    for (const pair of pairs.values()) clearTimeout(pair.timeout);
  });
}

/** Clients of old sent none: they open the error stream and then, as the next, the data stream. */
function requestIdOf(stream: SpdyStream): string {
  const { requestid, streamtype } = stream.headers;
  if (requestid !== undefined && requestid !== '') return requestid;
  return `stream ${streamtype === 'error' ? stream.id : stream.id - 2}`;
}
