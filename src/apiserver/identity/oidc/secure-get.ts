import { boundedGet } from '../../connect/bounded-get.ts';
import { secured } from '../../connect/forward.ts';
import type { Egress } from '../../webhooks/egress.ts';

const timeoutMs = 10_000;
/** A tenant's issuers are many, and what they say is kept. */
const limitBytes = 128 * 1024;

export interface SecureGetOptions {
  egress: Egress;
  /** PEM of who vouches for the server; the system's authorities when absent. */
  certificateAuthority?: string | undefined;
  headers?: Record<string, string>;
}

/** What a URL of an issuer answers: any code of success. Rejects with an Error that says which URL and why. */
export async function secureGet(text: string, options: SecureGetOptions): Promise<Buffer> {
  const failed = (why: string) => new Error(`Get ${JSON.stringify(text)}: ${why}`);
  const url = URL.parse(text);
  if (url?.protocol !== 'https:') throw failed('only https is taken');
  const signal = AbortSignal.timeout(timeoutMs);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const raw = await options.egress(host, url.port === '' ? 443 : Number(url.port), signal);
  const { certificateAuthority, headers } = options;
  const socket = await secured(raw, {
    servername: host,
    host,
    ...(certificateAuthority && { ca: certificateAuthority }),
  });
  const end = () => socket.destroy(failed('it did not answer in time'));
  signal.addEventListener('abort', end);
  try {
    const { code, body } = await boundedGet(socket, {
      path: `${url.pathname}${url.search}`,
      headers: { host: url.host, accept: 'application/json', ...headers },
      limitBytes,
      tooLong: failed(`it gave more than ${limitBytes} bytes`).message,
    });
    if (code < 200 || code > 226) throw failed(`it answered ${code}`);
    return body;
  } finally {
    signal.removeEventListener('abort', end);
    socket.destroy();
  }
}
