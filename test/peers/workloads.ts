import { configMapBody, type Encoding, JSON_TYPE, mediaTypeOf, type PatchKind, patches, podBody } from './bodies.ts';
import { type Endpoint, Http2Client, type Request } from './http2-client.ts';

/** One measured piece of load. All of them are the same for every server. */
export type Workload =
  | { type: 'create'; encoding: Encoding; namespace: string; count: number; parallel: number }
  | { type: 'get'; encoding: Encoding; namespace: string; pods: number; count: number; parallel: number }
  | { type: 'list'; encoding: Encoding; namespace: string; pods: number; count: number; query?: string; gzip?: boolean }
  | { type: 'pages'; encoding: Encoding; namespace: string; pods: number; limit: number; count: number }
  | { type: 'patch'; patch: PatchKind; namespace: string; pods: number; count: number; parallel: number; value: number }
  | {
      type: 'watch';
      encoding: Encoding;
      namespace: string;
      watchers: number;
      events: number;
      parallel: number;
      /** Of the names of what is written. */
      prefix: string;
    }
  | { type: 'mixed'; namespace: string; pods: number; count: number; parallel: number; value: number }
  | { type: 'clear'; namespace: string };

export interface Outcome {
  operations: number;
  seconds: number;
  bytes: number;
}

/** Streams a connection carries at once: below every server's limit. */
const streamsPerConnection = 100;
const connections = 4;

export const podName = (index: number) => `pod-${String(index).padStart(6, '0')}`;
const podsPath = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;
const configMapsPath = (namespace: string) => `/api/v1/namespaces/${namespace}/configmaps`;

/** Connections are made before the clock starts, and hold nothing over from one workload to the next. */
export async function runWorkload(
  endpoint: Endpoint,
  workload: Workload,
  onStart: () => void,
  onStop: () => void,
): Promise<Outcome> {
  const count = workload.type === 'list' || workload.type === 'pages' || workload.type === 'clear' ? 1 : connections;
  const clients = await Promise.all(Array.from({ length: count }, () => Http2Client.connect(endpoint)));
  const measure = async (operations: number, work: () => Promise<void>): Promise<Outcome> => {
    onStart();
    const start = performance.now();
    await work();
    const seconds = (performance.now() - start) / 1000;
    onStop();
    return { operations, seconds, bytes: clients.reduce((sum, client) => sum + client.bytesReceived, 0) };
  };
  const many = (total: number, parallel: number, requestOf: (index: number) => Request) =>
    measure(total, async () => {
      let next = 0;
      await Promise.all(
        Array.from({ length: parallel }, async (_, lane) => {
          const client = clients[lane % clients.length]!;
          for (let index = next++; index < total; index = next++) await succeed(client, requestOf(index));
        }),
      );
    });
  const perform = async (): Promise<Outcome> => {
    switch (workload.type) {
      case 'create': {
        const { namespace, encoding } = workload;
        const bodies = Array.from({ length: workload.count }, (_, index) => podBody(podName(index), encoding));
        return await many(workload.count, workload.parallel, (index) => ({
          ...createRequest(podsPath(namespace), bodies[index]!),
          contentType: mediaTypeOf(encoding),
          accept: mediaTypeOf(encoding),
        }));
      }
      case 'get':
        return await many(workload.count, workload.parallel, (index) => getRequest(workload, index));
      case 'patch':
        return await many(workload.count, workload.parallel, (index) => patchRequest(workload, workload.patch, index));
      case 'list': {
        const path = `${podsPath(workload.namespace)}?limit=0${workload.query ?? ''}`;
        const accept = mediaTypeOf(workload.encoding);
        const acceptEncoding = workload.gzip === true ? 'gzip' : undefined;
        return await measure(workload.count, async () => {
          for (let round = 0; round < workload.count; round++) {
            const { bytes } = await succeed(clients[0]!, { method: 'GET', path, accept, acceptEncoding });
            const least = (workload.gzip === true ? 20 : 200) * workload.pods;
            if (bytes < least) throw new Error(`a list of ${workload.pods} pods has only ${bytes} bytes`);
          }
        });
      }
      case 'pages':
        return await measure(workload.count, async () => {
          for (let round = 0; round < workload.count; round++) await allPages(clients[0]!, workload);
        });
      case 'watch':
        return await watchFanOut(endpoint, clients, workload, measure);
      case 'mixed':
        return await many(workload.count, workload.parallel, (index) => mixedRequest(workload, index));
      case 'clear':
        return await measure(1, async () => {
          const body = Buffer.from('{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0}');
          for (const path of [podsPath(workload.namespace), configMapsPath(workload.namespace)]) {
            await succeed(clients[0]!, { method: 'DELETE', path, body, contentType: JSON_TYPE });
          }
        });
    }
  };
  try {
    return await perform();
  } finally {
    for (const client of clients) client.destroy();
  }
}

