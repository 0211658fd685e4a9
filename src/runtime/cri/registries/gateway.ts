import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { join } from 'node:path';
import { isPublic } from '../../../base/public-address.ts';
import { DialRefused, type Fetched, GuardedFetch } from './guarded-fetch.ts';
import { inspected, ManifestRefused } from './inspect-manifest.ts';
import { addressOfRegistry, listedAs, type RegistryPolicy } from './policy.ts';

/** No range: what comes is looked at from its beginning. */
const passedUp = ['accept', 'authorization', 'user-agent', 'content-type'];
const passedDown = [
  'content-type',
  'content-length',
  'docker-content-digest',
  'docker-distribution-api-version',
  'etag',
];
const longestForm = 1024 * 1024;
/** Registries of which the last failure is remembered, for the words of a pull that fails. */
const failuresKept = 256;

/**
 * What containerd asks instead of registries, so that neither an image's name nor a registry leads it anywhere else:
 * not by an address, not by a redirection, not by where tokens are to be had. Serves loopback alone, and nothing that a
 * registry allowed to everybody on this machine would not.
 */
export class RegistryGateway {
  readonly #policy: RegistryPolicy;
  readonly #certificatesDirectory: string;
  readonly #fetch: GuardedFetch;
  readonly #failures = new Map<string, string>();
  #server: Server | undefined;
  #starting: Promise<void> | undefined;
  #port = 0;

  constructor(policy: RegistryPolicy, certificatesDirectory: string) {
    this.#policy = policy;
    this.#certificatesDirectory = certificatesDirectory;
    this.#fetch = new GuardedFetch(policy);
  }

  /** containerd asks here from now on: it reads its registry configuration at every pull. */
  start(): Promise<void> {
    this.#starting ??= this.#start().catch((error) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
    this.#fetch.close();
  }

