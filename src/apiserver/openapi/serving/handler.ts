import type { APIService } from '../../../api/generated/apiregistration-v1.ts';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import { pageNotFound } from '../../../api/status.ts';
import { runInTurns, type Steps } from '../../../base/steps.ts';
import type { Aggregation } from '../../aggregation/index.ts';
import {
  mergeVersion2,
  parsedOpenApi,
  type RemoteOpenApi,
  type RemoteOpenApis,
} from '../../aggregation/remote-open-api.ts';
import type { Answer } from '../../answer.ts';
import { parseAccept } from '../../http/negotiate.ts';
import { paceOf } from '../../pace.ts';
import type { ResourceRegistry } from '../../registry.ts';
import type { RequestContext } from '../../request-context.ts';
import type { DocumentSource } from '../documents-of.ts';
import { KeptBytes } from './kept-bytes.ts';
import { serveContent } from './serve-content.ts';

/** Older clients ask for `spec.v2@v1.0+protobuf`; what is answered is a proper media type, as upstream. */
const protobufType = (version: 2 | 3) => `application/com.github.proto-openapi.spec.v${version}.v1.0+protobuf`;

/** Bytes of documents: tenants with definitions of their own have documents of their own, a megabyte each. */
const keptBytes = 64 * 1024 * 1024;

const root3 = '/openapi/v3/';

/**
 * /openapi/v2 and /openapi/v3. Documents are made when first asked for and kept by what they describe: tenants with
 * the same resources share them. What a tenant's own API servers say of theirs is put beside it. Source: kube-openapi's
 * handlers, kube-aggregator's.
 *
 * @param gitVersion `v1.36.0`
 */
