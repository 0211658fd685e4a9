import { formatTime, type KubeObject } from '../../../api/object.ts';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import { conflict, notFound, objectModified } from '../../../api/status.ts';
import type { AdmissionRequest } from '../../admission/admission.ts';
import type { Environment } from '../../environment.ts';
import type { Identity } from '../../identity/identity.ts';
import { derivedUid, VirtualEntry } from '../../tenants/virtual-entry.ts';
import type { CacheEntry } from '../../watch-cache/watch-cache.ts';
import type { DeleteOptions } from '../options/delete-options.ts';
import { shallowCopy } from './metadata.ts';
import { hookKey, isDone } from './update-object.ts';

export interface DeleteRequest {
  definition: ResourceDefinition;
  tenant: string;
  namespace: string;
  name: string;
  identity: Identity;
  dryRun: boolean;
  warnings: string[];
  options: DeleteOptions;
  /** Refuses by throwing, looking at the state that is about to go (evictions look at disruption budgets). */
  precondition?(object: KubeObject): void;
  /** What the client speaks, for admission. */
  view?: ResourceDefinition;
  /** For admission, of a whole collection: see AdmissionRequest. */
  deadlineMs?: number;
  /** No admission: it was asked about what leads here. */
  trusted?: boolean;
}

export interface DeleteResult {
  /** The last state: of an object that is gone, or that stays for a while with a deletionTimestamp. */
  object: KubeObject;
  entry?: CacheEntry;
  gone: boolean;
}

const retryLimit = 20;
const orphanFinalizer = 'orphan';
const foregroundFinalizer = 'foregroundDeletion';

/** The one way an object goes. Source: apiserver's registry Store.Delete and rest.BeforeDelete. */
export async function deleteObject(environment: Environment, request: DeleteRequest): Promise<DeleteResult> {
  const { objects } = environment;
  const { definition, tenant, namespace, name, dryRun } = request;
  for (let attempt = 0; attempt < retryLimit; attempt++) {
    const before = await objects.get(definition, tenant, namespace, name);
    if (before === undefined) throw notFound(definition, name);
    const old = before.object;
    checkPreconditions(definition.kind, name, request.options, old, definition.group);
    request.precondition?.(old);
    if (request.trusted !== true) await admitDeletion(environment, request, old);
    // A shared object is there again at once, as controllers upstream write theirs again; one with finalizers stays first.
    if (before instanceof VirtualEntry && old.metadata.finalizers === undefined) {
      if (dryRun) return { object: old, gone: true };
      const revision = await withdraw(environment, request);
      if (revision === undefined) return { object: withUidOfItsOwn(old), gone: true };
      return { object: { ...old, metadata: { ...old.metadata, resourceVersion: String(revision) } }, gone: true };
    }

    const hooks = environment.hooks.get(hookKey(definition));
    const nowMs = environment.clock.now();
    const marked = mark(request, hooks?.prepareDelete?.(old, nowMs) ?? old, nowMs);
    if (marked === old) return { object: old, entry: before, gone: false };
    const gone = marked === undefined || isDone(definition, marked);
    if (dryRun) return { object: marked ?? lastState(definition, old, nowMs), gone };
    if (gone) await withdraw(environment, request);
    const alongside = gone ? ((await hooks?.onDelete?.(old, { tenant, namespace, name, dryRun })) ?? []) : [];
    const written = await objects.commit([
      { resource: definition, tenant, namespace, name, before, after: gone ? undefined : marked },
      ...alongside,
    ]);
    if (written === undefined) continue;
    if (!gone) return { object: written.entries[0]!.object, entry: written.entries[0]!, gone };
    const left = marked ?? lastState(definition, old, nowMs);
    const isBack = (await objects.get(definition, tenant, namespace, name)) instanceof VirtualEntry;
    const last = isBack ? withUidOfItsOwn(left) : left;
    return { object: { ...last, metadata: { ...last.metadata, resourceVersion: String(written.revision) } }, gone };
  }
  throw objectModified(definition, name);
}

