import type { ResourceDefinition, SubresourceDefinition } from '../../api/resource-definition.ts';

/** The discovery documents of a set of resources. Source: meta/v1 APIGroup, APIResourceList. */
export interface ApiGroup {
  name: string;
  /** Preferred first. */
  versions: ApiVersion[];
}
export interface ApiVersion {
  version: string;
  definitions: ResourceDefinition[];
}

/** Groups in the order kubectl should look for a short name in: the core group, then Kubernetes', then others. */
export function groupsOf(definitions: ResourceDefinition[]): ApiGroup[] {
  const groups = new Map<string, Map<string, ResourceDefinition[]>>();
  for (const definition of definitions) {
    const versions = groups.get(definition.group) ?? new Map<string, ResourceDefinition[]>();
    groups.set(definition.group, versions);
    const list = versions.get(definition.version) ?? [];
    versions.set(definition.version, list);
    list.push(definition);
  }
  return [...groups]
    .map(([name, versions]) => ({
      name,
      versions: [...versions]
        .map(([version, list]) => ({
          version,
          definitions: list.sort((a, b) => (a.resource < b.resource ? -1 : 1)),
        }))
        .sort((a, b) => compareVersions(a.version, b.version)),
    }))
    .sort((a, b) => groupRank(a.name) - groupRank(b.name));
}

/** As kube-aggregator's priorities: groups a plain word is looked up in first. */
const groupOrder = [
  '',
  'apiregistration.k8s.io',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'apps',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'resource.k8s.io',
  'flowcontrol.apiserver.k8s.io',
];
function groupRank(name: string): number {
  const rank = groupOrder.indexOf(name);
  return rank < 0 ? groupOrder.length : rank;
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

export function apiVersionsDocument(): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [],
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

/** apidiscovery.k8s.io/v2: everything in one document. Source: KEP-3352. */
export function aggregatedDocument(groups: ApiGroup[], version: 'v2' | 'v2beta1'): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: { ...(group.name !== '' && { name: group.name }), creationTimestamp: null },
      versions: group.versions.map((apiVersion) => ({
        version: apiVersion.version,
        freshness: 'Current',
        resources: apiVersion.definitions.map((definition) => ({
          resource: definition.resource,
          responseKind: kindOf(definition),
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
    responseKind: kindOf(subresource.kind ?? definition),
    verbs: subresource.verbs,
  };
}

const kindOf = ({ group, version, kind }: { group: string; version: string; kind: string }) => ({
  group,
  version,
  kind,
});
