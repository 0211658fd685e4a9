import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { parse } from 'yaml';
import { StatusError } from '../../src/api/status.ts';
import type { HttpTransport } from '../../src/client/http-transport.ts';
import { configMaps } from './history.ts';

/** What became of requests that came one after the other. */
export interface Service {
  answered: number;
  /** Answers that say no. */
  refused: string[];
  /** Connections that broke under a request, or were not made: their requests were sent again. */
  broken: string[];
  /** Between two answers one after the other. */
  longestGapMs: number;
  /** What was written last, and acknowledged. */
  acknowledged: number;
}

/** The gap is counted anew from here. */
export function beginCounting(service: Service): void {
  Object.assign(service, { answered: 0, refused: [], broken: [], longestGapMs: 0 });
}

type Send = (method: 'GET' | 'PUT' | 'POST', path: string, body?: unknown) => Promise<any>;

/**
 * Writes a number that grows to one config map and reads it back, again and again. A request whose connection broke is
 * sent again, as by every client; `problems` hears of numbers that are not there.
 */
export async function serve(name: string, send: Send, problems: string[], stop: AbortSignal): Promise<Service> {
  const service: Service = { answered: 0, refused: [], broken: [], longestGapMs: 0, acknowledged: 0 };
  const path = `${configMaps}/${name}`;
  const body = (value: number) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: { value: `${value}` },
  });
  let lastMs = performance.now();
  const ask: Send = async (method, where, sent) => {
    for (;;) {
      try {
        const answer = await send(method, where, sent);
        service.answered++;
        service.longestGapMs = Math.max(service.longestGapMs, performance.now() - lastMs);
        lastMs = performance.now();
        return answer;
      } catch (error) {
        if (stop.aborted) return undefined;
        // It was made by the attempt whose connection broke.
        if (method === 'POST' && (error as StatusError).code === 409) return undefined;
        const said = `${method} ${where}: ${(error as Error).message}`;
        if (error instanceof StatusError) service.refused.push(`${said} (${error.code})`);
        else service.broken.push(said);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };
  await ask('POST', configMaps, body(0));
  void (async () => {
    for (let value = 1; !stop.aborted; value++) {
      await ask('PUT', path, body(value));
      service.acknowledged = value;
      const read = await ask('GET', path);
      const found = Number(read?.data.value);
      if (!stop.aborted && found !== value) problems.push(`${name} is ${found}, though ${value} was acknowledged`);
    }
  })();
  return service;
}

export const overHttp1 =
  (transport: HttpTransport): Send =>
  (method, path, body) =>
    transport.request({ method, path, ...(body !== undefined && { body }) });

/** Over one connection of HTTP/2 at a time, as client-go's: a GOAWAY makes the next request connect anew. */
export function overHttp2(url: string, kubeconfig: string): { send: Send; close(): void } {
  const { clusters, users } = parse(readFileSync(kubeconfig, 'utf8'));
  const decode = (text: string) => Buffer.from(text, 'base64');
  const tls = {
    ca: decode(clusters[0].cluster['certificate-authority-data']),
    cert: decode(users[0].user['client-certificate-data']),
    key: decode(users[0].user['client-key-data']),
  };
  let session: ClientHttp2Session | undefined;
  const connected = () => {
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    const made = connect(url, tls);
    made.on('error', () => {});
    made.on('goaway', () => {
      if (session === made) session = undefined;
    });
    session = made;
    return made;
  };
  const send: Send = async (method, path, body) => {
    try {
      return await attempt(method, path, body);
    } catch (error) {
      // It came to a connection with a GOAWAY, and nobody has looked at it: Go's client sends it again by itself.
      if (!(error as Error).message.includes('REFUSED_STREAM')) throw error;
      return send(method, path, body);
    }
  };
  const attempt: Send = async (method, path, body) => {
    const stream = connected().request({ ':method': method, ':path': path, 'content-type': 'application/json' });
    stream.setTimeout(30_000, () => stream.destroy(new Error('no answer in time')));
    let text = '';
    stream.on('data', (chunk) => (text += chunk));
    stream.end(body === undefined ? undefined : JSON.stringify(body));
    let code = 0;
    stream.on('response', (headers) => (code = Number(headers[':status'])));
    // A connection that ends without a word is no error to its streams.
    await once(stream, 'close');
    if (code >= 400) throw new StatusError(code, '', text);
    if (code === 0 || text === '') throw new Error('the connection closed before the answer');
    return JSON.parse(text);
  };
  return {
    send,
    close: () => session?.destroy(),
  };
}
