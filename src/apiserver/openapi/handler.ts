import { createHash } from 'node:crypto';
import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { pathNotFound } from '../../api/status.ts';
import type { Aggregation } from '../aggregation/index.ts';
import { mergeVersion2, type RemoteOpenApi, type RemoteOpenApis } from '../aggregation/remote-open-api.ts';
import { type Answer, objectAnswer } from '../answer.ts';
import { parseAccept } from '../http/negotiate.ts';
import type { ResourceRegistry } from '../registry.ts';
import type { RequestContext } from '../request-context.ts';
import { documentName, openApi2, openApi3 } from './documents.ts';
import { encodeOpenApi2 } from './encode-v2.ts';

/** Old kubectl asks for `spec.v2@v1.0+protobuf`; what is answered is a proper media type, as upstream. */
const protobuf2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** Bytes of documents: tenants with definitions of their own have documents of their own, a megabyte each. */
const keptBytes = 64 * 1024 * 1024;

/**
 * /openapi/v2 and /openapi/v3. Documents are built when first asked for and kept by what they describe: tenants with
 * the same resources share them. What a tenant's own API servers say of theirs is put beside it.
 */
export function createOpenApi(
  registry: ResourceRegistry,
  version: string,
  aggregation: Aggregation,
): (context: RequestContext) => Answer | Promise<Answer> {
  const built = new Map<string, Buffer>();
  let builtBytes = 0;
  const remember = (key: string, build: () => Buffer): Buffer => {
    const kept = built.get(key);
    const bytes = kept ?? build();
    if (kept === undefined) builtBytes += bytes.byteLength;
    built.delete(key);
    built.set(key, bytes);
    // The least recently used goes: tenants' own definitions come and change.
    for (const [oldest, { byteLength }] of built) {
      if (builtBytes <= keptBytes || oldest === key) break;
      built.delete(oldest);
      builtBytes -= byteLength;
    }
    return bytes;
  };

  function version2(context: RequestContext, definitions: ResourceDefinition[], remotes: RemoteDocuments[]): Answer {
    const asProtobuf = wantsProtobuf(context.accept);
    const theirs = remotes.map(({ etag, services }) => [etag, ...services.map(({ metadata }) => metadata.uid)].join());
    const scope = theirs.length === 0 ? '' : `${context.tenant}/${theirs.join('/')}/`;
    const key = `2/${asProtobuf}/${scope}${hashOf(definitions, version)}`;
    const contentType = asProtobuf ? protobuf2 : 'application/json';
    const etag = `"${createHash('sha256').update(key).digest('hex').slice(0, 32).toUpperCase()}"`;
    if (isKnown(context, etag)) return unchanged(contentType, etag);
    const bytes = remember(key, () => {
      const own = openApi2(definitions, version);
      const encode = (document: object) =>
        asProtobuf ? encodeOpenApi2(document) : Buffer.from(JSON.stringify(document));
      if (remotes.length === 0) return encode(own);
      try {
        return encode(mergeVersion2(own, remotes));
      } catch {
        // What another server says need not have the form that it should have.
        return encode(own);
      }
    });
    return { type: 'bytes', code: 200, contentType, bytes, headers: { etag } };
  }

  function list3(groups: Map<string, ResourceDefinition[]>, remotes: RemoteDocuments[]): Answer {
    const paths: Record<string, object> = {};
    for (const [name, list] of groups) {
      paths[name] = { serverRelativeURL: `/openapi/v3/${name}?hash=${hashOf(list, version)}` };
    }
    for (const { services, document } of remotes) {
      for (const { spec } of services) {
        const name = `apis/${spec.group}/${spec.version}`;
        const url: unknown = document['paths']?.[name]?.serverRelativeURL;
        if (paths[name] !== undefined || typeof url !== 'string') continue;
        // Only its hash is the server's to say: the rest of the address is ours.
        const hash = /[?&]hash=([\w-]+)/.exec(url)?.[1];
        paths[name] = { serverRelativeURL: `/openapi/v3/${name}${hash === undefined ? '' : `?hash=${hash}`}` };
      }
    }
    return objectAnswer({ paths });
  }

  return (context) => {
    const { path } = context.info;
    const definitions = registry.definitions(context.tenant);
    const registered = aggregation.remotes(context.tenant);
    const withRemotes = (which: 'version2' | 'version3', answer: (remotes: RemoteDocuments[]) => Answer) =>
      registered.length === 0
        ? answer([])
        : remoteDocuments(aggregation.openApi, context.tenant, registered, which).then(answer);
    if (path === '/openapi/v2') return withRemotes('version2', (remotes) => version2(context, definitions, remotes));
    const groups = Map.groupBy(definitions, documentName);
    if (path === '/openapi/v3' || path === '/openapi/v3/') {
      return withRemotes('version3', (remotes) => list3(groups, remotes));
    }
    const name = path.slice('/openapi/v3/'.length);
    const list = groups.get(name);
    if (path.startsWith('/openapi/v3/') && list === undefined) {
      const remote = registered.find(({ spec }) => name === `apis/${spec.group}/${spec.version}`);
      if (remote !== undefined) return aggregation.pass(context, remote);
    }
    if (!path.startsWith('/openapi/v3/') || list === undefined) throw pathNotFound();
    const hash = hashOf(list, version);
    const etag = `"${hash.toUpperCase()}"`;
    if (isKnown(context, etag)) return unchanged('application/json', etag);
    const bytes = remember(`3/${name}/${hash}`, () => Buffer.from(JSON.stringify(openApi3(list, version))));
    // The address holds a hash of the content: it may be kept.
    const headers: Record<string, string> = { etag };
    if (context.query.get('hash') === hash) headers['cache-control'] = 'public, immutable';
    return { type: 'bytes', code: 200, contentType: 'application/json', bytes, headers };
  };
}

