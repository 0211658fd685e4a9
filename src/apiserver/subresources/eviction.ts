import { schemaOfKind } from '../../api/generated-schema.ts';
import { formatTime, type KubeObject } from '../../api/object.ts';
import { cachedSelector } from '../../api/selectors.ts';
import { notFound, StatusError, tooManyRequests } from '../../api/status.ts';
import { admitPosted } from '../admission/admit.ts';
import { type Answer, objectAnswer } from '../answer.ts';
import { readObject } from '../decode-body.ts';
import type { Environment } from '../environment.ts';
import { deleteObject } from '../verbs/delete-object.ts';
import { dryRunOf } from '../verbs/options.ts';
import type { ResourceRequest } from '../verbs/scope.ts';
import { updateObject } from '../verbs/update-object.ts';
import type { CacheEntry } from '../watch-cache/watch-cache.ts';

const BUDGETS = { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' };
const evictionKind = { group: 'policy', version: 'v1', kind: 'Eviction' };
/** So many evicted pods may be on their way out before the budget's controller has seen them. */
const disruptedPodsLimit = 2000;

/** POST to a pod's `eviction`: deletes it if its disruption budget lets it go. Source: EvictionREST upstream. */
export async function evict(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, tenant, namespace, name } = request;
  const target = { kind: evictionKind, schema: schemaOfKind('policy', 'v1', 'Eviction')! };
  const eviction = await readObject(context, target);
  const options = eviction['deleteOptions'] ?? {};
  const dryRun = dryRunOf(context, 'CreateOptions') || (options.dryRun ?? []).includes('All');
  await admitPosted(environment, request, eviction, { kind: evictionKind, dryRun });
  const entry = await environment.objects.get(definition, tenant, namespace, name);
  if (entry === undefined) throw notFound(definition, name);
  const pod = entry.object;
  if (!goesAnyway(pod)) {
    const budgets = await budgetsOf(environment, tenant, pod);
    if (budgets.length > 1) {
      throw new StatusError(
        500,
        'InternalError',
        'Internal error occurred: This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
      );
    }
    if (budgets.length === 1) await takeFromBudget(environment, request, budgets[0]!, pod, dryRun);
  }
  await deleteObject(environment, {
    definition,
    tenant,
    namespace,
    name,
    identity: context.identity,
    dryRun,
    warnings: context.warnings,
    options,
    // Asked about as an eviction already.
    trusted: true,
  });
  return objectAnswer({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201);
}

/** Not running, or on its way out already: no budget counts it. */
function goesAnyway(pod: KubeObject): boolean {
  const phase = pod['status']?.phase;
  return (
    phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending' || pod.metadata.deletionTimestamp !== undefined
  );
}

async function budgetsOf(environment: Environment, tenant: string, pod: KubeObject): Promise<CacheEntry[]> {
  const { namespace = '', labels } = pod.metadata;
  const all = await environment.objects.entries(BUDGETS, { tenant, namespace });
  return all.filter((entry) => cachedSelector(entry.object['spec']?.selector).matches(labels));
}

const isReady = (pod: KubeObject) =>
  (pod['status']?.conditions ?? []).some(
    (condition: { type: string; status: string }) => condition.type === 'Ready' && condition.status === 'True',
  );

async function takeFromBudget(
  environment: Environment,
  request: ResourceRequest,
  entry: CacheEntry,
  pod: KubeObject,
  dryRun: boolean,
): Promise<void> {
  const { context, tenant, namespace } = request;
  const budget = entry.object;
  if (!isReady(pod)) {
    // A pod that serves nobody may go when enough others do, or always, as the budget says.
    const { currentHealthy = 0, desiredHealthy = 0 } = budget['status'] ?? {};
    if (budget['spec']?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return;
    if (currentHealthy >= desiredHealthy && desiredHealthy > 0) return;
  }
  const definition = environment.registry.find(tenant, BUDGETS.group, BUDGETS.version, BUDGETS.resource)!;
  await updateObject(environment, {
    definition,
    subresource: 'status',
    tenant,
    namespace,
    name: entry.name,
    identity: context.identity,
    dryRun,
    warnings: [],
    trusted: true,
    change(old) {
      const status = old['status'] ?? {};
      const { disruptionsAllowed = 0, desiredHealthy = 0, currentHealthy = 0, observedGeneration = 0 } = status;
      if (observedGeneration < (old.metadata.generation ?? 0)) {
        throw withCause(
          tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 10),
          `The disruption budget ${entry.name} is still being processed by the server.`,
        );
      }
      if (disruptionsAllowed <= 0) {
        throw withCause(
          new StatusError(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget."),
          `The disruption budget ${entry.name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`,
        );
      }
      const disrupted = status.disruptedPods ?? {};
      if (Object.keys(disrupted).length > disruptedPodsLimit) {
        throw new StatusError(
          403,
          'Forbidden',
          'DisruptedPods map too big - too many evictions not confirmed by PDB controller',
        );
      }
      const { resourceVersion: _resourceVersion, ...metadata } = old.metadata;
      return {
        ...old,
        metadata: metadata as KubeObject['metadata'],
        status: {
          ...status,
          disruptionsAllowed: disruptionsAllowed - 1,
          disruptedPods: { ...disrupted, [pod.metadata.name]: formatTime(environment.clock.now()) },
        },
      };
    },
  });
}

function withCause(error: StatusError, message: string): StatusError {
  return new StatusError(error.code, error.reason, error.message, {
    ...error.details,
    causes: [{ reason: 'DisruptionBudget', message }],
  });
}
