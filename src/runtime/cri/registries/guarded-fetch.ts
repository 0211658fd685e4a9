import { lookup, Resolver } from 'node:dns/promises';
import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http';
import { Agent, request as secureRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { getCACertificates } from 'node:tls';
import { isPublic } from '../../../base/public-address.ts';
import { listedAs, type RegistryPolicy } from './policy.ts';

export interface Fetched {
  /** Of the answer that is no redirection. */
  response: IncomingMessage;
  url: URL;
}

export interface FetchOptions {
  method: string;
  headers: Record<string, string>;
  body?: Buffer;
  signal: AbortSignal;
  /** It is for a registry that the operator lists: others are not led to what is listed, but to public addresses alone. */
  isListed: boolean;
}

/** Nothing may be dialled that the operator does not allow. Its message is for tenants: it names no address. */
export class DialRefused extends Error {}

const redirectsLimit = 10;
const idleMs = 60_000;
const connectMs = 30_000;
const kept = { keepAlive: true, maxSockets: 32, maxFreeSockets: 4, timeout: idleMs };

/**
 * HTTP to registries, and wherever they lead: every connection, that of a redirection too, goes to an address that was
 * judged, and to that very one.
 */
export class GuardedFetch {
  readonly #policy: RegistryPolicy;
  readonly #plain: PlainAgent;
  readonly #secure: Agent;

  constructor(policy: RegistryPolicy) {
    this.#policy = policy;
    this.#plain = new PlainAgent(kept);
    const ca = [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
    this.#secure = new Agent({ ...kept, ca });
  }

  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  /** Follows redirections, without credentials where they lead to another server. Rejects in Go's words. */
  async fetch(start: URL, options: FetchOptions): Promise<Fetched> {
    let url = start;
    let headers = options.headers;
    for (let count = 0; ; count++) {
      const response = await this.#ask(url, { ...options, headers });
      const { location } = response.headers;
      const isRedirection = [301, 302, 303, 307, 308].includes(response.statusCode ?? 0) && location !== undefined;
      if (!isRedirection || options.body !== undefined) return { response, url };
      response.resume();
      if (count === redirectsLimit) throw new Error(`stopped after ${redirectsLimit} redirects`);
      const next = URL.parse(location, url.href);
      if (next === null) throw new Error('failed to parse Location header');
      if (next.host !== url.host) {
        const { authorization: _credentials, ...others } = headers;
        headers = others;
      }
      url = next;
    }
  }

  #ask(url: URL, { method, headers, body, signal, isListed: forListed }: FetchOptions): Promise<IncomingMessage> {
    const isPlain = url.protocol === 'http:';
    const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
    const port = url.port === '' ? (isPlain ? 80 : 443) : Number(url.port);
    const isListed = this.#policy.any || (forListed && listedAs(this.#policy, host, port) !== undefined);
    if (!isPlain && url.protocol !== 'https:') throw new DialRefused(`${url.protocol} is not taken`);
    if (isPlain && !isListed) throw new DialRefused(`plain http to ${host} is not taken`);
    if (!isListed && isIP(host) !== 0 && !isPublic(host)) throw noPublicAddress(host);
    return new Promise((done, fail) => {
      const send = isPlain ? plainRequest : secureRequest;
      const outgoing = send(url, {
        method,
        headers: { ...headers, host: url.host },
        agent: isPlain ? this.#plain : this.#secure,
        lookup: guardedLookup(isListed),
        signal,
      });
      outgoing.on('response', done);
      outgoing.on('error', (error: NodeJS.ErrnoException) => fail(inGoWords(error, host, port)));
      outgoing.setTimeout(idleMs, () => outgoing.destroy(new Error('i/o timeout')));
      const timer = setTimeout(() => outgoing.destroy(new Error(`dial tcp ${host}:${port}: i/o timeout`)), connectMs);
      const connected = () => clearTimeout(timer);
      outgoing.on('socket', (socket) => {
        if (!socket.connecting) connected();
        else socket.once('connect', connected);
      });
      outgoing.on('close', connected);
      outgoing.end(body);
    });
  }
}

const noPublicAddress = (host: string) =>
  new DialRefused(`${host} is at no public address, and not among the registries that the operator allows`);

/** Names that nobody has listed are resolved by DNS alone, and to public addresses. */
function guardedLookup(isListed: boolean): LookupFunction {
  return (host, options, callback) => {
    const answer = async (): Promise<{ address: string; family: number }[]> => {
      const addresses = isListed
        ? (await lookup(host, { all: true })).map(({ address }) => address)
        : (await byDns(host)).filter(isPublic);
      if (addresses.length === 0) throw noPublicAddress(host);
      return addresses.map((address) => ({ address, family: isIP(address) }));
    };
    answer().then(
      (addresses) =>
        options.all === true ? callback(null, addresses) : callback(null, addresses[0]!.address, addresses[0]!.family),
      (error) => callback(error, '', 0),
    );
  };
}

async function byDns(host: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: 3000, tries: 2 });
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (addresses.length > 0) return addresses;
  throw Object.assign(new Error(`no such host`), { code: 'ENOTFOUND' });
}

const dialWords: Record<string, string> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'i/o timeout',
};

function inGoWords(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error instanceof DialRefused) return error;
  const { code = '' } = error;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return new Error(`dial tcp: lookup ${host}: no such host`);
  if (dialWords[code] !== undefined) return new Error(`dial tcp ${host}:${port}: ${dialWords[code]}`);
  if (/CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code)) {
    return new Error(`tls: failed to verify certificate: x509: ${error.message}`);
  }
  return error;
}
