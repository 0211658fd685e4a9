import type { ResourceQuota } from '../../../api/generated/core-v1.ts';
import { trackUpdate } from '../../../api/managed-fields/index.ts';
import { formatTime, type KubeObject } from '../../../api/object.ts';
import { charge, evaluatorOf, type QuotaEvaluator, type RunningQuota } from '../../../api/quota/index.ts';
import { RESOURCE_QUOTAS } from '../../../api/resources.ts';
import { objectModified, type StatusError } from '../../../api/status.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Objects } from '../../objects.ts';
import type { ResourceRegistry } from '../../registry.ts';
import { trackedResource } from '../../verbs/fields/field-management.ts';
import type { CacheEntry } from '../../watch-cache/watch-cache.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../admission.ts';
import { forbid } from '../forbid.ts';

interface Waiter {
  request: AdmissionRequest;
  evaluator: QuotaEvaluator;
  resolve(): void;
  reject(error: unknown): void;
}

/** Several control planes may charge the same quota: so often a charge starts over. */
const attempts = 10;
/** So many requests share one write at most. */
const batchSize = 200;

/**
 * Charges what is created against the quotas of its namespace before it is written. Requests for one namespace that
 * come while a charge is being written are charged together by the next write; the write compares, so charges of
 * several control planes never get lost. Source: apiserver's resourcequota plug-in.
 */
export function resourceQuotaAdmission(objects: Objects, clock: Clock, registry: ResourceRegistry): AdmissionPlugin {
  /** Of namespaces where a charge is under way: who comes next. */
  const waiting = new Map<string, Waiter[]>();

  const { group, version, resource } = RESOURCE_QUOTAS;
  const definition = registry.find('', group, version, resource)!;

  const quotasOf = ({ tenant, namespace }: AdmissionRequest): Promise<readonly CacheEntry[]> =>
    objects.entries(RESOURCE_QUOTAS, { tenant, namespace });

  /** What is used is the server's own from then on, as upstream. */
  function charged(live: KubeObject, used: Record<string, string>): KubeObject {
    const object = { ...live, metadata: { ...live.metadata }, status: { ...live['status'], used } };
    const now = formatTime(clock.now());
    const tracked = trackedResource(definition, 'status');
    const managedFields = trackUpdate({ ...tracked, manager: 'kube-apiserver', live, object, now });
    if (managedFields !== undefined) object.metadata.managedFields = managedFields;
    return object;
  }

  async function work(key: string, first: Waiter): Promise<void> {
    const queue: Waiter[] = [first];
    waiting.set(key, queue);
    while (queue.length > 0) {
      const batch = queue.splice(0, batchSize);
      try {
        await chargeAll(batch);
      } catch (error) {
        for (const waiter of batch) waiter.reject(error);
      }
    }
    waiting.delete(key);
  }

  async function chargeAll(batch: Waiter[]): Promise<void> {
    const { tenant, namespace } = batch[0]!.request;
    let entries: readonly CacheEntry[] = [];
    for (let attempt = 0; attempt < attempts; attempt++) {
      entries = await quotasOf(batch[0]!.request);
      const real = runningOf(entries);
      const refusals = new Map<Waiter, StatusError>();
      for (const waiter of batch) {
        // A dry run is measured by what is used, and uses nothing.
        const quotas = waiter.request.dryRun ? real.map((one) => ({ ...one })) : real;
        const refusal = charge(quotas, waiter.evaluator, waiter.request, clock.now());
        if (refusal !== undefined) refusals.set(waiter, forbid(waiter.request, refusal));
      }
      const changes = entries.flatMap((before, index) => {
        const { quota, used } = real[index]!;
        if (used === quota.status?.used) return [];
        const after = charged(before.object, used);
        return [{ resource: RESOURCE_QUOTAS, tenant, namespace, name: before.name, before, after }];
      });
      if (changes.length > 0 && (await objects.commit(changes)) === undefined) continue;
      for (const waiter of batch) {
        const refusal = refusals.get(waiter);
        if (refusal === undefined) waiter.resolve();
        else waiter.reject(refusal);
      }
      return;
    }
    throw objectModified(RESOURCE_QUOTAS, entries[0]?.name ?? '');
  }

  async function chargeFor(request: AdmissionRequest, evaluator: QuotaEvaluator): Promise<void> {
    const entries = await quotasOf(request);
    if (entries.length === 0 || !concernsAny(entries, evaluator)) return;
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = { request, evaluator, resolve, reject };
      const key = `${request.tenant}/${request.namespace}`;
      const queue = waiting.get(key);
      if (queue !== undefined) queue.push(waiter);
      else void work(key, waiter);
    });
  }

  return {
    name: 'ResourceQuota',
    handles: ({ operation, namespace, definition }) =>
      (operation === 'CREATE' || operation === 'UPDATE') && namespace !== '' && definition.namespaced,
    validate(request) {
      const evaluator = evaluatorOf(request.definition);
      if (evaluator === undefined || !evaluator.handles(request)) return;
      if (objects.hasNone(RESOURCE_QUOTAS, request.tenant, request.namespace)) return;
      return chargeFor(request, evaluator);
    },
  };
}

const concernsAny = (entries: readonly CacheEntry[], evaluator: QuotaEvaluator): boolean =>
  entries.some(({ object }) => Object.keys(object['status']?.hard ?? {}).some((name) => evaluator.isMine(name)));

function runningOf(entries: readonly CacheEntry[]): RunningQuota[] {
  const none = {};
  return entries.map(({ object }: { object: KubeObject }) => {
    const quota = object as unknown as ResourceQuota;
    // The very list tells afterwards whether something was charged.
    return { quota, used: quota.status?.used ?? none };
  });
}
