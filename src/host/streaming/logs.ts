import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { badRequest } from '../../api/status.ts';
import { type ReadLogOptions, readLog } from '../logs/read-log.ts';
import type { RuntimeCache } from '../runtime-cache.ts';
import type { PodWorker } from '../worker/pod-worker.ts';
import { containerForLogs } from './find-container.ts';

/** Answers with the log's text, and keeps answering while following, until the container ends or the client leaves. */
export async function serveLogs(
  worker: PodWorker,
  cache: RuntimeCache,
  container: string,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const record = containerForLogs(worker, cache, container, isTrue(query, 'previous'));
  const left = new AbortController();
  response.on('close', () => left.abort());
  const isRunning = () =>
    cache
      .get(worker.instance.metadata.name)
      .containers.get(container)
      ?.find(({ id }) => id === record.id)?.state === 'running';
  const options: ReadLogOptions = {
    ...parseLogOptions(query),
    path: record.logPath,
    isRunning,
    signal: left.signal,
  };
  response.writeHead(200, { 'Content-Type': 'text/plain' });
  response.flushHeaders();
  for await (const chunk of readLog(options)) {
    if (!response.write(chunk)) await once(response, 'drain', { signal: left.signal }).catch(() => {});
  }
  response.end();
}

const isTrue = (query: URLSearchParams, name: string) => query.get(name) === 'true' || query.get(name) === '1';

function number(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw badRequest(`invalid ${name} ${JSON.stringify(text)}`);
  return value;
}

export function parseLogOptions(query: URLSearchParams): Omit<ReadLogOptions, 'path' | 'isRunning' | 'signal'> {
  const sinceSeconds = number(query, 'sinceSeconds');
  const sinceTime = query.get('sinceTime');
  let since = sinceSeconds === undefined ? undefined : Date.now() - sinceSeconds * 1000;
  if (sinceTime !== null && sinceTime !== '') {
    since = Date.parse(sinceTime);
    if (Number.isNaN(since)) throw badRequest(`invalid sinceTime ${JSON.stringify(sinceTime)}`);
  }
  const tailLines = number(query, 'tailLines');
  const limitBytes = number(query, 'limitBytes');
  const stream = (query.get('stream') ?? 'All').toLowerCase();
  if (stream !== 'all' && stream !== 'stdout' && stream !== 'stderr') throw badRequest(`invalid stream ${stream}`);
  return {
    follow: isTrue(query, 'follow'),
    timestamps: isTrue(query, 'timestamps'),
    stream,
    ...(since !== undefined && { since }),
    ...(tailLines !== undefined && { tailLines }),
    ...(limitBytes !== undefined && { limitBytes }),
  };
}
