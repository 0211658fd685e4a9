import type { ResourceDefinition } from '../../api/resource-definition.ts';

/** What the namespace controller and the garbage collector must know of each resource; a ResourceDefinition will do. */
export type ResourceInfo = Pick<ResourceDefinition, 'group' | 'version' | 'resource' | 'kind' | 'namespaced' | 'verbs'>;

const canAll = (resource: ResourceInfo, ...verbs: string[]): boolean =>
  verbs.every((verb) => resource.verbs.includes(verb));

/** One version of each resource: the same objects show under all of them. */
function oncePerResource(resources: ResourceInfo[]): ResourceInfo[] {
  const seen = new Map<string, ResourceInfo>();
  for (const resource of resources) {
    const key = `${resource.group}/${resource.resource}`;
    const known = seen.get(key);
    if (known === undefined || (known.version !== 'v1' && resource.version === 'v1')) seen.set(key, resource);
  }
  return [...seen.values()];
}

// Events live in two groups and are one thing; they own nothing and are owned by nothing.
const isEventsGroup = (resource: ResourceInfo): boolean =>
  resource.resource === 'events' && resource.group === 'events.k8s.io';

export function deletableInNamespaces(resources: ResourceInfo[]): ResourceInfo[] {
  return oncePerResource(
    resources.filter(
      (resource) => resource.namespaced && canAll(resource, 'delete', 'list') && !isEventsGroup(resource),
    ),
  );
}

export function garbageCollectable(resources: ResourceInfo[]): ResourceInfo[] {
  return oncePerResource(
    resources.filter((resource) => canAll(resource, 'delete', 'list', 'watch') && resource.resource !== 'events'),
  );
}
