import type { ResourceQuota } from '../../api/generated/core-v1.ts';
import type { GroupResource, KubeObject } from '../../api/object.ts';
import { endsCharging, evaluatorOf, isMeasured, type QuotaEvaluator } from '../../api/quota/index.ts';
import { PODS, RESOURCE_QUOTAS } from '../../api/resources.ts';
import { ALL_TENANTS } from '../../client/client.ts';
import type { Controller, ControllerQueue, Watch } from '../../client/controller.ts';
import { type Informer, type InformerHandlers, keyOf } from '../../client/informer.ts';
import { definitionsOf } from '../common/custom-resources.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';
import { FollowedCustomResources } from '../common/followed-custom-resources.ts';
import { byNamespace, namespaceOf } from '../common/owner.ts';
import { deletableInNamespaces, type ResourceInfo } from '../common/resources.ts';
import { ObjectCounts } from './object-counts.ts';
import { quotaStatus } from './status.ts';
import { changesUsage } from './update-filter.ts';

/** Objects that go together are looked at together. */
const batchMs = 50;
/**
 * Admission charges ahead of the write, and a write may yet fail: so long after a charge (or after somebody else wrote
 * the status) the sum is made once more. Long enough that the charged objects have come in.
 */
const recheckMs = 10_000;

interface Measured {
  evaluator: QuotaEvaluator;
  informer: Informer<KubeObject>;
}

/**
 * Keeps what quotas say is used. Admission charges what is created; this controller makes the first sum, gives back
 * what goes, and checks again a while after each charge. Nothing is walked but the objects of a namespace that has a
 * quota for them, when one of them has changed.
 */
export function createResourceQuotaController(
  dependencies: ControllerDependencies,
  resources: ResourceInfo[],
): Controller {
  const { informers, client } = dependencies;
  const quotas = informers.informer<ResourceQuota & KubeObject>(RESOURCE_QUOTAS, {
    tenant: ALL_TENANTS,
    indexes: byNamespace,
  });
  const counts = new ObjectCounts();
  /** By `group/resource`: those that are looked at one by one. */
  const measured = new Map<string, Measured>();
  const definitions = definitionsOf(informers);
  const custom = new FollowedCustomResources(informers, definitions);

  const wake = (resource: GroupResource, object: KubeObject, queue: ControllerQueue): void => {
    const concerned = quotas.byIndex('namespace', namespaceOf(object));
    if (concerned.length === 0) return;
    const evaluator = evaluatorOf(resource)!;
    for (const quota of concerned) {
      const names = Object.keys(quota.spec?.hard ?? {});
      if (names.some((name) => evaluator.isMine(name))) queue.addAfter(keyOf(quota), batchMs);
    }
  };

  const hasQuota = (object: KubeObject): boolean => quotas.byIndex('namespace', namespaceOf(object)).length > 0;

  const handlersOf = (resource: ResourceInfo, queue: ControllerQueue): InformerHandlers<KubeObject> => ({
    added: (object) => counts.add(resource, namespaceOf(object), 1),
    deleted: (object) => {
      counts.add(resource, namespaceOf(object), -1);
      wake(resource, object, queue);
    },
    ...(isMeasured(resource) && {
      updated: (before: KubeObject, after: KubeObject) => {
        if (hasQuota(after) && changesUsage(resource, before, after)) wake(resource, after, queue);
      },
    }),
  });

  const watches: Watch[] = [
    {
      informer: quotas,
      handlers: (queue) => ({
        added: (quota: ResourceQuota & KubeObject) => queue.add(keyOf(quota)),
        updated: (before: ResourceQuota & KubeObject, after: ResourceQuota & KubeObject) => {
          if (before.spec !== after.spec && JSON.stringify(before.spec) !== JSON.stringify(after.spec)) {
            queue.add(keyOf(after));
          } else if (JSON.stringify(before.status) !== JSON.stringify(after.status)) {
            queue.addAfter(keyOf(after), recheckMs);
          }
        },
      }),
    },
  ];
  for (const resource of deletableInNamespaces(resources)) {
    const evaluator = evaluatorOf(resource);
    if (evaluator === undefined) continue;
    const isLookedAt = isMeasured(resource);
    const informer = informers.informer<KubeObject>(resource, {
      tenant: ALL_TENANTS,
      ...(isLookedAt && { indexes: byNamespace }),
    });
    if (isLookedAt) measured.set(`${resource.group}/${resource.resource}`, { evaluator, informer });
    watches.push({ informer, handlers: (queue) => handlersOf(resource, queue) });
  }
  watches.push({
    informer: definitions,
    handlers: (queue) => custom.handlers((resource) => handlersOf(resource, queue)),
  });
  const pods = measured.get('/pods')?.informer;
  const podEvaluator = evaluatorOf(PODS)!;

  return {
    name: 'resourcequota-controller',
    workers: 10,
    watches,
    async reconcile(key, { now, queue }) {
      const quota = quotas.get(key);
      if (quota === undefined || quota.metadata.deletionTimestamp !== undefined) return;
      const place = namespaceOf(quota);
      const status = quotaStatus(quota, now(), {
        measured: [...measured.values()].map(({ evaluator, informer }) => ({
          evaluator,
          objects: () => informer.byIndex('namespace', place),
        })),
        count: (name) => counts.of(name, place),
      });
      if (Object.keys(quota.spec?.hard ?? {}).some(podEvaluator.isMine)) wakeWhenPodsEnd(place, key, now(), queue);
      if (status === undefined) return;
      // The version it was made from goes with it: a charge in between makes this a conflict, and a new sum.
      await client.for(RESOURCE_QUOTAS, quota).updateStatus({ ...quota, status });
    },
  };

  /** A pod that should be gone by now stops counting by the clock alone. */
  function wakeWhenPodsEnd(place: string, key: string, nowMs: number, queue: ControllerQueue): void {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const pod of pods?.byIndex('namespace', place) ?? []) {
      const endsMs = endsCharging(pod);
      if (endsMs > nowMs && endsMs < nextMs) nextMs = endsMs;
    }
    if (nextMs !== Number.POSITIVE_INFINITY) queue.addAfter(key, nextMs - nowMs + 1);
  }
}