async function succeed(client: Http2Client, request: Request, keep = false) {
  const response = await client.request(request, keep);
  if (response.status >= 200 && response.status < 300) return response;
  throw new Error(
    `${request.method} ${request.path}: ${response.status} ${Buffer.concat(response.chunks).toString().slice(0, 500)}`,
  );
}

const createRequest = (path: string, body: Buffer): Request => ({
  method: 'POST',
  path,
  body,
  contentType: JSON_TYPE,
  accept: JSON_TYPE,
});

/** Jumps about, so that no server gains by neighbours. */
const scattered = (index: number, pods: number) => (index * 7919) % pods;

function getRequest(workload: { namespace: string; pods: number; encoding: Encoding }, index: number): Request {
  const path = `${podsPath(workload.namespace)}/${podName(scattered(index, workload.pods))}`;
  return { method: 'GET', path, accept: mediaTypeOf(workload.encoding) };
}

function patchRequest(
  workload: { namespace: string; pods: number; value: number },
  kind: PatchKind,
  index: number,
): Request {
  const name = podName(scattered(index, workload.pods));
  const manager = kind === 'apply' ? '?fieldManager=peers&force=true' : '';
  return {
    method: 'PATCH',
    path: `${podsPath(workload.namespace)}/${name}${manager}`,
    contentType: patches[kind].contentType,
    accept: JSON_TYPE,
    body: patches[kind].body(workload.value * 1_000_000 + index),
  };
}

/** Of 20: 13 gets, 3 patches, 2 creates, 1 apply, 1 page of 100. */
function mixedRequest(workload: Extract<Workload, { type: 'mixed' }>, index: number): Request {
  const kind = index % 20;
  if (kind < 13) return getRequest({ ...workload, encoding: 'json' }, index);
  if (kind < 16) return patchRequest(workload, kind === 13 ? 'strategic' : 'merge', index);
  if (kind < 18) {
    const name = `mixed-${workload.value}-${String(index).padStart(6, '0')}`;
    return createRequest(podsPath(workload.namespace), podBody(name, 'json'));
  }
  if (kind === 18) return patchRequest(workload, 'apply', index);
  return { method: 'GET', path: `${podsPath(workload.namespace)}?limit=100`, accept: JSON_TYPE };
}

async function allPages(client: Http2Client, workload: Extract<Workload, { type: 'pages' }>): Promise<void> {
  let token = '';
  let pages = 0;
  do {
    const path = `${podsPath(workload.namespace)}?limit=${workload.limit}${token && `&continue=${token}`}`;
    const { chunks } = await succeed(client, { method: 'GET', path, accept: mediaTypeOf(workload.encoding) }, true);
    // The list's own metadata stands at its start.
    const start = Buffer.concat(chunks).toString('latin1', 0, 2000);
    const itemsAt = start.indexOf('"items":');
    token = /"continue":"([^"]+)"/.exec(itemsAt < 0 ? start : start.slice(0, itemsAt))?.[1] ?? '';
    pages++;
  } while (token !== '');
  const expected = Math.ceil(workload.pods / workload.limit);
  if (pages !== expected) throw new Error(`${pages} pages instead of ${expected}`);
}

/**
 * Every watcher sees every event; done when the last one has the last. Writers do not run away from the watchers: a
 * server that ends a watch which fell behind (kube-apiserver does) would be measured by how its clients come back.
 */