/** The platform's own deletions (of a tenant that goes) are nobody's wish to be without. */
async function withdraw({ objects, clock }: Environment, request: DeleteRequest): Promise<number | undefined> {
  const { definition, tenant, namespace, name, identity } = request;
  if (identity.kind === 'platform') return undefined;
  return objects.withdraw(definition, tenant, namespace, name, clock.now());
}

/**
 * What is there again has the uid it had, which owner references and tokens name. So what went is told by another: who
 * waits for the end of that uid (`kubectl delete`) sees that it has come.
 */
function withUidOfItsOwn(old: KubeObject): KubeObject {
  return { ...old, metadata: { ...old.metadata, uid: derivedUid(old.metadata.uid, 'deleted') } };
}

/** Kinds that end gracefully are marked as ending even where they end at once. */
function lastState(definition: ResourceDefinition, old: KubeObject, nowMs: number): KubeObject {
  if (definition.strategy.gracePeriodSeconds === undefined) return old;
  const { deletionTimestamp, generation } = old.metadata;
  const isNews = deletionTimestamp === undefined;
  return {
    ...old,
    metadata: {
      ...old.metadata,
      deletionTimestamp: deletionTimestamp ?? formatTime(nowMs),
      deletionGracePeriodSeconds: 0,
      ...(generation !== undefined && { generation: isNews ? generation + 1 : generation }),
    },
  };
}

async function admitDeletion(environment: Environment, request: DeleteRequest, old: KubeObject): Promise<void> {
  const { definition, tenant, namespace, name, identity, dryRun, warnings, view } = request;
  const admission: AdmissionRequest = {
    operation: 'DELETE',
    definition,
    subresource: '',
    tenant,
    namespace,
    // As upstream, who deletes a collection names none of it.
    name: request.deadlineMs === undefined ? name : '',
    oldObject: old,
    identity,
    dryRun,
    warnings,
    options: {
      kind: 'DeleteOptions',
      apiVersion: 'meta.k8s.io/v1',
      ...request.options,
      ...graceOf(definition, request.options, old),
      ...(dryRun && { dryRun: ['All'] }),
    },
    ...(view !== undefined && { view }),
    ...(request.deadlineMs !== undefined && { deadlineMs: request.deadlineMs }),
  };
  await environment.admission.mutate(admission);
  await environment.admission.validate(admission);
}

/** The period it comes to, of kinds that end gracefully. */
function graceOf({ strategy }: ResourceDefinition, options: DeleteOptions, old: KubeObject): DeleteOptions {
  if (strategy.gracePeriodSeconds === undefined || old.metadata.deletionTimestamp !== undefined) return {};
  const asked = options.gracePeriodSeconds;
  return { gracePeriodSeconds: strategy.gracePeriodSeconds(old, asked && clampGrace(asked)) ?? 0 };
}

