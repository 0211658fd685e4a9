import { createHash } from 'node:crypto';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { isTooDeep } from '../../api/json/depth.ts';
import { longText, readJson } from '../../api/json/read-json.ts';
import { StatusError } from '../../api/status.ts';
import { runInTurns } from '../../base/steps.ts';
import { readBounded } from '../connect/bounded-get.ts';
import { limitInterimAnswers } from '../connect/interim-answers.ts';
import type { ServiceDialer } from '../connect/service-dialer.ts';
import { describeJsonError } from '../json-syntax.ts';
import { LoopPace } from '../pace.ts';
import { type Destination, WebhookConnections } from './connections.ts';
import { createEgress, type EgressOptions } from './egress.ts';
import { describeCallError, describeStatusCode } from './go-errors.ts';

/** A webhook's clientConfig, and whose it is. Exactly one of `service` and `url`. */
export interface WebhookTarget {
  tenant: string;
  service?: { namespace: string; name: string; path?: string; port?: number };
  url?: string;
  /** Base64 of PEM certificates; absent: the well-known authorities. */
  caBundle?: string;
}

export interface WebhookCallOptions {
  timeoutMs: number;
  responseLimitBytes?: number;
}

/** A call that brought no answer. The message is what upstream's would be: `Post "https://…": context deadline exceeded`. */
export class WebhookCallError extends Error {
  /** Of the answer, where there was one. */
  readonly code: number | undefined;

  constructor(message: string, code?: number) {
    super(message);
    this.name = 'WebhookCallError';
    this.code = code;
  }
}

/** Admission and conversion webhooks are all called this way. */
export interface WebhookClient {
  /** The parsed answer; rejects with WebhookCallError. */
  post(target: WebhookTarget, body: object, options: WebhookCallOptions): Promise<unknown>;
  close(): void;
}

export interface WebhookClientOptions {
  dialService: ServiceDialer;
  egress?: EgressOptions;
}

/** Objects are held to 3 MiB; an answer may carry a patch of one, in base64. It is parsed where all tenants wait. */
const defaultResponseLimitBytes = 4.5 * 1024 * 1024;
const userAgent = 'kube-apiserver-admission';

export function createWebhookClient({ dialService, egress }: WebhookClientOptions): WebhookClient {
  const connections = new WebhookConnections();
  const dialUrl = createEgress(egress);

  const destinationOf = (target: WebhookTarget): { destination: Destination; host: string; path: string } => {
    const { tenant, service, caBundle } = target;
    const pem = caBundle === undefined ? '' : Buffer.from(caBundle, 'base64').toString();
    const ca = pem.trim() === '' ? undefined : pem;
    const key = (...parts: string[]) =>
      [tenant, ...parts, ca === undefined ? '' : createHash('sha256').update(ca).digest('base64')].join(' ');
    if (service !== undefined) {
      const { namespace, name, port = 443, path = '' } = service;
      const serverName = `${name}.${namespace}.svc`;
      const dial = () => dialService({ tenant, namespace, name, port: String(port) });
      const destination = { poolKey: key(serverName, String(port)), serverName, isAddress: false, ca, dial };
      return { destination, host: `${serverName}:${port}`, path: path.startsWith('/') ? path : `/${path}` };
    }
    const url = new URL(target.url!);
    const hostName = url.hostname.replace(/^\[|\]$/g, '');
    const port = Number(url.port || 443);
    const dial = (signal: AbortSignal) => dialUrl(hostName, port, signal);
    const destination = {
      poolKey: key('url', url.host),
      serverName: hostName,
      isAddress: isIP(hostName) !== 0,
      ca,
      dial,
    };
    return { destination, host: url.host, path: url.pathname };
  };

  return {
    async post(target, body, options) {
      const { destination, host, path } = destinationOf(target);
      const pathWithTimeout = `${path}?timeout=${Math.ceil(options.timeoutMs / 1000)}s`;
      const what = `Post ${JSON.stringify(`https://${host}${pathWithTimeout}`)}`;
      const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
      const signal = AbortSignal.timeout(options.timeoutMs);
      const limit = options.responseLimitBytes ?? defaultResponseLimitBytes;
      const send = () =>
        exchange({ connections, destination, host, path: pathWithTimeout, bytes, signal, limitBytes: limit });
      let answer: { code: number; text: string };
      try {
        answer = await send().catch((error) => {
          // The webhook closed an idle connection just when it was used again.
          if (!(error instanceof StaleConnection)) throw error;
          return send();
        });
      } catch (error) {
        if (signal.aborted) throw new WebhookCallError(`${what}: context deadline exceeded`);
        const cause = error instanceof StaleConnection ? error.cause : error;
        throw new WebhookCallError(
          `${what}: ${describeCallError(cause, { host, serverName: destination.serverName })}`,
        );
      }
      return parse(answer);
    },
    close: () => connections.destroy(),
  };
}

async function parse({ code, text }: { code: number; text: string }): Promise<unknown> {
  let value: any;
  if (isTooDeep(text))
    throw new WebhookCallError("couldn't get version/kind; json parse error: exceeded max depth", code);
  try {
    value = text.length < longText ? JSON.parse(text) : (await runInTurns(readJson(text), new LoopPace())).value;
  } catch (error) {
    if (error instanceof StatusError) throw new WebhookCallError(error.message, code);
    if (code >= 200 && code <= 206) {
      if (text === '') throw new WebhookCallError(`0-length response with status code: ${code}`, code);
      throw new WebhookCallError(`couldn't get version/kind; json parse error: ${describeJsonError(text)}`, code);
    }
  }
  if (code >= 200 && code <= 206) return value;
  const isStatus = value?.kind === 'Status' && typeof value.message === 'string';
  throw new WebhookCallError(isStatus ? value.message : describeStatusCode(code, text.slice(0, 1024).trim()), code);
}

class StaleConnection extends Error {}

interface Exchange {
  connections: WebhookConnections;
  destination: Destination;
  host: string;
  path: string;
  bytes: Buffer;
  signal: AbortSignal;
  limitBytes: number;
}

function exchange({ connections, destination, host, path, bytes, signal, limitBytes }: Exchange) {
  return new Promise<{ code: number; text: string }>((resolve, reject) => {
    const options = {
      agent: connections,
      destination,
      method: 'POST',
      path,
      signal,
      // The agent is not told of `signal`.
      until: signal,
      headers: {
        host,
        accept: 'application/json, */*',
        'content-type': 'application/json',
        'content-length': bytes.length,
        'user-agent': userAgent,
      },
    };
    const outgoing: ClientRequest = httpRequest(options);
    limitInterimAnswers(outgoing);
    let answered = false;
    outgoing.on('error', (error: Error & { code?: string }) => {
      const isStale = outgoing.reusedSocket && !answered && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(isStale ? new StaleConnection('', { cause: error }) : error);
    });
    outgoing.on('response', (response: IncomingMessage) => {
      answered = true;
      const { statusCode: code = 0 } = response;
      readBounded(response, limitBytes, `the response is larger than ${limitBytes} bytes`).then(
        (body) => resolve({ code, text: body.toString('utf8') }),
        reject,
      );
    });
    // Nobody asked for it, and nothing else would be heard of the request.
    outgoing.on('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new Error('the server switched protocols without being asked'));
    });
    outgoing.on('close', () => answered || reject(new Error('EOF')));
    outgoing.end(bytes);
  });
}
