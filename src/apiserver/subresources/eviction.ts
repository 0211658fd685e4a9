import type { PodCondition } from '../../api/generated/core-v1.ts';
import type { Condition } from '../../api/generated/meta-v1.ts';
import type { PodDisruptionBudgetStatus } from '../../api/generated/policy-v1.ts';
import { schemaOfKind } from '../../api/generated-schema.ts';
import { formatTime, type KubeObject } from '../../api/object.ts';
import { cachedSelector } from '../../api/selectors/label-selectors.ts';
import { badRequest, forbidden, isConflict, notFound, StatusError } from '../../api/status.ts';
import { admitPosted } from '../admission/admit.ts';
import { type Answer, objectAnswer } from '../answer.ts';
import { readObject } from '../decode-body.ts';
import type { Environment } from '../environment.ts';
import { checkPreconditions, deleteObject } from '../verbs/objects/delete-object.ts';
import { updateObject } from '../verbs/objects/update-object.ts';
import { checkDeleteOptions, type DeleteOptions } from '../verbs/options/delete-options.ts';
import { dryRunOf } from '../verbs/options/write-options.ts';
import { type ResourceRequest, writeOf } from '../verbs/scope.ts';
import type { CacheEntry } from '../watch-cache/watch-cache.ts';

const BUDGETS = { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' };
const evictionKind = { group: 'policy', version: 'v1', kind: 'Eviction' };
/** So many evicted pods may be on their way out before the budget's controller has seen them. */
const disruptedPodsLimit = 2000;

/** So often a pod or a budget may change in between. */
const retryLimit = 20;

const success = () =>
  objectAnswer({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201);

/** POST to a pod's `eviction`: deletes it if its disruption budget lets it go. Source: EvictionREST upstream. */
export async function evict(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, tenant, namespace, name } = request;
  const target = {
    kind: evictionKind,
    schema: schemaOfKind('policy', 'v1', 'Eviction')!,
    alsoTaken: ['policy/v1beta1'],
  };
  const eviction = await readObject(context, target);
  if (eviction.metadata.name !== name) throw badRequest('name in URL does not match name in Eviction object');
  const options: DeleteOptions & { dryRun?: string[] } = eviction['deleteOptions'] ?? {};
  const dryRun = dryRunOf(context, 'CreateOptions') || (options.dryRun ?? []).length > 0;
  await admitPosted(environment, request, eviction, { kind: evictionKind, dryRun });
  const asked = options.preconditions?.resourceVersion;
  for (let attempt = 1; ; attempt++) {
    const entry = await environment.objects.get(definition, tenant, namespace, name);
    if (entry === undefined) throw notFound(definition, name);
    const pod = entry.object;
    const pinned: DeleteOptions = {
      ...options,
      preconditions: { ...options.preconditions, resourceVersion: asked ?? pod.metadata.resourceVersion! },
    };
    if (goesAnyway(pod)) {
      try {
        // A pending pod may become ready, and count, at any moment.
        await remove(environment, request, pod['status']?.phase === 'Pending' ? pinned : options, dryRun);
        return success();
      } catch (error) {
        if (!isConflict(error) || asked !== undefined || attempt >= retryLimit) throw error;
        continue;
      }
    }
    const budgets = await budgetsOf(environment, tenant, pod);
    if (budgets.length > 1) {
      const message =
        'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
      return objectAnswer(
        { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code: 500 },
        500,
      );
    }
    const [budget] = budgets;
    if (budget !== undefined && mayGoUnhealthy(pod, budget.object)) {
      try {
        await remove(environment, request, pinned, dryRun);
      } catch (error) {
        // It may have become ready since.
        if (isConflict(error) && asked === undefined) throw stillProcessed(budget.name);
        throw error;
      }
      return success();
    }
    if (budget !== undefined) await takeFromBudget(environment, request, budget, pod, dryRun);
    await remove(environment, request, options, dryRun);
    return success();
  }
}

/** Says on the pod why it goes, and deletes it. */
async function remove(
  environment: Environment,
  request: ResourceRequest,
  options: DeleteOptions,
  dryRun: boolean,
): Promise<void> {
  checkDeleteOptions(options, (options as { dryRun?: string[] }).dryRun ?? []);
  const write = { ...writeOf(request, dryRun), trusted: true };
  let deleteOptions = options;
  if (!dryRun) {
    const written = await updateObject(environment, {
      ...write,
      subresource: 'status',
      warnings: [],
      change(old) {
        checkPreconditions('Pod', request.name, options, old);
        const { resourceVersion: _, ...metadata } = old.metadata;
        const conditions = withDisruptionTarget(old['status']?.conditions ?? [], environment.clock.now());
        return { ...old, metadata: metadata as KubeObject['metadata'], status: { ...old['status'], conditions } };
      },
    });
    const { resourceVersion } = (written.entry?.object ?? written.object!).metadata;
    if (options.preconditions?.resourceVersion !== undefined) {
      deleteOptions = { ...options, preconditions: { ...options.preconditions, resourceVersion: resourceVersion! } };
    }
  }
  // Asked about as an eviction already.
  await deleteObject(environment, { ...write, options: deleteOptions });
}

function withDisruptionTarget(conditions: PodCondition[], nowMs: number): PodCondition[] {
  const type = 'DisruptionTarget';
  const said = { type, status: 'True', reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting' };
  const before = conditions.find((condition) => condition.type === type);
  const lastTransitionTime = before?.status === 'True' ? before.lastTransitionTime : formatTime(nowMs);
  const next = { ...before, ...said, ...(lastTransitionTime !== undefined && { lastTransitionTime }) };
  return before === undefined
    ? [...conditions, next]
    : conditions.map((condition) => (condition === before ? next : condition));
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

/** A pod that serves nobody may go when enough others do, or always, as the budget says. */
function mayGoUnhealthy(pod: KubeObject, budget: KubeObject): boolean {
  if (isReady(pod)) return false;
  const { currentHealthy = 0, desiredHealthy = 0 } = budget['status'] ?? {};
  if (budget['spec']?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  return currentHealthy >= desiredHealthy && desiredHealthy > 0;
}

async function takeFromBudget(
  environment: Environment,
  request: ResourceRequest,
  entry: CacheEntry,
  pod: KubeObject,
  dryRun: boolean,
): Promise<void> {
  const definition = environment.registry.find(request.tenant, BUDGETS.group, BUDGETS.version, BUDGETS.resource)!;
  await updateObject(environment, {
    ...writeOf({ ...request, definition, name: entry.name }, dryRun),
    subresource: 'status',
    warnings: [],
    trusted: true,
    change(old) {
      const status: PodDisruptionBudgetStatus = old['status'] ?? {};
      const { disruptionsAllowed = 0, observedGeneration = 0 } = status;
      if (observedGeneration < (old.metadata.generation ?? 0)) throw stillProcessed(entry.name);
      const refused = (message: string) => forbidden(budgetKind, entry.name, message);
      if (disruptionsAllowed < 0) throw refused('pdb disruptions allowed is negative');
      const disrupted = status.disruptedPods ?? {};
      if (Object.keys(disrupted).length > disruptedPodsLimit)
        throw refused('DisruptedPods map too big - too many evictions not confirmed by PDB controller');
      if (disruptionsAllowed === 0) throw withCause(0, whyNone(entry.name, status));
      const nowMs = environment.clock.now();
      const { resourceVersion: _, ...metadata } = old.metadata;
      return {
        ...old,
        metadata: metadata as KubeObject['metadata'],
        status: {
          ...status,
          disruptionsAllowed: disruptionsAllowed - 1,
          ...(disruptionsAllowed === 1 && { conditions: withoutDisruptions(status, nowMs) }),
          disruptedPods: { ...disrupted, [pod.metadata.name]: formatTime(nowMs) },
        },
      };
    },
  });
}

const budgetKind = { group: 'policy', resource: 'poddisruptionbudget' };
const conditionType = 'DisruptionAllowed';

/** In the order of what can be trusted: with a failed sync the numbers cannot. */
function whyNone(name: string, status: PodDisruptionBudgetStatus): string {
  const { desiredHealthy = 0, currentHealthy = 0, conditions = [] } = status;
  const condition = conditions.find(({ type }) => type === conditionType);
  const said = condition?.status === 'False' && condition.message ? condition : undefined;
  if (said?.reason === 'SyncFailed')
    return `The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${said.message}`;
  if (currentHealthy <= desiredHealthy)
    return `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  const plain = `The disruption budget ${name} does not allow evicting pods currently`;
  return said === undefined ? plain : `${plain} (${said.reason}): ${said.message}`;
}

function withoutDisruptions(status: PodDisruptionBudgetStatus, nowMs: number): Condition[] {
  const { conditions = [], observedGeneration } = status;
  const before = conditions.find(({ type }) => type === conditionType);
  const next = {
    type: conditionType,
    status: 'False',
    ...(observedGeneration !== undefined && { observedGeneration }),
    lastTransitionTime: before?.status === 'False' ? before.lastTransitionTime : formatTime(nowMs),
    reason: 'InsufficientPods',
    message: '',
  };
  return before === undefined
    ? [...conditions, next]
    : conditions.map((condition) => (condition === before ? next : condition));
}

const stillProcessed = (name: string): StatusError =>
  withCause(10, `The disruption budget ${name} is still being processed by the server.`);

function withCause(retryAfterSeconds: number, message: string): StatusError {
  return new StatusError(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
    ...(retryAfterSeconds > 0 && { retryAfterSeconds }),
    causes: [{ reason: 'DisruptionBudget', message }],
  });
}