export function checkPreconditions(
  kind: string,
  name: string,
  options: DeleteOptions,
  old: KubeObject,
  group = '',
): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  const resource = { group, resource: kind };
  if (uid !== undefined && uid !== old.metadata.uid) {
    throw conflict(
      resource,
      name,
      `the UID in the precondition (${uid}) does not match the UID in record (${old.metadata.uid}). The object might have been deleted and then recreated`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion) {
    throw conflict(
      resource,
      name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${old.metadata.resourceVersion}). The object might have been modified`,
    );
  }
}

/**
 * The state a deletion leaves: undefined when the object goes at once, `old` itself when nothing changes, else a copy
 * with a deletionTimestamp and finalizers as the options ask for.
 */
function mark(request: DeleteRequest, old: KubeObject, nowMs: number): KubeObject | undefined {
  const { definition, options } = request;
  if (definition.group === '' && definition.resource === 'namespaces') return markNamespace(old, options, nowMs);
  const object = shallowCopy(old);
  const { metadata } = object;
  const asked = options.gracePeriodSeconds === undefined ? undefined : clampGrace(options.gracePeriodSeconds);
  const finalizersChanged = setPropagationFinalizers(object, withDefaultPolicy(request, old));
  const finalizers = metadata.finalizers ?? [];

  if (definition.strategy.gracePeriodSeconds !== undefined) {
    const left = old.metadata.deletionGracePeriodSeconds ?? 0;
    if (old.metadata.deletionTimestamp === undefined) {
      const graceSeconds = definition.strategy.gracePeriodSeconds(old, asked) ?? 0;
      if (graceSeconds > 0) {
        metadata.deletionTimestamp = formatTime(nowMs + graceSeconds * 1000);
        metadata.deletionGracePeriodSeconds = graceSeconds;
        if (metadata.generation) metadata.generation += 1;
        return object;
      }
    } else if (left > 0) {
      // Only a shorter period may be asked for; anything else leaves the deletion under way as it is.
      if (asked === undefined || asked >= left) return finalizersChanged ? object : old;
      if (asked > 0) {
        const shortenedMs = Date.parse(old.metadata.deletionTimestamp) - left * 1000 + asked * 1000;
        metadata.deletionTimestamp = formatTime(Math.max(shortenedMs, nowMs));
        metadata.deletionGracePeriodSeconds = shortenedMs < nowMs ? 1 : asked;
        return object;
      }
    }
  }
  if (finalizers.length === 0) return undefined;
  // Someone still has to let go of it.
  const already = old.metadata.deletionTimestamp !== undefined && (old.metadata.deletionGracePeriodSeconds ?? 0) === 0;
  if (already && !finalizersChanged) return old;
  if (already) return object;
  // A definition is only marked: it ends when its objects have.
  if (definition.resource === 'customresourcedefinitions' && definition.group === 'apiextensions.k8s.io') {
    metadata.deletionTimestamp ??= formatTime(nowMs);
    return object;
  }
  if (metadata.deletionTimestamp === undefined && metadata.generation) metadata.generation += 1;
  metadata.deletionTimestamp = formatTime(nowMs);
  metadata.deletionGracePeriodSeconds = 0;
  return object;
}

/** A namespace stays, Terminating, until its controller has emptied it and taken the `kubernetes` finalizer away. */
function markNamespace(old: KubeObject, options: DeleteOptions, nowMs: number): KubeObject | undefined {
  const object = shallowCopy(old);
  const finalizersChanged = setPropagationFinalizers(object, options);
  if (old.metadata.deletionTimestamp === undefined) {
    object.metadata.deletionTimestamp = formatTime(nowMs);
    object['status'] = { ...object['status'], phase: 'Terminating' };
    return object;
  }
  return finalizersChanged ? object : old;
}

/** A negative period counts as one second, as upstream. */
const clampGrace = (seconds: number) => (seconds < 0 ? 1 : seconds);

/** Dependents of these stay unless told otherwise: so it was before there was a garbage collector. */
const orphaning = new Set(['/replicationcontrollers', 'batch/jobs']);

/** Components of the platform say what they want. Source: shouldOrphanDependents upstream. */
function withDefaultPolicy({ definition, options, identity }: DeleteRequest, old: KubeObject): DeleteOptions {
  // Nothing depends on events: whatever is wished, they are simply gone.
  if (hookKey(definition) === 'events') return { ...options, propagationPolicy: 'Background' };
  const { propagationPolicy, orphanDependents } = options;
  if (propagationPolicy !== undefined || orphanDependents !== undefined || identity.kind === 'platform') return options;
  if (!orphaning.has(`${definition.group}/${definition.resource}`)) return options;
  if (old.metadata.finalizers?.includes(foregroundFinalizer)) return options;
  return { ...options, propagationPolicy: 'Orphan' };
}

/** Finalizers for the garbage collector; without a wish, the ones already there stay. */
function setPropagationFinalizers(object: KubeObject, options: DeleteOptions): boolean {
  const policy =
    options.propagationPolicy ??
    (options.orphanDependents === undefined ? undefined : options.orphanDependents ? 'Orphan' : 'Background');
  if (policy === undefined) return false;
  const before = object.metadata.finalizers ?? [];
  const after = before.filter((finalizer) => finalizer !== orphanFinalizer && finalizer !== foregroundFinalizer);
  if (policy === 'Orphan') after.push(orphanFinalizer);
  if (policy === 'Foreground') after.push(foregroundFinalizer);
  const known = new Set(before);
  if (after.length === before.length && after.every((finalizer) => known.has(finalizer))) return false;
  if (after.length === 0) delete object.metadata.finalizers;
  else object.metadata.finalizers = after;
  return true;
}