export function createOpenApi(
  registry: ResourceRegistry,
  gitVersion: string,
  aggregation: Aggregation,
): (context: RequestContext) => Promise<Answer> {
  const kept = new KeptBytes(keptBytes);
  const version = gitVersion.replace(/^v(\d+\.\d+).*$/, '$1');

  async function version2(
    context: RequestContext,
    definitions: ResourceDefinition[],
    remotes: RemoteDocuments[],
  ): Promise<Answer> {
    const { openApi2, encodeOpenApi2, fingerprint, jsonOf } = await import('../makers.ts');
    const inTurns = turnsOf(context);
    const headers = { vary: 'Accept-Encoding, Accept' };
    const form = formOf(context.accept, 2);
    if (form === undefined) return nothing(406, headers);
    const theirs = remotes.flatMap(({ etag, services }) => [etag, ...services.map(({ metadata }) => metadata.uid!)]);
    const hash = await inTurns(
      fingerprint(definitions, version, ...(theirs.length === 0 ? [] : [context.tenant, ...theirs])),
    );
    const { bytes, madeMs } = await kept.get(`2/${form}/${hash}`, async () => {
      const own = await inTurns(openApi2(definitions, version));
      const encode = (document: object) => inTurns(form === 'protobuf' ? encodeOpenApi2(document) : jsonOf(document));
      if (remotes.length === 0) return encode(own);
      try {
        return await encode(await inTurns(mergeVersion2(own, remotes)));
      } catch {
        // What another server says need not have the form that it should have.
        return encode(own);
      }
    });
    const contentType = form === 'protobuf' ? protobufType(2) : 'application/json';
    return serveContent(context, { contentType, bytes, etag: `"${hash}"`, modifiedMs: madeMs }, headers);
  }

  function list3(context: RequestContext, sources: Map<string, DocumentSource>, remotes: RemoteDocuments[]): Answer {
    const paths: Record<string, object> = {};
    for (const [name, { hash }] of sources) paths[name] = { serverRelativeURL: `${root3}${name}?hash=${hash}` };
    for (const remote of remotes) {
      const document = parsedOpenApi(remote);
      for (const { spec } of remote.services) {
        const name = `apis/${spec.group}/${spec.version}`;
        const url: unknown = document['paths']?.[name]?.serverRelativeURL;
        if (paths[name] !== undefined || typeof url !== 'string') continue;
        // Only its hash is the server's to say: the rest of the address is ours.
        const hash = /[?&]hash=([\w-]+)/.exec(url)?.[1];
        paths[name] = { serverRelativeURL: `${root3}${name}${hash === undefined ? '' : `?hash=${hash}`}` };
      }
    }
    // As upstream, which says neither what it is nor when it changed.
    const bytes = Buffer.from(JSON.stringify({ paths }));
    return serveContent(context, { contentType: 'text/plain; charset=utf-8', bytes, modifiedMs: Date.now() });
  }

  async function document3(context: RequestContext, name: string, { hash, make }: DocumentSource): Promise<Answer> {
    const { encodeOpenApi3, jsonOf } = await import('../makers.ts');
    const inTurns = turnsOf(context);
    const headers: Record<string, string> = { vary: 'Accept' };
    const form = formOf(context.accept, 3);
    if (form === undefined) return nothing(406, headers);
    const contentType = form === 'protobuf' ? protobufType(3) : 'application/json';
    const etag = `"${hash}"`;
    const asked = context.query.get('hash') ?? '';
    if (asked !== '' && asked !== hash) {
      const { tenantPrefix } = context.info;
      const prefix = tenantPrefix === undefined ? '' : `/clusters/${tenantPrefix}`;
      const location = `${prefix}${root3}${name}?hash=${hash}`;
      return { type: 'bytes', code: 301, contentType, bytes: '', headers: { ...headers, etag, location } };
    }
    if (asked !== '') {
      // The address holds the hash: what is there never changes.
      headers['cache-control'] = 'public, immutable';
      headers['expires'] = inOneYear();
    }
    const { bytes, madeMs } = await kept.get(`3/${form}/${hash}`, async () => {
      const document = await inTurns(make());
      return inTurns(form === 'protobuf' ? encodeOpenApi3(document) : jsonOf(document));
    });
    return serveContent(context, { contentType, bytes, etag, modifiedMs: madeMs }, headers);
  }

  return async (context) => {
    const { path } = context.info;
    if (path !== '/openapi/v2' && path !== '/openapi/v3' && !path.startsWith(root3)) throw pageNotFound();
    const definitions = registry.definitions(context.tenant);
    const registered = aggregation.remotes(context.tenant);
    const remotes = async (which: 'version2' | 'version3') =>
      registered.length === 0 ? [] : remoteDocuments(aggregation.openApi, context.tenant, registered, which);
    if (path === '/openapi/v2') return version2(context, definitions, await remotes('version2'));
    const { documentsOf } = await import('../makers.ts');
    const sources = await turnsOf(context)(documentsOf(definitions, version));
    if (path === '/openapi/v3') return list3(context, sources, await remotes('version3'));
    const name = path.slice(root3.length);
    const source = sources.get(name);
    if (source !== undefined) return document3(context, name, source);
    const remote = registered.find(({ spec }) => name === `apis/${spec.group}/${spec.version}`);
    return remote === undefined ? nothing(404) : aggregation.pass(context, remote);
  };
}

/** Documents of large definitions take long: others have their turns meanwhile. */
const turnsOf =
  (context: RequestContext) =>
  <T>(steps: Steps<T>) =>
    runInTurns(steps, paceOf(context));

const nothing = (code: number, headers: Record<string, string> = {}): Answer => ({
  type: 'bytes',
  code,
  bytes: '',
  headers,
});

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
  let bytes = 0;
  return (await Promise.all(answers)).flat().filter((one) => {
    bytes += one.bytes.byteLength;
    return bytes <= bytesMerged;
  });
}

/** Of one tenant; what is more stays out of its documents. */
const serversAsked = 16;
const bytesMerged = 8 * 1024 * 1024;

/** The form asked for first among those that there are. */
function formOf(accept: string, version: 2 | 3): 'json' | 'protobuf' | undefined {
  if (accept === '') return 'json';
  for (const { type } of parseAccept(accept)) {
    if (type === 'application/json' || type === '*/*' || type === 'application/*') return 'json';
    if (type === protobufType(version) || type === protobufType(version).replace('.v1.0', '@v1.0')) return 'protobuf';
  }
  return undefined;
}

/** As Go writes it, where HTTP would say GMT. */
function inOneYear(): string {
  const date = new Date();
  date.setUTCFullYear(date.getUTCFullYear() + 1);
  return date.toUTCString().replace('GMT', 'UTC');
}