interface RemoteDocuments extends RemoteOpenApi {
  /** The APIServices that the server stands behind. */
  services: APIService[];
}

/** Each server is asked once, however many groups it serves. */
async function remoteDocuments(
  openApi: RemoteOpenApis,
  tenant: string,
  registered: APIService[],
  which: 'version2' | 'version3',
): Promise<RemoteDocuments[]> {
  const servers = Map.groupBy(registered, ({ spec }) => JSON.stringify(spec.service));
  const answers = [...servers.values()].slice(0, serversAsked).map(async (services) => {
    const content = await openApi[which](tenant, services[0]!);
    return content === undefined ? [] : [{ ...content, services }];
  });
  return (await Promise.all(answers)).flat();
}

const serversAsked = 16;

function wantsProtobuf(accept: string): boolean {
  for (const { type } of parseAccept(accept)) {
    if (type === 'application/json' || type === '*/*') return false;
    if (type.startsWith('application/com.github.proto-openapi.spec.v2')) return true;
  }
  return false;
}

/** The client has the document already. */
function isKnown({ headers }: RequestContext, etag: string): boolean {
  const asked = String(headers['if-none-match'] ?? '');
  return asked.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
}

const unchanged = (contentType: string, etag: string): Answer => ({
  type: 'bytes',
  code: 304,
  contentType,
  bytes: '',
  headers: { etag },
});

const hashes = new WeakMap<ResourceDefinition, string>();

/** Definitions don't change: which ones there are tells the document, to every process alike. */
function hashOf(definitions: ResourceDefinition[], version: string): string {
  const hash = createHash('sha256').update(version);
  for (const definition of definitions) {
    let own = hashes.get(definition);
    if (own === undefined) {
      const { group, version: ofGroup, resource, kind, listKind, namespaced, verbs, subresources, schema } = definition;
      const parts = [group, ofGroup, resource, kind, listKind, namespaced, verbs, subresources, schema.structural];
      own = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
      hashes.set(definition, own);
    }
    hash.update(own);
  }
  return hash.digest('hex').slice(0, 32);
}
