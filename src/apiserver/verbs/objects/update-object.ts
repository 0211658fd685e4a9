import { deepEqual } from '../../../api/equality.ts';
import type { GroupVersionKind, KubeObject } from '../../../api/object.ts';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import { conflict, type FieldError, invalid, notFound, objectModified } from '../../../api/status.ts';
import { metadataKeptByStatus } from '../../../api/strategies/status-metadata.ts';
import { objectStatusUpdateChecks, objectUpdateChecks } from '../../../api/validation/index.ts';
import { warningsKept, warningsOf } from '../../../api/validation/warnings/index.ts';
import { type Pace, runInTurns, type Steps } from '../../../base/steps.ts';
import type { AdmissionRequest } from '../../admission/admission.ts';
import { isStoredElsewise } from '../../custom-resources/versioned-entries.ts';
import type { Environment } from '../../environment.ts';
import type { Identity } from '../../identity/identity.ts';
import { noteSize } from '../../pace.ts';
import type { CacheEntry } from '../../watch-cache/watch-cache.ts';
import { copyField, keepServerMetadata, replaceObject } from './metadata.ts';
import { parts, restrictTo } from './parts.ts';

export interface UpdateRequest {
  definition: ResourceDefinition;
  /** '' for the resource itself, `status`, or another subresource that changes the object. */
  subresource: string;
  tenant: string;
  namespace: string;
  name: string;
  identity: Identity;
  dryRun: boolean;
  warnings: string[];
  /**
   * The new state out of the old (shared: never mutate), as a copy of its own. Called again when someone else wrote in
   * between. A resourceVersion in it that is not the old one's is a conflict; without one the newest state is meant.
   */
  change(old: KubeObject): KubeObject | Promise<KubeObject>;
  /** The new state is the old one changed: admission sees its revision. */
  isPatch?: boolean;
  /** Skips the strategy, admission and validation: the change is the API server's own. */
  trusted?: boolean;
  /** For admission: see AdmissionRequest. */
  options?: object;
  view?: ResourceDefinition;
  /** What admission sees of the object, where the subresource has a kind of its own (Scale). */
  form?: SubresourceForm;
  /** Of the request it is for: a large object is worked on in parts. */
  pace?: Pace;
}

export interface SubresourceForm {
  kind: GroupVersionKind;
  of(object: KubeObject): KubeObject;
  /** The object with the form's content, a copy of its own. */
  into(object: KubeObject, form: KubeObject): KubeObject;
}

export type UpdateResult = { entry: CacheEntry; object?: undefined } | { entry?: undefined; object: KubeObject };

/** So often others may come in between before the writer is told of the conflict. */
const retryLimit = 20;
const unhurriedAttempts = 10;

/** The one way an existing object changes. Answers with the new entry, or with the bare object when nothing is stored. */
export async function updateObject(environment: Environment, request: UpdateRequest): Promise<UpdateResult> {
  const { objects } = environment;
  const { definition, tenant, namespace, name } = request;
  // What keeps a write from the store is told of the resource that was asked for.
  const spoken = request.view ?? definition;
  let refreshed = false;
  for (let attempt = 0; attempt < retryLimit; attempt++) {
    const found = objects.find(definition, tenant, namespace, name);
    const before = found instanceof Promise ? await found : found;
    if (before === undefined) throw notFound(spoken, name);
    const old = before.object;
    // Who is overtaken again and again by others that write little gets it done at once in the end.
    const pace = attempt < unhurriedAttempts ? request.pace : undefined;
    noteSize(pace, before.size ?? 0);
    const changed = request.change(old);
    const object = changed instanceof Promise ? await changed : changed;
    if (pace?.isDue) await pace.rest();
    const asked = object.metadata.resourceVersion;
    if (asked !== undefined && asked !== '' && asked !== '0' && asked !== old.metadata.resourceVersion) {
      if (refreshed) throw objectModified(spoken, name);
      // Another control plane may have written what the asker saw.
      await objects.fresh(definition);
      refreshed = true;
      continue;
    }
    if (object.metadata.uid && object.metadata.uid !== old.metadata.uid) {
      throw conflict(
        spoken,
        name,
        `Precondition failed: UID in precondition: ${object.metadata.uid}, UID in object meta: ${old.metadata.uid}`,
      );
    }
    await prepare(environment, request, object, old, pace);
    if (pace?.isDue) await pace.rest();
    const hooks = environment.hooks.get(hookKey(definition));
    const scope = { tenant, namespace, name, dryRun: request.dryRun };
    const alongside = hooks?.onUpdate === undefined ? [] : await hooks.onUpdate(object, old, scope);
    const isOutdated = before.stale === true || isStoredElsewise(definition, before);
    if (unchanged(object, old) && !isOutdated) {
      const stale = objects.isStale(definition, tenant, namespace, name);
      if (!(stale instanceof Promise ? await stale : stale)) return { entry: before };
    }
    if (request.dryRun) return { object };

    const gone = isDone(definition, object);
    if (gone) alongside.push(...((await hooks?.onDelete?.(old, scope)) ?? []));
    const place = { resource: definition, tenant, namespace, name, before };
    const written = await objects.commit([{ ...place, after: gone ? undefined : object }, ...alongside], pace);
    if (written !== undefined) {
      if (!gone) return { entry: written.entries[0]! };
      return { object: { ...object, metadata: { ...object.metadata, resourceVersion: String(written.revision) } } };
    }
    // A writer that named a version hears of the conflict at once in the next round; others try on the new state.
    refreshed = true;
  }
  throw objectModified(spoken, name);
}