  /** Why nothing is pulled from a registry at all; undefined where it may be asked. */
  refusal(registry: string): string | undefined {
    const address = addressOfRegistry(registry, this.#policy);
    if (address === undefined) return `${registry} is no name of a registry`;
    if (this.#policy.any || listedAs(this.#policy, address.host, address.port) !== undefined) return undefined;
    if (!this.#policy.public) return `registry ${registry} is not among those that the operator allows`;
    return address.isPlain || (isIP(address.host) !== 0 && !isPublic(address.host))
      ? `registry ${registry} is at no public address, and not among those that the operator allows`
      : undefined;
  }

  /** A pull's failure as it would be without a gateway, and with the reason that only the gateway knows. */
  explain(message: string, registry: string): string {
    const failure = this.#failures.get(registry);
    const origin = `127.0.0.1:${this.#port}`;
    const text = message
      .replace(/http:\/\/[^\s"/]+\/token\/[\w-]+\/([\w-]+)/g, (_, realm: string) => decode(realm))
      .replaceAll(`http://${origin}/`, `https://${registry}/`)
      .replaceAll(origin, registry)
      .replace(/[?&]ns=[^\s":&]*(:\d+)?/g, '');
    if (failure === undefined) return text;
    return text.replace(
      /(?:unexpected status (?:code |from (?:HEAD|GET) request to )|pulling from host )([^\s"]+)[^"]*: (?:502 Bad Gateway|403 Forbidden)/,
      `failed to do request: Head "https://${registry}/v2/": ${failure.replaceAll('$', '$$$$')}`,
    );
  }

  async #start(): Promise<void> {
    const server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    this.#server = server;
    server.requestTimeout = 0;
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((done, fail) => {
      server.once('error', fail);
      server.listen(0, '127.0.0.1', done);
    });
    server.unref();
    this.#port = (server.address() as AddressInfo).port;
    // Files of other registries would lead containerd past us.
    rmSync(this.#certificatesDirectory, { recursive: true, force: true });
    const directory = join(this.#certificatesDirectory, '_default');
    mkdirSync(directory, { recursive: true });
    const origin = `http://127.0.0.1:${this.#port}`;
    // Without a host containerd 1.6 takes the file for broken, and goes to the registry; the server comes last and may not be pulled from.
    const lines = [
      `server = "${origin}"`,
      'capabilities = ["push"]',
      `[host."${origin}"]`,
      'capabilities = ["pull", "resolve"]',
    ];
    writeFileSync(join(directory, 'hosts.toml'), `${lines.join('\n')}\n`);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const abort = new AbortController();
    response.on('close', () => abort.abort());
    const asked = new URL(request.url ?? '/', 'http://gateway');
    const [, kind = '', registryText = '', targetText = ''] = asked.pathname.split('/');
    if (kind === 'token') {
      const registry = decode(registryText);
      return this.#pass(request, response, URL.parse(decode(targetText)), asked.search, registry, abort.signal);
    }
    const registry = asked.searchParams.get('ns') ?? '';
    asked.searchParams.delete('ns');
    const refusal = kind === 'v2' ? this.refusal(registry) : 'nothing is here';
    const address = addressOfRegistry(registry, this.#policy);
    if (refusal !== undefined || address === undefined) {
      this.#note(registry, refusal ?? 'no registry');
      return sendError(response, 403, refusal ?? 'no registry');
    }
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    const origin = `${address.isPlain ? 'http' : 'https'}://${host}:${address.port}`;
    return this.#pass(request, response, URL.parse(asked.pathname, origin), asked.search, registry, abort.signal);
  }

  async #pass(
    request: IncomingMessage,
    response: ServerResponse,
    target: URL | null,
    search: string,
    registry: string,
    signal: AbortSignal,
  ): Promise<void> {
    if (target === null) return sendError(response, 400, 'no URL');
    // Where tokens are to be had may have a query of its own.
    if (search !== '') target.search = target.search === '' ? search : `${target.search}&${search.slice(1)}`;
    const headers: Record<string, string> = {};
    for (const name of passedUp) {
      const value = request.headers[name];
      if (typeof value === 'string') headers[name] = value;
    }
    const method = request.method ?? 'GET';
    let fetched: Fetched;
    try {
      const body = method === 'POST' ? await readForm(request) : undefined;
      if (body !== undefined) headers['content-length'] = String(body.length);
      const address = addressOfRegistry(registry, this.#policy);
      const isListed = address !== undefined && listedAs(this.#policy, address.host, address.port) !== undefined;
      fetched = await this.#fetch.fetch(target, {
        method,
        headers,
        signal,
        isListed,
        ...(body !== undefined && { body }),
      });
    } catch (error) {
      const { message } = error as Error;
      this.#note(registry, message);
      return sendError(response, error instanceof DialRefused ? 403 : 502, message);
    }
    this.#failures.delete(registry);
    const { response: answer } = fetched;
    const down: Record<string, string | string[]> = {};
    for (const name of passedDown) {
      const value = answer.headers[name];
      if (value !== undefined) down[name] = value;
    }
    const challenges = answer.headersDistinct['www-authenticate'];
    if (challenges !== undefined) {
      down['www-authenticate'] = challenges.flatMap((challenge) => this.#challenge(challenge, registry));
    }
    const encoding = answer.headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity') {
      answer.destroy();
      this.#note(registry, `an answer encoded as ${encoding} is not taken`);
      return sendError(response, 502, 'the answer is encoded');
    }
    try {
      for await (const chunk of inspected(answer)) {
        if (!response.headersSent) response.writeHead(answer.statusCode ?? 502, down);
        if (!response.write(chunk)) await once(response, 'drain', { signal });
      }
      if (!response.headersSent) response.writeHead(answer.statusCode ?? 502, down);
      response.end();
    } catch (error) {
      const { message } = error as Error;
      this.#note(registry, message);
      sendError(response, error instanceof ManifestRefused ? 403 : 502, message);
    }
  }

  /** Written anew, so that no other reading of it leads past us: where tokens are to be had is asked through us too. */
  #challenge(challenge: string, registry: string): string[] {
    const bearer = /(?:^|[\s,])bearer\s+(.*)$/is.exec(challenge)?.[1];
    if (bearer === undefined) return /(?:^|[\s,])basic(?:\s|$)/i.test(challenge) ? ['Basic realm="registry"'] : [];
    const parameters = new Map<string, string>();
    for (const [, name = '', quoted, plain = ''] of bearer.matchAll(/([\w-]+)\s*=\s*(?:"([^"]*)"|([^",\s]+))/g)) {
      const key = name.toLowerCase();
      if (!parameters.has(key)) parameters.set(key, quoted ?? plain);
    }
    const realm = `http://127.0.0.1:${this.#port}/token/${encode(registry)}/${encode(parameters.get('realm') ?? '')}`;
    const more = ['service', 'scope', 'error'].flatMap((name) => {
      const value = parameters.get(name);
      return value === undefined ? [] : [`${name}="${value}"`];
    });
    return [`Bearer ${[`realm="${realm}"`, ...more].join(',')}`];
  }

  #note(registry: string, message: string): void {
    this.#failures.delete(registry);
    this.#failures.set(registry, message);
    if (this.#failures.size > failuresKept) this.#failures.delete(this.#failures.keys().next().value!);
  }
}

const encode = (text: string) => Buffer.from(text).toString('base64url');
const decode = (text: string) => Buffer.from(text, 'base64url').toString();

/** As the distribution API says errors. */
function sendError(response: ServerResponse, code: number, message: string): void {
  if (response.headersSent) return void response.destroy();
  const body = JSON.stringify({ errors: [{ code: code === 403 ? 'DENIED' : 'UNAVAILABLE', message }] });
  response.writeHead(code, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

async function readForm(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > longestForm) throw new Error('the form is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
