import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { dirname, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { readBounded } from '../connect/bounded-get.ts';

/** A server of the operator's that answers reviews, as a kubeconfig names it. */
export interface ReviewServer {
  /** Reviews are posted to this very URL. */
  url: URL;
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  token?: string;
  username?: string;
  password?: string;
  insecureSkipTlsVerify?: boolean;
  serverName?: string;
}

/** Reads a kubeconfig whose current context says where and as whom. Throws an Error that says what is wrong. */
export function readReviewServer(path: string): ReviewServer {
  const config = parseYaml(readFileSync(path, 'utf8')) as Record<string, any> | null;
  const named = (list: unknown, name: unknown, field: string): Record<string, any> => {
    const found = Array.isArray(list) ? list.find((one) => one?.name === name) : undefined;
    if (found?.[field] === undefined) throw new Error(`${path}: there is no ${field} ${JSON.stringify(name)}`);
    return found[field];
  };
  const context = named(config?.['contexts'], config?.['current-context'], 'context');
  const cluster = named(config?.['clusters'], context['cluster'], 'cluster');
  const user = context['user'] ? named(config?.['users'], context['user'], 'user') : {};
  const url = URL.parse(String(cluster['server']));
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error(`${path}: the cluster's server is no URL`);
  if (user['exec'] !== undefined || user['auth-provider'] !== undefined) {
    throw new Error(`${path}: exec and auth-provider are not taken`);
  }
  const pem = (from: Record<string, any>, field: string): Buffer | undefined => {
    if (from[`${field}-data`]) return Buffer.from(from[`${field}-data`], 'base64');
    return from[field] ? readFileSync(resolve(dirname(path), from[field])) : undefined;
  };
  const [ca, cert, key] = [
    pem(cluster, 'certificate-authority'),
    pem(user, 'client-certificate'),
    pem(user, 'client-key'),
  ];
  const token = user['tokenFile'] ? readFileSync(user['tokenFile'], 'utf8').trim() : user['token'];
  return {
    url,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(token && { token }),
    ...(user['username'] && { username: user['username'], password: user['password'] ?? '' }),
    ...(cluster['insecure-skip-tls-verify'] === true && { insecureSkipTlsVerify: true }),
    ...(cluster['tls-server-name'] && { serverName: cluster['tls-server-name'] }),
  };
}

export interface ReviewClientOptions {
  /** Of one attempt. */
  timeoutMs: number;
  /** Waits between attempts; 0.5 s at first and half as much again each time when absent. */
  retryDelaysMs?: readonly number[];
  /** What the server answers means nothing. */
  ignoresAnswer?: true;
}

const answerLimitBytes = 1024 * 1024;
/** Attempts that wait for an answer; more are refused at once, so that a server that hangs holds no memory. */
const underWayLimit = 1024;
const defaultDelaysMs = [500, 750, 1125, 1688];
const transientCodes = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

class ReviewFailure extends Error {
  readonly isTransient: boolean;
  constructor(message: string, isTransient: boolean) {
    super(message);
    this.isTransient = isTransient;
  }
}

/** Posts reviews, several times where the failure may pass. Source: apiserver's pkg/util/webhook. */
export class ReviewClient {
  readonly #server: ReviewServer;
  readonly #options: ReviewClientOptions;
  readonly #agent: Agent | HttpAgent;
  #underWay = 0;

  constructor(server: ReviewServer, options: ReviewClientOptions) {
    this.#server = server;
    this.#options = options;
    const kept = { keepAlive: true, maxSockets: 64, maxFreeSockets: 8, timeout: 60_000 };
    const { ca, cert, key, serverName, insecureSkipTlsVerify } = server;
    this.#agent =
      server.url.protocol === 'http:'
        ? new HttpAgent(kept)
        : new Agent({
            ...kept,
            ...(ca !== undefined && { ca }),
            ...(cert !== undefined && { cert }),
            ...(key !== undefined && { key }),
            ...(serverName !== undefined && { servername: serverName }),
            rejectUnauthorized: insecureSkipTlsVerify !== true,
          });
  }

  /** The review as it comes back. Rejects with an Error that says why not. */
  async post(review: object): Promise<Record<string, any>> {
    if (this.#underWay >= underWayLimit) throw new Error('too many reviews are under way');
    this.#underWay++;
    try {
      const body = Buffer.from(JSON.stringify(review));
      for (const delayMs of this.#options.retryDelaysMs ?? defaultDelaysMs) {
        try {
          return await this.#attempt(body);
        } catch (error) {
          if (!(error instanceof ReviewFailure && error.isTransient)) throw error;
        }
        await new Promise((done) => setTimeout(done, delayMs * (1 + Math.random() * 0.2)).unref());
      }
      return await this.#attempt(body);
    } finally {
      this.#underWay--;
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #attempt(body: Buffer): Promise<Record<string, any>> {
    const { url, token, username, password } = this.#server;
    const failed = (why: string, isTransient = false) =>
      new ReviewFailure(`Post ${JSON.stringify(url.href)}: ${why}`, isTransient);
    const { timeoutMs } = this.#options;
    const basic = username === undefined ? undefined : Buffer.from(`${username}:${password}`).toString('base64');
    return new Promise((done, fail) => {
      const signal = AbortSignal.timeout(timeoutMs);
      const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
      const outgoing = send(url, {
        method: 'POST',
        agent: this.#agent,
        signal,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'content-length': body.length,
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(basic !== undefined && { authorization: `Basic ${basic}` }),
        },
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        if (signal.aborted) fail(failed('context deadline exceeded'));
        else fail(failed(error.message, transientCodes.has(error.code ?? '')));
      });
      outgoing.on('response', (response) => {
        const { statusCode = 0 } = response;
        readBounded(response, answerLimitBytes, 'the answer is too long').then(
          (bytes) => {
            if (statusCode < 200 || statusCode > 299) {
              const isTransient = statusCode === 429 || statusCode === 500 || statusCode === 504;
              return fail(failed(`it answered ${statusCode}`, isTransient));
            }
            try {
              done(this.#options.ignoresAnswer === true ? {} : parsed(bytes));
            } catch (error) {
              fail(failed((error as Error).message));
            }
          },
          (error) => fail(failed(signal.aborted ? 'context deadline exceeded' : error.message)),
        );
      });
      outgoing.end(body);
    });
  }
}

function parsed(bytes: Buffer): Record<string, any> {
  const value = JSON.parse(bytes.toString());
  if (typeof value !== 'object' || value === null) throw new Error('the answer is no review');
  return value;
}
