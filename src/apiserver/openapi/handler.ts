import { createHash } from 'node:crypto';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { pathNotFound } from '../../api/status.ts';
import { type Answer, objectAnswer } from '../answer.ts';
import { parseAccept } from '../http/negotiate.ts';
import type { ResourceRegistry } from '../registry.ts';
import type { RequestContext } from '../request-context.ts';
import { documentName, openApi2, openApi3 } from './documents.ts';
import { encodeOpenApi2 } from './encode-v2.ts';

/** Old kubectl asks for `spec.v2@v1.0+protobuf`; what is answered is a proper media type, as upstream. */
const protobuf2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

const documentsKept = 128;

/**
 * /openapi/v2 and /openapi/v3. Documents are built when first asked for and kept by what they describe: tenants with
 * the same resources share them.
 */
export function createOpenApi(registry: ResourceRegistry, version: string): (context: RequestContext) => Answer {
  const built = new Map<string, Buffer>();
  const remember = (key: string, build: () => Buffer): Buffer => {
    let bytes = built.get(key);
    built.delete(key);
    bytes ??= build();
    // The least recently used goes: tenants' own definitions come and change.
    if (built.size >= documentsKept) built.delete(built.keys().next().value!);
    built.set(key, bytes);
    return bytes;
  };
  return (context) => {
    const { path } = context.info;
    const definitions = registry.definitions(context.tenant);
    const identity = hashOf(definitions, version);
    if (path === '/openapi/v2') {
      const asProtobuf = wantsProtobuf(context.accept);
      const bytes = remember(`2/${asProtobuf}/${identity}`, () => {
        const document = openApi2(definitions, version);
        return asProtobuf ? encodeOpenApi2(document) : Buffer.from(JSON.stringify(document));
      });
      return { type: 'bytes', code: 200, contentType: asProtobuf ? protobuf2 : 'application/json', bytes };
    }
    const groups = Map.groupBy(definitions, documentName);
    if (path === '/openapi/v3' || path === '/openapi/v3/') {
      const paths: Record<string, object> = {};
      for (const [name, list] of groups) {
        paths[name] = { serverRelativeURL: `/openapi/v3/${name}?hash=${hashOf(list, version)}` };
      }
      return objectAnswer({ paths });
    }
    const name = path.slice('/openapi/v3/'.length);
    const list = groups.get(name);
    if (!path.startsWith('/openapi/v3/') || list === undefined) throw pathNotFound();
    const bytes = remember(`3/${name}/${hashOf(list, version)}`, () =>
      Buffer.from(JSON.stringify(openApi3(list, version))),
    );
    // The address holds a hash of the content: it may be kept.
    const headers = context.query.get('hash') === null ? undefined : { 'cache-control': 'public, immutable' };
    return { type: 'bytes', code: 200, contentType: 'application/json', bytes, headers };
  };
}

function wantsProtobuf(accept: string): boolean {
  for (const { type } of parseAccept(accept)) {
    if (type === 'application/json' || type === '*/*') return false;
    if (type.startsWith('application/com.github.proto-openapi.spec.v2')) return true;
  }
  return false;
}

const hashes = new WeakMap<ResourceDefinition, string>();
let definitionsSeen = 0;

/** Definitions don't change: which ones there are tells the document. */
function hashOf(definitions: ResourceDefinition[], version: string): string {
  const hash = createHash('sha256').update(version);
  for (const definition of definitions) {
    let own = hashes.get(definition);
    if (own === undefined) {
      own = `${definitionsSeen++}/${definition.group}/${definition.version}/${definition.resource}`;
      hashes.set(definition, own);
    }
    hash.update(own);
  }
  return hash.digest('hex').slice(0, 32);
}
