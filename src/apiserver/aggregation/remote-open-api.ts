import { createHash } from 'node:crypto';
import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import type { Clock } from '../../base/clock.ts';
import type { Steps } from '../../base/steps.ts';
import { isAvailable } from './api-service.ts';
import type { Fetch } from './fetch.ts';

type Json = Record<string, any>;

/** What a server of a tenant's says of its API, as far as it belongs into the tenant's documents. */
export interface RemoteOpenApi {
  /** Changes with the content. */
  etag: string;
  /** As it came. Kept so: parsed it may take twenty times as much. */
  bytes: Buffer;
}

interface Kept {
  untilMs: number;
  content: Promise<RemoteOpenApi | undefined>;
  /** 0 while it is on its way. */
  size: number;
}

const keptMs = 60_000;
const timeoutMs = 5000;
const version2LimitBytes = 4 * 1024 * 1024;
const version3LimitBytes = 1024 * 1024;
/** So many servers' documents are kept, and so much of them, the oldest forgotten first. */
const serversKept = 64;
const keptLimitBytes = 64 * 1024 * 1024;

/** OpenAPI documents of servers behind APIServices: asked for when a client asks us, and kept for a minute. */
export class RemoteOpenApis {
  readonly #fetch: Fetch;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor(fetch: Fetch, clock: Clock) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** Swagger 2.0; undefined when the server has none or does not answer. */
  version2(tenant: string, service: APIService): Promise<RemoteOpenApi | undefined> {
    return this.#get(tenant, service, '/openapi/v2', version2LimitBytes);
  }

  /** Version 3's list of documents. */
  version3(tenant: string, service: APIService): Promise<RemoteOpenApi | undefined> {
    return this.#get(tenant, service, '/openapi/v3', version3LimitBytes);
  }

  #get(tenant: string, service: APIService, path: string, limitBytes: number): Promise<RemoteOpenApi | undefined> {
    if (!isAvailable(service)) return Promise.resolve(undefined);
    const { name, namespace, port } = service.spec.service!;
    // Another CA or server name is another server.
    const { uid, resourceVersion } = service.metadata;
    const key = [tenant, namespace, name, port, uid, resourceVersion, path].join('/');
    const known = this.#kept.get(key);
    if (known !== undefined && known.untilMs > this.#clock.now()) return known.content;
    const content = this.#load(tenant, service, path, limitBytes);
    const kept: Kept = { untilMs: this.#clock.now() + keptMs, content, size: 0 };
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    this.#forgetSome();
    void content.then((loaded) => {
      kept.size = loaded?.bytes.byteLength ?? 0;
      this.#forgetSome();
    });
    return content;
  }

  #forgetSome(): void {
    let total = 0;
    for (const { size } of this.#kept.values()) total += size;
    for (const [key, { size }] of this.#kept) {
      if (this.#kept.size <= serversKept && total <= keptLimitBytes) return;
      this.#kept.delete(key);
      total -= size;
    }
  }

  async #load(
    tenant: string,
    service: APIService,
    path: string,
    limitBytes: number,
  ): Promise<RemoteOpenApi | undefined> {
    try {
      const options = { accept: 'application/json', timeoutMs, limitBytes };
      const { code, headers, body } = await this.#fetch(tenant, service, path, options);
      if (code !== 200) return undefined;
      const etag = headers['etag'] ?? createHash('sha1').update(body).digest('hex');
      return { etag: etag.slice(0, 1024), bytes: body };
    } catch {
      return undefined;
    }
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What it says, an empty document where that is none. */
export function parsedOpenApi({ bytes }: RemoteOpenApi): Json {
  try {
    const document: unknown = JSON.parse(bytes.toString());
    return isObject(document) ? document : {};
  } catch {
    return {};
  }
}

/**
 * A Swagger document with the paths of the groups that remote servers serve, and the types and parameters those use.
 * Of what both have the one already there stays. Source: kube-aggregator's openapi aggregator.
 */
export function* mergeVersion2(own: Json, remotes: (RemoteOpenApi & { services: APIService[] })[]): Steps<Json> {
  const paths: Json = { ...own['paths'] };
  const definitions: Json = { ...own['definitions'] };
  const parameters: Json = { ...own['parameters'] };
  for (const remote of remotes) {
    yield;
    const document = parsedOpenApi(remote);
    yield;
    const { services } = remote;
    const prefixes = services.map(({ spec }) => `/apis/${spec.group}/${spec.version}/`);
    const wanted: string[] = [];
    for (const [path, operations] of Object.entries(isObject(document['paths']) ? document['paths'] : {})) {
      yield;
      if (paths[path] !== undefined || !prefixes.some((prefix) => `${path}/`.startsWith(prefix))) continue;
      paths[path] = operations;
      collectReferences(operations, wanted);
    }
    const sections = { definitions, parameters };
    for (let reference = wanted.pop(); reference !== undefined; reference = wanted.pop()) {
      yield;
      const [section, name] = reference.split('/', 2) as [keyof typeof sections, string];
      const theirs = isObject(document[section]) ? document[section] : {};
      if (sections[section][name] !== undefined || theirs[name] === undefined) continue;
      sections[section][name] = theirs[name];
      collectReferences(theirs[name], wanted);
    }
  }
  return { ...own, paths, definitions, parameters };
}

/** `#/definitions/NAME`; names of shared parameters end with a hash of what they say. */
const sectioned = /^#\/((?:definitions|parameters)\/[^/]+)$/;

function collectReferences(value: unknown, into: string[], depth = 0): void {
  if (depth > 100) return;
  if (Array.isArray(value)) {
    for (const item of value) collectReferences(item, into, depth + 1);
  } else if (isObject(value)) {
    for (const [key, member] of Object.entries(value)) {
      const reference = key === '$ref' && typeof member === 'string' ? sectioned.exec(member)?.[1] : undefined;
      if (reference !== undefined) into.push(reference);
      else collectReferences(member, into, depth + 1);
    }
  }
}
