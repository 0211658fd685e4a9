import type { Duplex } from 'node:stream';
import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import { type BoundedAnswer, boundedGet } from '../connect/bounded-get.ts';
import { secured } from '../connect/forward.ts';
import type { ServiceDialer } from '../connect/service-dialer.ts';
import { type FrontProxy, remoteUserHeaders, tlsOptions } from './front-proxy.ts';

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
  return async (tenant: string, service: APIService, path: string, options: FetchOptions): Promise<BoundedAnswer> => {
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
      const socket = await Promise.race([
        tlsOptions(service, frontProxy, tenant).then((tls) => secured(raw, tls)),
        timeout,
      ]);
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

function get(socket: Duplex, service: APIService, path: string, { accept, limitBytes }: FetchOptions) {
  const { name, namespace } = service.spec!.service!;
  const headers = { host: `${name}.${namespace}.svc`, accept, ...remoteUserHeaders(aggregator) };
  return boundedGet(socket, { path, headers, limitBytes, tooLong: `the answer is longer than ${limitBytes} bytes` });
}

export type Fetch = ReturnType<typeof createFetch>;