export const hookKey = (definition: { group: string; resource: string }) =>
  definition.group === '' ? definition.resource : `${definition.resource}.${definition.group}`;

async function prepare(
  environment: Environment,
  request: UpdateRequest,
  object: KubeObject,
  old: KubeObject,
  pace: Pace | undefined,
): Promise<void> {
  const { definition, subresource } = request;
  const { strategy } = definition;
  if (request.isPatch) object.metadata.resourceVersion ||= old.metadata.resourceVersion;
  const admission = request.trusted === true ? undefined : admissionOf(request, object, old);
  if (admission !== undefined) {
    await environment.admission.mutate(admission);
    if (pace?.isDue) await pace.rest();
    if (request.form !== undefined) replaceObject(object, request.form.into(object, admission.object!));
  }
  keepServerMetadata(object, old);
  object.metadata.resourceVersion = old.metadata.resourceVersion;
  const hasStatus = definition.subresources.some((candidate) => candidate.name === 'status');
  if (subresource !== '' && subresource in parts) {
    restrictTo(subresource, object, old);
  } else if (subresource === 'status') {
    for (const field of Object.keys(object))
      if (field !== 'status' && field !== 'metadata') copyField(object, old, field);
    for (const field of Object.keys(old))
      if (object[field] === undefined && field !== 'status') copyField(object, old, field);
    for (const field of metadataKeptByStatus(definition)) copyField(object.metadata, old.metadata, field);
  } else if (hasStatus && subresource === '') {
    copyField(object, old, 'status');
  }
  if (admission !== undefined) {
    if (subresource === 'status') strategy.prepareForStatusUpdate?.(object, old);
    else if (subresource === '') strategy.prepareForUpdate?.(object, old);
    const hooks = environment.hooks.get(hookKey(definition));
    if (subresource === '') hooks?.prepareUpdate?.(object, old);
    const checking = runInTurns(updateChecks(definition, object, old, subresource, request.view), pace);
    const found = checking instanceof Promise ? await checking : checking;
    const told = found.filter(({ isWarning }) => isWarning === true);
    const errors = told.length === 0 ? found : found.filter(({ isWarning }) => isWarning !== true);
    if (subresource === 'status' && hooks?.checkStatusUpdate !== undefined) {
      const { tenant, namespace, name, dryRun, identity } = request;
      const verb = request.isPatch === true ? 'patch' : 'update';
      await hooks.checkStatusUpdate(object, old, errors, { tenant, namespace, name, dryRun, identity, verb });
    }
    request.warnings.push(...told.slice(0, warningsKept).map(({ field, message }) => `${field}: ${message}`));
    if (errors.length > 0) throw invalid(definition, request.name, errors);
    const warning = runInTurns(warningsOf(definition, object, { object: old, subresource }), pace);
    request.warnings.push(...(warning instanceof Promise ? await warning : warning).slice(0, warningsKept));
    if (pace?.isDue) await pace.rest();
  }
  // A custom resource's status is a field like others until it is a subresource.
  const statusCounts = !hasStatus && definition.schema.structural !== undefined;
  // Being bound is no change of what was asked for.
  const counts = definition.hasGeneration && strategy.generationStays !== true;
  const countsChanges = counts && subresource !== 'status' && subresource !== 'binding';
  const annotated =
    strategy.annotationsCount === true && !deepEqual(object.metadata.annotations, old.metadata.annotations);
  if (countsChanges && (annotated || specChanged(object, old, statusCounts))) {
    object.metadata.generation = (old.metadata.generation ?? 0) + 1;
  }
  if (admission === undefined) return;
  await environment.admission.validate(
    request.form === undefined ? admission : { ...admission, object: request.form.of(object) },
  );
}

