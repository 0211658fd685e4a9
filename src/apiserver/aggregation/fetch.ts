import { request as httpRequest } from 'node:http';
import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import { secured } from '../connect/forward.ts';
import type { ServiceDialer } from '../connect/service-dialer.ts';
import { type FrontProxy, remoteUserHeaders, tlsOptions } from './front-proxy.ts';

export interface Fetched {
  code: number;
  headers: NodeJS.Dict<string | string[]>;
  body: Buffer;
}

export interface FetchOptions {
  accept: string;
  timeoutMs: number;
  /** A longer answer is an error. */
  limitBytes: number;
}

/** So that what is asked in the name of the server itself is always allowed. */
const aggregator = { name: 'system:kube-aggregator', groups: ['system:masters'] };

/** `https://NAME.NAMESPACE.svc:PORT/PATH`, for messages. */
export function addressOf(service: APIService, path: string): string {
  const { name, namespace, port = 443 } = service.spec!.service!;
  return `https://${name}.${namespace}.svc:${port}${path}`;
}

/** One GET of the server behind an APIService, asked by the API server itself. Rejects when nothing comes back in time. */
export function createFetch(dialService: ServiceDialer, frontProxy: FrontProxy) {
  return async (tenant: string, service: APIService, path: string, options: FetchOptions): Promise<Fetched> => {
    const { name = '', namespace = '', port = 443 } = service.spec!.service!;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), options.timeoutMs);
    const timeout = new Promise<never>((_, reject) =>
      abort.signal.addEventListener('abort', () =>
        reject(new Error(`timed out waiting for ${addressOf(service, path)}`)),
      ),
    );
    timeout.catch(() => {});
    try {
      const dialled = dialService({ tenant, namespace, name, port: String(port) });
      // A connection that comes too late must not stay open.
      dialled.then((late) => abort.signal.aborted && late.destroy()).catch(() => {});
      const raw = await Promise.race([dialled, timeout]);
      abort.signal.addEventListener('abort', () => raw.destroy());
      const socket = await Promise.race([secured(raw, tlsOptions(service, frontProxy)), timeout]);
      try {
        return await Promise.race([get(socket, service, path, options), timeout]);
      } finally {
        socket.destroy();
      }
    } finally {
      clearTimeout(timer);
    }
  };
}

function get(socket: import('node:stream').Duplex, service: APIService, path: string, options: FetchOptions) {
  const { name, namespace } = service.spec!.service!;
  return new Promise<Fetched>((resolve, reject) => {
    const outgoing = httpRequest({
      path,
      createConnection: () => socket as never,
      headers: {
        host: `${name}.${namespace}.svc`,
        accept: options.accept,
        connection: 'close',
        ...remoteUserHeaders(aggregator),
      },
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > options.limitBytes)
          response.destroy(new Error(`the answer is longer than ${options.limitBytes} bytes`));
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ code: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    outgoing.end();
  });
}

export type Fetch = ReturnType<typeof createFetch>;
