import { pageNotFound, pathNotFound } from '../../api/status.ts';
import type { Aggregation } from '../aggregation/index.ts';
import { type Answer, objectAnswer } from '../answer.ts';
import { checkPlain, checkRoute, parseAccept } from '../http/negotiate.ts';
import { PROTOBUF } from '../protobuf/encode-protobuf.ts';
import type { ResourceRegistry } from '../registry.ts';
import type { RequestContext } from '../request-context.ts';
import { methodNotAllowedHere } from '../verbs/scope.ts';
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
  serverAddress: string,
): (context: RequestContext) => Answer {
  const documents = new KeptDocuments();
  return (context) => {
    const segments = context.info.path.split('/').filter((segment) => segment !== '');
    const { tenant } = context;
    // As upstream: lists of groups and custom resources ask for no method, built-in versions have one route each.
    const isRouted = segments[0] === 'api' || (segments.length > 2 && registry.hasBuiltinGroup(tenant, segments[1]!));
    if (isRouted && context.method !== 'GET') throw methodNotAllowedHere();
    const definitions = registry.definitions(tenant);
    const registered = [...aggregation.registered(tenant)];
    const remotes = aggregation.remoteVersions(tenant);
    if (segments.length === 1) {
      const root = segments[0]!;
      const form = aggregatedForm(context.accept);
      if (form !== undefined) {
        const parts = [
          root,
          definitions.map(idOf),
          registered.map(({ metadata, spec }) => [metadata.name, spec?.groupPriorityMinimum, spec?.versionPriority]),
          remotes.map(({ group, version, resources, isStale }) => [group, version, idOf(resources), isStale]),
        ];
        const { bytes, protobuf, etag } = documents.get(JSON.stringify(parts), () => {
          const groups = groupsOf(definitions, registered, remotes);
          const shown = groups.filter((group) => (group.name === '') === (root === 'api'));
          return aggregatedDocument(shown);
        });
        const contentType = `${form};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`;
        const headers = { vary: 'Accept', 'cache-control': 'public', etag };
        return context.headers['if-none-match'] === etag
          ? { type: 'bytes', code: 304, bytes: '', headers }
          : { type: 'bytes', code: 200, contentType, bytes: form === PROTOBUF ? protobuf() : bytes, headers };
      }
    }
    if (isRouted) checkRoute(context.accept);
    checkPlain(context.accept);
    const groups = groupsOf(definitions, registered, remotes);
    if (segments.length === 1) {
      const root = segments[0]!;
      return objectAnswer(root === 'api' ? apiVersionsDocument(serverAddress) : groupListDocument(groups));
    }
    if (segments[0] === 'api') return versionAnswer(groups, '', segments[1]!);
    const group = groups.find((candidate) => candidate.name === segments[1]);
    if (group === undefined || group.name === '') throw pageNotFound();
    return segments.length === 2
      ? objectAnswer(groupDocument(group, true))
      : versionAnswer(groups, group.name, segments[2]!);
  };
}

function versionAnswer(groups: ApiGroup[], groupName: string, versionName: string): Answer {
  const group = groups.find((candidate) => candidate.name === groupName);
  const version = group?.versions.find((candidate) => candidate.version === versionName);
  if (version === undefined) throw isBuiltin(group) ? pathNotFound() : pageNotFound();
  return objectAnswer(resourceListDocument(groupName, version));
}

/** As upstream: who serves a group of its own knows what is not there; of others' it knows nothing. */
const isBuiltin = (group: ApiGroup | undefined): boolean =>
  group?.versions.some(({ definitions }) => definitions.some(({ versioned }) => versioned === undefined)) === true;

const aggregatedForms = ['application/json', PROTOBUF];

/** What the aggregated form is asked for in, when the client puts that before a plain one. */
function aggregatedForm(accept: string): string | undefined {
  if (accept === '') return undefined;
  for (const { type, parameters } of parseAccept(accept)) {
    if (type === '*/*' || type === 'application/*') return undefined;
    if (!aggregatedForms.includes(type)) continue;
    const { as, g, v } = parameters;
    if (as === undefined) return undefined;
    if (as === 'APIGroupDiscoveryList' && g === 'apidiscovery.k8s.io' && v === 'v2') return type;
  }
  return undefined;
}