function admissionOf(request: UpdateRequest, object: KubeObject, old: KubeObject): AdmissionRequest {
  const { definition, subresource, tenant, namespace, name, identity, dryRun, warnings, form } = request;
  return {
    operation: 'UPDATE',
    definition,
    subresource,
    tenant,
    namespace,
    name,
    object: form === undefined ? object : form.of(object),
    oldObject: form === undefined ? old : form.of(old),
    identity,
    dryRun,
    warnings,
    ...(form !== undefined && { kind: form.kind }),
    ...(request.options !== undefined && { options: request.options }),
    ...(request.view !== undefined && { view: request.view }),
    ...(request.pace !== undefined && { pace: request.pace }),
  };
}

function* updateChecks(
  definition: ResourceDefinition,
  object: KubeObject,
  old: KubeObject,
  subresource: string,
  view: ResourceDefinition | undefined,
): Steps<FieldError[]> {
  const own = definition.strategy.validateSubresourceUpdate?.[subresource];
  if (own !== undefined) return own(object, old);
  if (subresource === '') return yield* objectUpdateChecks(definition, object, old, view);
  if (subresource === 'status') return yield* objectStatusUpdateChecks(definition, object, old);
  // These change one part, of which the kind's own rules for updates may know nothing (a pod's resize).
  const rules = subresource === 'ephemeralcontainers' || subresource === 'resize' ? 'status' : 'whole';
  return yield* rules === 'status'
    ? objectStatusUpdateChecks(definition, object, old)
    : objectUpdateChecks(definition, object, old);
}

/** Anything but metadata and status. */
function specChanged(object: KubeObject, old: KubeObject, statusCounts: boolean): boolean {
  const counts = (field: string) => field !== 'metadata' && (field !== 'status' || statusCounts);
  for (const field of Object.keys(object))
    if (object[field] !== old[field] && counts(field) && !deepEqual(object[field], old[field])) return true;
  for (const field of Object.keys(old))
    if (object[field] === undefined && old[field] !== undefined && counts(field)) return true;
  return false;
}

/** A write that changes nothing takes no revision and wakes no watcher. */
function unchanged(object: KubeObject, old: KubeObject): boolean {
  if (!sameBut(object, old, inMetadata) || !sameBut(object.metadata, old.metadata, nobodysChange)) return false;
  // Who wrote last is no change when nothing else is. Source: IgnoreManagedFieldsTimestampsTransformer.
  const { managedFields } = object.metadata;
  const oldFields = old.metadata.managedFields;
  if (managedFields === oldFields) return true;
  return (
    managedFields !== undefined && oldFields !== undefined && deepEqual(timeless(managedFields), timeless(oldFields))
  );
}
const inMetadata = new Set(['metadata']);
const nobodysChange = new Set(['resourceVersion', 'clusterName', 'managedFields']);

/** As deepEqual, but for some fields. */
function sameBut(a: object, b: object, fields: ReadonlySet<string>): boolean {
  const one = a as Record<string, unknown>;
  const other = b as Record<string, unknown>;
  for (const field in one)
    if (one[field] !== other[field] && !fields.has(field) && !deepEqual(one[field], other[field])) return false;
  for (const field in other)
    if (one[field] === undefined && other[field] !== undefined && !fields.has(field)) return false;
  return true;
}

const timeless = (entries: unknown[]) => (entries as { time?: string }[]).map(({ time: _time, ...entry }) => entry);

/** Being deleted, with nothing left to wait for. Source: apiserver's ShouldDeleteDuringUpdate. */
export function isDone(definition: ResourceDefinition, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  if (deletionTimestamp === undefined || (finalizers ?? []).length > 0 || (deletionGracePeriodSeconds ?? 0) > 0) {
    return false;
  }
  const isNamespace = definition.group === '' && definition.resource === 'namespaces';
  return !isNamespace || (object['spec']?.finalizers ?? []).length === 0;
}