async function watchFanOut(
  endpoint: Endpoint,
  clients: Http2Client[],
  workload: Extract<Workload, { type: 'watch' }>,
  measure: (operations: number, work: () => Promise<void>) => Promise<Outcome>,
): Promise<Outcome> {
  const { namespace, watchers, events, encoding, parallel, prefix } = workload;
  const path = configMapsPath(namespace);
  const { chunks } = await succeed(clients[0]!, { method: 'GET', path: `${path}?limit=1`, accept: JSON_TYPE }, true);
  const revision = /"resourceVersion":"(\d+)"/.exec(Buffer.concat(chunks).toString())![1];
  const sessions = await Promise.all(
    Array.from({ length: Math.ceil(watchers / streamsPerConnection) }, () => Http2Client.connect(endpoint)),
  );
  const progress = new WatchersProgress(watchers, events);
  try {
    const openWatch = (index: number) =>
      new Promise<void>((resolve, reject) => {
        const counter = encoding === 'json' ? countLines() : countLengthPrefixed();
        let seen = 0;
        const fail = (error: Error) => {
          reject(error);
          progress.fail(error);
        };
        const request = {
          method: 'GET',
          path: `${path}?watch=true&resourceVersion=${revision}`,
          accept: encoding === 'json' ? JSON_TYPE : `${mediaTypeOf(encoding)};stream=watch`,
        };
        sessions[index % sessions.length]!.open(request, {
          onStatus: (status) => (status === 200 ? resolve() : fail(new Error(`watch: ${status}`))),
          onData: (chunk) => {
            const more = counter(chunk);
            if (more > 0) progress.saw(seen, (seen += more));
          },
          onEnd: () => fail(new Error('a watch ended before its time')),
          onError: fail,
        });
      });
    // A few at a time: all at once would be more than either server lets one user queue.
    let opened = 0;
    await Promise.all(
      clients.map(async () => {
        for (let index = opened++; index < watchers; index = opened++) await openWatch(index);
      }),
    );
    const outcome = await measure(watchers * events, async () => {
      let next = 0;
      await Promise.all(
        Array.from({ length: parallel }, async (_, lane) => {
          const client = clients[lane % clients.length]!;
          for (let index = next++; index < events; index = next++) {
            await progress.seenByAll(index - Math.max(parallel, 16));
            await succeed(client, createRequest(path, configMapBody(`${prefix}-${index}`)));
          }
        }),
      );
      await progress.seenByAll(events);
    });
    return { ...outcome, bytes: sessions.reduce((sum, session) => sum + session.bytesReceived, 0) };
  } finally {
    for (const session of sessions) session.destroy();
  }
}

/** How far the slowest of many watchers is. */
class WatchersProgress {
  readonly #watchers: number;
  /** How many watchers have seen so many events and more. */
  readonly #reached: Uint32Array;
  #slowest = 0;
  #waiting: { events: number; resolve: () => void; reject: (error: Error) => void }[] = [];
  #error: Error | undefined;

  constructor(watchers: number, events: number) {
    this.#watchers = watchers;
    this.#reached = new Uint32Array(events + 1);
  }

  /** One watcher, which had seen `before` events, has now seen `now`. */
  saw(before: number, now: number): void {
    for (let count = before + 1; count <= now; count++) this.#reached[count]!++;
    if (this.#reached[this.#slowest + 1] !== this.#watchers) return;
    while (this.#reached[this.#slowest + 1] === this.#watchers) this.#slowest++;
    const due = this.#waiting.filter(({ events }) => events <= this.#slowest);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter(({ events }) => events > this.#slowest);
    for (const { resolve } of due) resolve();
  }

  fail(error: Error): void {
    this.#error ??= error;
    for (const { reject } of this.#waiting) reject(error);
    this.#waiting = [];
  }

  seenByAll(events: number): Promise<void> | undefined {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (events <= this.#slowest) return undefined;
    return new Promise((resolve, reject) => this.#waiting.push({ events, resolve, reject }));
  }
}

function countLines(): (chunk: Buffer) => number {
  return (chunk) => {
    let lines = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
    return lines;
  };
}

/** Frames of a big-endian length and so many bytes. */
function countLengthPrefixed(): (chunk: Buffer) => number {
  let head: number[] = [];
  let left = 0;
  return (chunk) => {
    let frames = 0;
    for (let at = 0; at < chunk.length; ) {
      if (left > 0) {
        const taken = Math.min(left, chunk.length - at);
        left -= taken;
        at += taken;
        if (left === 0) frames++;
      } else {
        head.push(chunk[at++]!);
        if (head.length === 4) {
          left = Buffer.from(head).readUInt32BE(0);
          head = [];
        }
      }
    }
    return frames;
  };
}
