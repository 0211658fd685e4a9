import type { GroupResource } from '../../api/object.ts';

/** `/<group or "core">/<resource>/`: the range of one resource over all tenants. */
export function resourcePrefix(resource: GroupResource): string {
  return `/${resource.group === '' ? 'core' : resource.group}/${resource.resource}/`;
}

/** The range of one tenant, or of one namespace of it. */
export function scopePrefix(resource: GroupResource, tenant: string, namespace?: string): string {
  const prefix = `${resourcePrefix(resource)}${tenant}/`;
  return namespace === undefined || namespace === '' ? prefix : `${prefix}${namespace}/`;
}

/** `namespace` is '' for cluster-scoped objects. */
export function storeKey(resource: GroupResource, tenant: string, namespace: string, name: string): string {
  return `${scopePrefix(resource, tenant, namespace)}${name}`;
}

/** The part of a key after `resourcePrefix`, taken apart: `tenant[/namespace]/name`. */
export function parseKey(prefixLength: number, key: string): { tenant: string; namespace: string; name: string } {
  const first = key.indexOf('/', prefixLength);
  const second = key.indexOf('/', first + 1);
  const tenant = key.slice(prefixLength, first);
  return second < 0
    ? { tenant, namespace: '', name: key.slice(first + 1) }
    : { tenant, namespace: key.slice(first + 1, second), name: key.slice(second + 1) };
}
