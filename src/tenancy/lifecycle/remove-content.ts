import type { GroupVersionResource, KubeObject } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { isNotFound, StatusError } from '../../api/status.ts';
import type { Client } from '../../client/client.ts';

/** What emptying a tenant must know of each resource; a ResourceDefinition will do. */
export type TenantResource = Pick<ResourceDefinition, 'group' | 'version' | 'resource' | 'verbs'>;

/** So long an object may be held by finalizers: whoever was to remove them runs in the tenant, and that is being emptied. */
const FINALIZER_PATIENCE_MS = 60_000;
const PARALLEL_DELETIONS = 32;

/**
 * One version of every resource that holds objects of its own: webhooks and policies first, and workloads before the pods
 * they would write again.
 */
export function removable(resources: readonly TenantResource[]): TenantResource[] {
  const seen = new Map<string, TenantResource>();
  for (const resource of resources) {
    if (!resource.verbs.includes('list') || !resource.verbs.includes('delete')) continue;
    // The same objects as the core group's.
    if (resource.group === 'events.k8s.io') continue;
    const key = `${resource.group}/${resource.resource}`;
    if (!seen.has(key) || resource.version === 'v1') seen.set(key, resource);
  }
  const order = ({ group, resource }: GroupVersionResource) => {
    // They may forbid every other deletion; nobody is asked about theirs.
    if (group === 'admissionregistration.k8s.io') return -1;
    if (group === 'apps' || group === 'batch' || resource === 'replicationcontrollers') return 0;
    if (group === '' && resource === 'pods') return 1;
    return group === '' && resource === 'namespaces' ? 3 : 2;
  };
  return [...seen.values()].sort((a, b) => order(a) - order(b));
}

/**
 * Deletes every object of the tenant once.
 * @returns how many are still there: held by finalizers, or stopping within their grace.
 */
export async function removeContent(
  client: Client,
  tenant: string,
  resources: readonly TenantResource[],
  nowMs: number,
): Promise<number> {
  let left = 0;
  for (const resource of resources) left += await removeAll(client, tenant, resource, nowMs);
  return left;
}

async function removeAll(client: Client, tenant: string, resource: TenantResource, nowMs: number): Promise<number> {
  let items: KubeObject[];
  try {
    items = (await client.resource(tenant, resource).list()).items.filter((object) => !isShared(object));
  } catch (error) {
    // Not served (any more), so nothing is there.
    if (error instanceof StatusError && (error.code === 404 || error.code === 405)) return 0;
    throw error;
  }
  let left = 0;
  let next = 0;
  const work = async () => {
    for (let object = items[next++]; object !== undefined; object = items[next++]) {
      if (!(await removeOne(client, tenant, resource, object, nowMs))) left++;
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_DELETIONS, items.length) }, work));
  return left;
}

/** Whether it is gone. */
async function removeOne(
  client: Client,
  tenant: string,
  resource: TenantResource,
  object: KubeObject,
  nowMs: number,
): Promise<boolean> {
  const { name, namespace, uid, deletionTimestamp, finalizers = [] } = object.metadata;
  const objects = client.resource(tenant, resource, namespace);
  try {
    if (deletionTimestamp === undefined) {
      const answer = await objects.delete(name, { propagationPolicy: 'Background', preconditions: { uid } });
      // A deletion that takes time answers with the object as it stays.
      return answer.kind === 'Status' || answer.metadata.deletionTimestamp === undefined;
    }
    if (finalizers.length > 0 && nowMs - Date.parse(deletionTimestamp) > FINALIZER_PATIENCE_MS) {
      await objects.patch(name, 'merge', { metadata: { uid, finalizers: null } });
    }
    return false;
  } catch (error) {
    if (isNotFound(error)) return true;
    // `default` and its like may not be deleted and go with their tenant.
    if (error instanceof StatusError && error.code === 403 && resource.resource === 'namespaces') return true;
    if (error instanceof StatusError && error.code === 409) return false;
    throw error;
  }
}

/** Objects of the API server's shared layer are stored nowhere and go with the Tenant; their uids are derived: version 8. */
const isShared = ({ metadata }: KubeObject): boolean => metadata.uid[14] === '8';
