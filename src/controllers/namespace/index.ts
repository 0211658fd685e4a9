import type { Namespace, Pod } from '../../api/generated/core-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import { NAMESPACES, PODS } from '../../api/resources.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import { ALL_TENANTS, collectionPath } from '../../client/client.ts';
import type { Controller, ReconcileTools } from '../../client/controller.ts';
import { keyOf } from '../../client/informer.ts';
import { aggregatedResourcesOf, apiServicesOf, type DiscoveryError } from '../common/aggregated-resources.ts';
import { isSame } from '../common/canonical.ts';
import { customResourcesOf, definitionsOf } from '../common/custom-resources.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { messageOf } from '../common/pod-template.ts';
import { deletableInNamespaces, type ResourceInfo } from '../common/resources.ts';
import { deletionConditions, type Remaining } from './conditions.ts';

const FINALIZER = 'kubernetes';
// Content held by finalizers is looked at again after so long, when nothing else says when.
const finalizerWaitSeconds = 15;

/** Empties namespaces that are being deleted, pods first, and then lets them go. */
export function createNamespaceController(dependencies: ControllerDependencies, resources: ResourceInfo[]): Controller {
  const { informers, client } = dependencies;
  const namespaces = informers.informer<Namespace>(NAMESPACES, { tenant: ALL_TENANTS });
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS });
  const definitions = definitionsOf(informers);
  const apiServices = apiServicesOf(informers);
  const builtin = deletableInNamespaces(resources);
  const isPods = (resource: ResourceInfo) => resource.group === '' && resource.resource === 'pods';

  /** Deletes one resource's objects of the namespace; tells what is left. */
  async function empty(
    tenant: string,
    namespace: string,
    resource: ResourceInfo,
  ): Promise<Remaining & { waitSeconds: number }> {
    const collection = client.resource(tenant, resource, namespace);
    const present = await collection.list();
    if (present.items.length === 0) return { resource, count: 0, finalizers: new Map(), waitSeconds: 0 };
    if (resource.verbs.includes('deletecollection'))
      await collection.deleteCollection({ propagationPolicy: 'Background' });
    else await Promise.all(present.items.map((item) => collection.delete(item.metadata.name).catch(ignoreNotFound)));
    const left = await collection.list();
    const finalizers = new Map<string, number>();
    for (const item of left.items) {
      for (const name of item.metadata.finalizers ?? []) finalizers.set(name, (finalizers.get(name) ?? 0) + 1);
    }
    const graceSeconds = isPods(resource) ? longestGraceSeconds(left.items as Pod[]) : 0;
    const waitSeconds = Math.max(graceSeconds, finalizers.size > 0 ? finalizerWaitSeconds : 0);
    return { resource, count: left.items.length, finalizers, waitSeconds };
  }

  async function reconcile(namespace: Namespace, tools: ReconcileTools): Promise<void> {
    const { name, clusterName } = namespace.metadata;
    const tenant = clusterName!;
    const remaining: Remaining[] = [];
    const failures: string[] = [];
    let waitSeconds = 0;
    let undiscovered: DiscoveryError | undefined;
    const emptyAll = (some: ResourceInfo[]) =>
      Promise.all(
        some.map(async (resource) => {
          try {
            const left = await empty(tenant, name, resource);
            if (left.count > 0) remaining.push(left);
            waitSeconds = Math.max(waitSeconds, left.waitSeconds);
          } catch (error) {
            // A resource that is not served holds nothing.
            if (!isNotFound(error)) failures.push(messageOf(error));
          }
        }),
      );
    const deletable = [...builtin, ...customResourcesOf(definitions, tenant).filter(({ namespaced }) => namespaced)];
    await emptyAll(deletable.filter(isPods));
    const hasPods = remaining.length > 0;
    // What pods still use stays until the last of them is gone.
    if (!hasPods) {
      // Asked anew each time: a server that went away with this namespace is soon known to be gone.
      const aggregated = await aggregatedResourcesOf(apiServices, client, tenant);
      undiscovered = aggregated.error;
      await emptyAll(deletableInNamespaces(aggregated.resources));
      await emptyAll(deletable.filter((resource) => !isPods(resource)));
    }

    const conditions = deletionConditions(
      namespace.status?.conditions,
      remaining,
      { failures, undiscovered },
      tools.now(),
    );
    let latest = namespace;
    const isDone = remaining.length === 0 && failures.length === 0 && undiscovered === undefined;
    const status = { ...namespace.status, phase: 'Terminating', conditions };
    if (!isSame(status, namespace.status)) {
      const body = { ...namespace, apiVersion: 'v1', kind: 'Namespace', status };
      latest = await client.resource<Namespace>(tenant, NAMESPACES).updateStatus(body);
    }
    const errors = [...(undiscovered === undefined ? [] : [undiscovered.message]), ...failures];
    if (errors.length > 0) throw new Error(errors.join(', '));
    if (isDone) await finalize(tenant, latest);
    else tools.queue.addAfter(keyOf(namespace), (Math.floor(waitSeconds / 2) + 1) * 1000);
  }

  async function finalize(tenant: string, namespace: Namespace): Promise<void> {
    const finalizers = (namespace.spec?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
    const path = `${collectionPath(tenant, NAMESPACES)}/${encodeURIComponent(namespace.metadata.name)}/finalize`;
    const body: KubeObject = {
      ...namespace,
      apiVersion: 'v1',
      kind: 'Namespace',
      spec: { ...namespace.spec, finalizers },
    };
    await client.transport.request({ method: 'PUT', path, body });
  }

  const isTerminating = (namespace: Namespace | undefined): namespace is Namespace =>
    namespace?.metadata.deletionTimestamp !== undefined && (namespace.spec?.finalizers ?? []).includes(FINALIZER);

  return {
    name: 'namespace-controller',
    workers: 20,
    reads: [definitions, apiServices],
    watches: [
      {
        informer: namespaces,
        handlers: (queue) => {
          const add = (namespace: Namespace) => {
            if (isTerminating(namespace)) queue.add(keyOf(namespace));
          };
          return { added: add, updated: (_: Namespace, after: Namespace) => add(after) };
        },
      },
      {
        informer: pods,
        handlers: (queue) => ({
          // The rest goes when the last pod is gone, not when its longest grace period is over.
          deleted: (pod: Pod) => {
            const key = `${pod.metadata.clusterName}//${pod.metadata.namespace}`;
            if (isTerminating(namespaces.get(key))) queue.addAfter(key, 50);
          },
        }),
      },
    ],
    async reconcile(key, tools) {
      const cached = namespaces.get(key);
      if (!isTerminating(cached)) return;
      try {
        // The cache may lag behind this very controller's status.
        const namespace = await client
          .resource<Namespace>(cached.metadata.clusterName!, NAMESPACES)
          .get(cached.metadata.name);
        if (namespace.metadata.uid === cached.metadata.uid && isTerminating(namespace)) {
          const known = {
            ...namespace,
            metadata: { ...namespace.metadata, clusterName: cached.metadata.clusterName! },
          };
          await reconcile(known, tools);
        }
      } catch (error) {
        if (isNotFound(error)) return;
        if (isConflict(error)) tools.queue.addAfter(key, 20);
        else throw error;
      }
    },
  };
}

function longestGraceSeconds(pods: Pod[]): number {
  let longest = 0;
  for (const pod of pods) {
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') continue;
    longest = Math.max(longest, pod.spec?.terminationGracePeriodSeconds ?? 0);
  }
  return longest;
}

function ignoreNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
