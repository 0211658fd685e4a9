import { notAcceptable, pathNotFound, StatusError } from '../../api/status.ts';
import type { Aggregation } from '../aggregation/index.ts';
import { type Answer, objectAnswer } from '../answer.ts';
import { parseAccept } from '../http/negotiate.ts';
import { PROTOBUF } from '../protobuf/encode-protobuf.ts';
import type { ResourceRegistry } from '../registry.ts';
import type { RequestContext } from '../request-context.ts';
import {
  type ApiGroup,
  aggregatedDocument,
  apiVersionsDocument,
  groupDocument,
  groupListDocument,
  groupsOf,
  resourceListDocument,
} from './documents.ts';
import { idOf, KeptDocuments } from './kept-documents.ts';

/** Answers /api and /apis and what is below them without naming a resource. */
export function createDiscovery(
  registry: ResourceRegistry,
  aggregation: Aggregation,
): (context: RequestContext) => Answer {
  const documents = new KeptDocuments();
  return (context) => {
    if (context.method !== 'GET' && context.method !== 'HEAD') {
      throw new StatusError(
        405,
        'MethodNotAllowed',
        'the server does not allow this method on the requested resource',
        {},
      );
    }
    const segments = context.info.path.split('/').filter((segment) => segment !== '');
    const { tenant } = context;
    const definitions = registry.definitions(tenant);
    const registered = [...aggregation.registered(tenant)];
    const remotes = aggregation.remoteVersions(tenant);
    if (segments.length === 1) {
      const aggregated = aggregatedVersion(context.accept);
      const root = segments[0]!;
      if (aggregated !== undefined) {
        const parts = [
          root,
          aggregated,
          definitions.map(idOf),
          registered.map(({ metadata, spec }) => [metadata.name, spec?.groupPriorityMinimum, spec?.versionPriority]),
          remotes.map(({ group, version, resources, isStale }) => [group, version, idOf(resources), isStale]),
        ];
        const { bytes, etag } = documents.get(JSON.stringify(parts), () => {
          const groups = groupsOf(definitions, registered, remotes);
          const shown = groups.filter((group) => (group.name === '') === (root === 'api'));
          return aggregatedDocument(shown, aggregated);
        });
        const contentType = `application/json;g=apidiscovery.k8s.io;v=${aggregated};as=APIGroupDiscoveryList`;
        const headers = { vary: 'Accept', etag };
        return context.headers['if-none-match'] === etag
          ? { type: 'bytes', code: 304, contentType, bytes: '', headers }
          : { type: 'bytes', code: 200, contentType, bytes, headers };
      }
    }
    const groups = groupsOf(definitions, registered, remotes);
    if (segments.length === 1) {
      const root = segments[0]!;
      return objectAnswer(root === 'api' ? apiVersionsDocument() : groupListDocument(groups));
    }
    if (segments[0] === 'api') return versionAnswer(groups, '', segments[1]!);
    const group = groups.find((candidate) => candidate.name === segments[1]);
    if (group === undefined || group.name === '') throw pathNotFound();
    return segments.length === 2
      ? objectAnswer(groupDocument(group, true))
      : versionAnswer(groups, group.name, segments[2]!);
  };
}

function versionAnswer(groups: ApiGroup[], groupName: string, versionName: string): Answer {
  const group = groups.find((candidate) => candidate.name === groupName);
  const version = group?.versions.find((candidate) => candidate.version === versionName);
  if (version === undefined) throw pathNotFound();
  return objectAnswer(resourceListDocument(groupName, version));
}

/** The aggregated form, when the client puts it before plain JSON; undefined for the plain one. */
function aggregatedVersion(accept: string): 'v2' | 'v2beta1' | undefined {
  if (accept === '') return undefined;
  for (const { type, parameters } of parseAccept(accept)) {
    if (type === '*/*' || type === 'application/*') return undefined;
    const { as, g, v } = parameters;
    if (type === PROTOBUF && as === undefined) return undefined;
    if (type !== 'application/json') continue;
    if (as === undefined) return undefined;
    if (as === 'APIGroupDiscoveryList' && g === 'apidiscovery.k8s.io' && (v === 'v2' || v === 'v2beta1')) return v;
  }
  throw notAcceptable('only the following media types are accepted: application/json');
}
