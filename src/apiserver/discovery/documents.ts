import { createHash } from 'node:crypto';
import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import type { GroupVersionKind } from '../../api/object.ts';
import type { ResourceDefinition, SubresourceDefinition } from '../../api/resource-definition.ts';
import { apiServiceName, type Priorities, prioritiesOf } from '../aggregation/api-service.ts';
import type { RemoteVersion } from '../aggregation/discovered.ts';

/** The discovery documents of a set of resources. Source: meta/v1 APIGroup, APIResourceList. */
export interface ApiGroup {
  name: string;
  /** Preferred first. */
  versions: ApiVersion[];
}

export interface ApiVersion {
  version: string;
  definitions: ResourceDefinition[];
  /** Served by a server of the tenant's. */
  remote?: RemoteVersion;
}

/**
 * Groups and versions in the order of their priorities, in which kubectl looks for a short name: what an APIService says,
 * else upstream's own numbers. Source: kube-aggregator's SortedByGroupAndVersion.
 */
export function groupsOf(
  definitions: ResourceDefinition[],
  registered: Iterable<APIService> = [],
  remotes: RemoteVersion[] = [],
): ApiGroup[] {
  const groups = new Map<string, Map<string, ApiVersion>>();
  const versionOf = (group: string, version: string): ApiVersion => {
    const versions = groups.get(group) ?? new Map<string, ApiVersion>();
    groups.set(group, versions);
    const known = versions.get(version) ?? { version, definitions: [] };
    versions.set(version, known);
    return known;
  };
  for (const definition of definitions) versionOf(definition.group, definition.version).definitions.push(definition);
  for (const remote of remotes) {
    const version = versionOf(remote.group, remote.version);
    version.remote = remote;
    version.definitions = [];
  }
  const stated = new Map<string, Priorities>();
  for (const { spec, metadata } of registered) {
    if (spec) stated.set(metadata.name, { group: spec.groupPriorityMinimum, version: spec.versionPriority });
  }
  const priorities = (group: string, version: string) =>
    stated.get(apiServiceName(group, version)) ?? prioritiesOf(group, version);
  return [...groups]
    .map(([name, versions]) => ({
      name,
      priority: Math.max(...[...versions.keys()].map((version) => priorities(name, version).group)),
      versions: [...versions.values()].sort(
        (a, b) =>
          priorities(name, b.version).version - priorities(name, a.version).version ||
          compareVersions(a.version, b.version),
      ),
    }))
    .map((group) => {
      for (const { definitions: list } of group.versions) list.sort((a, b) => (a.resource < b.resource ? -1 : 1));
      return group;
    })
    .sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1));
}

/** v2 before v1 before v1beta2: as apimachinery's CompareKubeAwareVersionStrings. */
export function compareVersions(a: string, b: string): number {
  const parse = (version: string) => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
    if (match === null) return undefined;
    return [match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0, Number(match[1]), Number(match[3] ?? 0)];
  };
  const left = parse(a);
  const right = parse(b);
  if (left === undefined || right === undefined) return left === right ? (a < b ? -1 : 1) : left === undefined ? 1 : -1;
  for (let index = 0; index < 3; index++) if (left[index] !== right[index]) return right[index]! - left[index]!;
  return 0;
}

const gv = (group: string, version: string) => (group === '' ? version : `${group}/${version}`);

/** @param serverAddress `10.0.0.1:6443` */
export function apiVersionsDocument(serverAddress: string): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  };
}

export function groupDocument(group: ApiGroup, withKind: boolean): object {
  const versions = group.versions.map(({ version }) => ({ groupVersion: gv(group.name, version), version }));
  return {
    ...(withKind && { kind: 'APIGroup', apiVersion: 'v1' }),
    name: group.name,
    versions,
    preferredVersion: versions[0],
  };
}

export function groupListDocument(groups: ApiGroup[]): object {
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.filter((group) => group.name !== '').map((group) => groupDocument(group, false)),
  };
}

export function resourceListDocument(group: string, { version, definitions }: ApiVersion): object {
  return {
    kind: 'APIResourceList',
    ...(group !== '' && { apiVersion: 'v1' }),
    groupVersion: gv(group, version),
    resources: definitions.flatMap((definition) => [
      {
        name: definition.resource,
        singularName: definition.singular,
        namespaced: definition.namespaced,
        kind: definition.kind,
        verbs: definition.verbs,
        ...(definition.shortNames.length > 0 && { shortNames: definition.shortNames }),
        ...(definition.categories.length > 0 && { categories: definition.categories }),
        ...(isStored(definition) && { storageVersionHash: storageVersionHash(definition) }),
      },
      ...definition.subresources.map((subresource) => ({
        name: `${definition.resource}/${subresource.name}`,
        singularName: '',
        namespaced: definition.namespaced,
        ...(subresource.kind !== undefined && {
          ...(subresource.kind.group !== definition.group && { group: subresource.kind.group }),
          ...((subresource.kind.group !== definition.group || subresource.kind.version !== definition.version) && {
            version: subresource.kind.version,
          }),
        }),
        kind: subresource.kind?.kind ?? definition.kind,
        verbs: subresource.verbs,
      })),
    ]),
  };
}

/** Reviews, bindings and the like can only be posted or made up. */
const isStored = ({ verbs }: ResourceDefinition) => verbs.includes('watch');

/** Tells when what is stored changes its version. Source: apiserver's discovery.StorageVersionHash. */
function storageVersionHash({ group, version, kind, storedAs, versioned }: ResourceDefinition): string {
  const stored =
    versioned?.storedApiVersion ??
    (storedAs === undefined ? `${group}/${version}` : `${storedAs.group}/${storedAs.version}`);
  return createHash('sha256').update(`${stored}/${kind}`).digest().subarray(0, 8).toString('base64');
}

/** apidiscovery.k8s.io/v2: everything in one document. Source: KEP-3352. */
export function aggregatedDocument(groups: ApiGroup[]): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map((group) => ({
      metadata: { ...(group.name !== '' && { name: group.name }) },
      versions: group.versions.map((apiVersion) => ({
        version: apiVersion.version,
        freshness: apiVersion.remote?.isStale === true ? 'Stale' : 'Current',
        resources:
          apiVersion.remote?.resources ??
          apiVersion.definitions.map((definition) => ({
            resource: definition.resource,
            responseKind: responseKind(definition, definition),
            scope: definition.namespaced ? 'Namespaced' : 'Cluster',
            singularResource: definition.singular,
            verbs: definition.verbs,
            ...(definition.shortNames.length > 0 && { shortNames: definition.shortNames }),
            ...(definition.categories.length > 0 && { categories: definition.categories }),
            ...(definition.subresources.length > 0 && {
              subresources: definition.subresources.map((subresource) => subresourceDocument(definition, subresource)),
            }),
          })),
      })),
    })),
  };
}

function subresourceDocument(definition: ResourceDefinition, subresource: SubresourceDefinition): object {
  return {
    subresource: subresource.name,
    responseKind: responseKind(definition, subresource.kind ?? definition),
    verbs: subresource.verbs,
  };
}

/** Of built-in resources only what is not theirs is said, as upstream. */
function responseKind(definition: ResourceDefinition, { group, version, kind }: GroupVersionKind): GroupVersionKind {
  const isOwn = group === definition.group && version === definition.version;
  return isOwn && definition.versioned === undefined ? { group: '', version: '', kind } : { group, version, kind };
}
