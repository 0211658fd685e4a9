import { Readable } from 'node:stream';
import type { KubeObject } from '../api/object.ts';
import { apiVersionOf } from '../api/object.ts';
import { StatusError } from '../api/status.ts';
import type { ApiRequest, ApiWatchRequest, Transport, WatchEvent } from '../api/transport.ts';
import type { Logger } from '../base/log.ts';
import type { Answer, ProxiedAnswer } from './answer.ts';
import type { Handler } from './chain.ts';
import { asStatusError } from './filters/panic-recovery.ts';
import type { Identity } from './identity/identity.ts';
import type { RequestContext } from './request-context.ts';
import { parseRequestInfo, type Query } from './request-info.ts';
import type { CacheEvent } from './watch-cache/watch-cache.ts';

const never = new AbortController().signal;
const json = 'application/json';
const noRawHeaders: readonly string[] = [];
let requests = 0;

/**
 * The API for components of this process: the same filters from tenant resolution on, the same verbs, and objects
 * handed over instead of bytes. Answers are shared: never mutate them.
 */
export function createInProcessTransport(handler: Handler, identity: Identity, logger: Logger): Transport {
  const contextOf = (
    method: string,
    path: string,
    query: InProcessQuery,
    body: unknown,
    contentType: string,
    signal: AbortSignal,
  ): RequestContext => ({
    id: `in-process-${++requests}`,
    method,
    query,
    info: parseRequestInfo(method, path, query),
    identity,
    tenant: '',
    readBody: () => Promise.resolve({ type: 'value', value: body, contentType }),
    // For requests that a tenant's own API server answers: made when asked for, as few are.
    bodyStream: () => (body === undefined ? undefined : Readable.from([JSON.stringify(body)])),
    warnings: [],
    signal,
    showTenant: true,
    inProcess: true,
    get headers() {
      return { accept: json, ...(body !== undefined && { 'content-type': contentType }) };
    },
    rawHeaders: noRawHeaders,
    get rawQuery() {
      return query.text?.() ?? '';
    },
    userAgent: identity.name,
    accept: json,
  });

  const run = async (context: RequestContext): Promise<Answer> => {
    try {
      return await handler(context);
    } catch (error) {
      throw asStatusError(error, (unexpected) =>
        logger.error({ error: unexpected, path: context.info.path }, 'unexpected error in an in-process request'),
      );
    }
  };

  return {
    async request<T>(request: ApiRequest): Promise<T> {
      const query = queryOf(request.query);
      const { method, path, body, contentType = json, signal = never } = request;
      const answer = await run(contextOf(method, path, query, body, contentType, signal));
      switch (answer.type) {
        case 'entry':
          return answer.entry.object as T;
        case 'object':
          return answer.object as T;
        case 'list':
          return {
            kind: answer.definition.listKind,
            apiVersion: apiVersionOf(answer.definition),
            metadata: answer.metadata,
            items: answer.entries.map((entry) => entry.object),
          } as T;
        case 'proxied':
          return (await readProxied(answer)) as T;
        default:
          throw new StatusError(400, 'BadRequest', 'this cannot be asked for in process');
      }
    },

    async watch(request: ApiWatchRequest): Promise<void> {
      const { signal } = request;
      if (signal.aborted) return;
      const query = queryOf({ ...request.query, watch: 'true' });
      const answer = await run(contextOf('GET', request.path, query, undefined, json, signal));
      if (answer.type !== 'watch') throw new StatusError(400, 'BadRequest', 'this cannot be watched');
      await new Promise<void>((resolve, reject) => {
        let stop: (() => void) | undefined;
        let timer: NodeJS.Timeout | undefined;
        let done = false;
        const end = () => {
          if (done) return;
          done = true;
          stop?.();
          clearTimeout(timer);
          signal.removeEventListener('abort', end);
          resolve();
        };
        signal.addEventListener('abort', end, { once: true });
        if (answer.timeoutMs !== undefined) timer = setTimeout(end, answer.timeoutMs);
        try {
          stop = answer.start((events) => {
            if (!done) request.onEvents(events.map(watchEvent));
          }, end);
        } catch (error) {
          done = true;
          clearTimeout(timer);
          signal.removeEventListener('abort', end);
          reject(error);
        }
        if (done) stop?.();
      });
    },
  };
}

const watchEvent = (event: CacheEvent): WatchEvent<KubeObject> => ({ type: event.type, object: event.entry.object });

/** A record as the query the verbs read; cheaper than URLSearchParams, whose encoding nobody needs here. */
function queryOf(record: Record<string, string> | undefined): InProcessQuery {
  if (record === undefined) return noQuery;
  return {
    get: (name) => record[name] ?? null,
    getAll: (name) => (record[name] === undefined ? [] : [record[name]]),
    has: (name) => record[name] !== undefined,
    text: () => new URLSearchParams(record).toString(),
  };
}
interface InProcessQuery extends Query {
  text?(): string;
}
const noQuery: InProcessQuery = { get: () => null, getAll: () => [], has: () => false };

/** So much of an answer of a tenant's own server is held in memory. */
const proxiedLimitBytes = 16 * 1024 * 1024;

/** What a tenant's own API server answers, as the value it stands for: components work on such resources too. */
async function readProxied({ code, body }: ProxiedAnswer): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > proxiedLimitBytes) throw new StatusError(500, 'InternalError', 'the answer is too large');
  }
  let value: any;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new StatusError(code < 400 ? 500 : code, '', 'the API server gave no JSON');
  }
  if (code < 400) return value;
  throw StatusError.fromStatus(value?.kind === 'Status' ? value : { code });
}
