import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { isNotFound } from '../../api/status.ts';
import type { Environment } from '../environment.ts';
import { platformIdentity } from '../identity/identity.ts';
import { ReconcileQueue } from '../reconcile-queue.ts';
import { deleteObject } from '../verbs/objects/delete-object.ts';
import { updateOwn } from '../verbs/objects/own-update.ts';
import type { CustomResourceCatalog } from './catalog.ts';
import { type Condition, withCondition } from './conditions.ts';
import { isEstablished, statusOf } from './names.ts';

export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

const identity = platformIdentity('custom-resource-definitions');

export interface ReconcilerOptions {
  environment: Environment;
  catalog: CustomResourceCatalog;
  definition: ResourceDefinition;
  /** Of a built-in resource, whose objects are not the definition's to delete. */
  isBuiltin(group: string, resource: string): boolean;
  /** No tenant defines the resource any more. */
  forget(resource: { group: string; resource: string }): void;
}

/**
 * Keeps the status of definitions, and empties a resource before its definition goes. One at a time: names are given
 * in the order they are asked for. Any number of API servers may do it at once; writes are compare-and-set.
 */
export class DefinitionReconciler {
  readonly #options: ReconcilerOptions;
  readonly #queue: ReconcileQueue;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    const { clock, logger } = options.environment;
    this.#queue = new ReconcileQueue({
      what: 'custom resource definition',
      clock,
      logger,
      reconcile: (tenant, name) => this.#reconcile(tenant, name),
      isSettled: isNotFound,
    });
    this.#queue.begin();
    options.catalog.onChange((tenant, name) => this.#changed(tenant, name));
  }

  close(): void {
    this.#queue.close();
  }

  #changed(tenant: string, name: string): void {
    const { catalog } = this.#options;
    const group = name.slice(name.indexOf('.') + 1);
    if (catalog.crd(tenant, name) === undefined) {
      const resource = name.slice(0, name.indexOf('.'));
      if (!catalog.isDefinedAnywhere(name) && !this.#options.isBuiltin(group, resource)) {
        this.#options.forget({ group, resource });
      }
    } else this.#queue.add(tenant, name);
    // A name may have become free.
    for (const other of catalog.crdsOfGroup(tenant, group)) {
      if (other.metadata.name !== name) this.#queue.add(tenant, other.metadata.name);
    }
  }

  async #reconcile(tenant: string, name: string): Promise<void> {
    const { catalog, environment } = this.#options;
    const crd = catalog.crd(tenant, name);
    if (crd === undefined) return;
    if (crd.metadata.deletionTimestamp !== undefined) {
      if (crd.metadata.finalizers?.includes(CLEANUP_FINALIZER)) await this.#empty(tenant, crd);
      return;
    }
    const others = catalog.crdsOfGroup(tenant, crd.spec.group).filter((other) => other.metadata.name !== name);
    const status = statusOf(crd, others, environment.clock.now());
    if (JSON.stringify(status) === JSON.stringify(crd.status)) return;
    await this.#update(tenant, name, 'status', (current) => ({
      ...current,
      status: statusOf(current as CustomResourceDefinition, others, environment.clock.now()),
    }));
  }

  async #empty(tenant: string, crd: CustomResourceDefinition): Promise<void> {
    const { catalog, environment, isBuiltin } = this.#options;
    const { name } = crd.metadata;
    const { group, names } = crd.spec;
    if (isBuiltin(group, names.plural)) {
      await this.#terminating(
        tenant,
        name,
        'False',
        'OverlappingBuiltInResource',
        'instances overlap with built-in resources in storage',
      );
    } else if (!isEstablished(crd)) {
      await this.#terminating(tenant, name, 'False', 'NeverEstablished', 'resource was never established');
    } else {
      await this.#terminating(
        tenant,
        name,
        'True',
        'InstanceDeletionInProgress',
        'CustomResource deletion is in progress',
      );
      const resource = catalog.storageResource(tenant, name)!;
      await environment.objects.fresh(resource);
      for (const entry of await environment.objects.entries(resource, { tenant })) {
        if (entry.object.metadata.deletionTimestamp !== undefined) continue;
        const place = { definition: resource, tenant, namespace: entry.namespace, name: entry.name };
        await deleteObject(environment, {
          ...place,
          identity,
          dryRun: false,
          warnings: [],
          options: {},
          trusted: true,
        }).catch(ignoreNotFound);
      }
      const left = await environment.objects.entries(resource, { tenant });
      // Held by finalizers.
      if (left.length > 0) return this.#queue.later(tenant, name);
      await this.#terminating(tenant, name, 'False', 'InstanceDeletionCompleted', 'removed all instances');
    }
    await this.#update(tenant, name, '', (current) => ({
      ...current,
      metadata: {
        ...current.metadata,
        finalizers: current.metadata.finalizers?.filter((finalizer) => finalizer !== CLEANUP_FINALIZER),
      },
    }));
  }

  #terminating(tenant: string, name: string, status: 'True' | 'False', reason: string, message: string) {
    const condition: Condition = { type: 'Terminating', status, reason, message };
    return this.#update(tenant, name, 'status', (current) => ({
      ...current,
      status: {
        ...current['status'],
        conditions: withCondition(current['status']?.conditions, condition, this.#options.environment.clock.now()),
      },
    }));
  }

  async #update(tenant: string, name: string, subresource: '' | 'status', change: (current: KubeObject) => KubeObject) {
    const { environment, definition } = this.#options;
    await updateOwn(environment, { definition, subresource, tenant, name, identity, change });
  }
}

function ignoreNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
