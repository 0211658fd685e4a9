import { type ContainerInstance, TENANT_FINALIZER, type Tenant } from '../../api/pool.ts';
import { CONTAINER_INSTANCES, TENANTS } from '../../api/resources.ts';
import { isNotFound } from '../../api/status.ts';
import { type Client, SYSTEM_TENANT } from '../../client/client.ts';
import { type Controller, type ReconcileTools, watchOwn } from '../../client/controller.ts';
import { type InformerFactory, keyOf } from '../../client/informer.ts';
import { removable, removeContent, type TenantResource } from './remove-content.ts';

const BY_TENANT = 'tenancy/tenant';
/** Between two looks at a tenant that is being emptied. */
const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 1_000;

interface LifecycleOptions {
  informers: InformerFactory;
  client: Client;
  resources: readonly TenantResource[];
}

/**
 * A Tenant is Active as soon as it is there: its API needs nothing made. Deleted, everything in it is removed, its
 * instances end and are billed, and only then the Tenant goes. The ledger stays.
 */
export function lifecycleController({ informers, client, resources }: LifecycleOptions): Controller {
  const tenants = informers.informer<Tenant>(TENANTS, { tenant: SYSTEM_TENANT });
  const instances = informers.informer<ContainerInstance>(CONTAINER_INSTANCES, {
    tenant: SYSTEM_TENANT,
    indexes: { [BY_TENANT]: ({ metadata }) => [metadata.namespace ?? ''] },
  });
  const emptied = removable(resources);
  const looks = new Map<string, number>();

  async function terminate(tenant: Tenant, key: string, tools: ReconcileTools): Promise<void> {
    const { name } = tenant.metadata;
    if (tenant.status?.phase !== 'Terminating') await setPhase(tenant, 'Terminating');
    const objectsLeft = await removeContent(client, name, emptied, tools.now());
    const instancesLeft = instances.byIndex(BY_TENANT, name).length;
    if (objectsLeft + instancesLeft > 0) {
      const look = looks.get(key) ?? 0;
      looks.set(key, look + 1);
      tools.logger.debug({ tenant: name, objectsLeft, instancesLeft }, 'a tenant is being emptied');
      tools.queue.addAfter(key, Math.min(FIRST_LOOK_MS * 2 ** look, LONGEST_LOOK_MS));
      return;
    }
    // The copy may be behind: an instance that nobody would bill must not be left.
    const held = await client.resource(SYSTEM_TENANT, CONTAINER_INSTANCES, name).list({ limit: 1 });
    if (held.items.length > 0) return tools.queue.addAfter(key, FIRST_LOOK_MS);
    await release(tenant);
    tools.logger.info({ tenant: name }, 'a tenant was removed');
  }

  async function setPhase(tenant: Tenant, phase: 'Active' | 'Terminating'): Promise<void> {
    await client
      .for(TENANTS, tenant)
      .patch(tenant.metadata.name, 'merge', { status: { phase } }, 'status')
      .catch(ignoreGone);
  }

  async function release(tenant: Tenant): Promise<void> {
    const { name, uid, resourceVersion, finalizers = [] } = tenant.metadata;
    if (!finalizers.includes(TENANT_FINALIZER)) return;
    const left = finalizers.filter((finalizer) => finalizer !== TENANT_FINALIZER);
    await client
      .for(TENANTS, tenant)
      .patch(name, 'merge', { metadata: { uid, resourceVersion, finalizers: left } })
      .catch(ignoreGone);
  }

  return {
    name: 'tenant-lifecycle',
    workers: 8,
    watches: [
      watchOwn(tenants, (tenant) => looks.delete(keyOf(tenant))),
      {
        informer: instances,
        handlers: (queue) => ({
          deleted: ({ metadata }: ContainerInstance) => {
            const key = `${SYSTEM_TENANT}//${metadata.namespace}`;
            const isAwaited = tenants.get(key)?.metadata.deletionTimestamp !== undefined;
            if (isAwaited && instances.byIndex(BY_TENANT, metadata.namespace ?? '').length === 0) queue.add(key);
          },
        }),
      },
    ],
    async reconcile(key, tools) {
      const tenant = tenants.get(key);
      if (tenant === undefined) return;
      // It holds everybody's instances and bills; its finalizer stays, whoever deletes it.
      if (tenant.metadata.deletionTimestamp !== undefined && tenant.metadata.name === SYSTEM_TENANT) return;
      if (tenant.metadata.deletionTimestamp !== undefined) await terminate(tenant, key, tools);
      else if (tenant.status?.phase !== 'Active') await setPhase(tenant, 'Active');
    },
  };
}

function ignoreGone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
