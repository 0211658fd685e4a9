import { schemaOfKind } from '../../api/generated-schema.ts';
import type { ManagedFieldsEntry } from '../../api/managed-fields/index.ts';
import {
  elementsOfJsonPath,
  entriesOfScale,
  entriesOfScaled,
  mergeTypeOf,
  onlyVersion,
  setOf,
} from '../../api/managed-fields/index.ts';
import type { KubeObject } from '../../api/object.ts';
import { apiVersionOf } from '../../api/object.ts';
import { applyMergePatch, applyPatch } from '../../api/patch/index.ts';
import { APPLY_PATCH, MERGE_PATCH } from '../../api/patch/media-types.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { columnsOf } from '../../api/resources/columns/index.ts';
import { type Scale, scaleOf, withScale } from '../../api/scale.ts';
import { invalid, notFound } from '../../api/status.ts';
import type { Answer } from '../answer.ts';
import { decodeValue, parseBody } from '../decode-body.ts';
import type { Environment } from '../environment.ts';
import { applyTo } from './apply.ts';
import { checkFieldManager, fieldsAfter, type TrackedResource } from './fields/field-management.ts';
import { updateObject } from './objects/update-object.ts';
import { dryRunOf, writeOptionsOf } from './options/write-options.ts';
import { decodePatched, readPatch } from './patch.ts';
import { type ResourceRequest, writeOf } from './scope.ts';
import { checkPlace, requireName } from './update.ts';

const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };

const views = new WeakMap<ResourceDefinition, ResourceDefinition>();

/** What a Scale is shown as, in a table too. */
function scaleView(definition: ResourceDefinition): ResourceDefinition {
  let view = views.get(definition);
  if (view === undefined) {
    const { versioned: _versioned, storedAs: _storedAs, ...rest } = definition;
    const schema = schemaOfKind('autoscaling', 'v1', 'Scale')!;
    view = { ...rest, ...scaleKind, listKind: 'ScaleList', schema, columns: columnsOf('autoscaling', 'scale') };
    views.set(definition, view);
  }
  return view;
}

let trackedScale: TrackedResource | undefined;

/** A Scale's fields are tracked by themselves; what comes of it is carried over to the workload's entries. */
function tracked(): TrackedResource {
  if (trackedScale !== undefined) return trackedScale;
  const apiVersion = 'autoscaling/v1';
  const type = mergeTypeOf(schemaOfKind('autoscaling', 'v1', 'Scale')!);
  const versions = onlyVersion(apiVersion, type);
  trackedScale = {
    endpoint: { apiVersion, type, versions, subresource: 'scale', reset: setOf() },
    empty: { kind: 'Scale', apiVersion, metadata: {} as KubeObject['metadata'], spec: {}, status: { replicas: 0 } },
  };
  return trackedScale;
}

/** GET, PUT and PATCH of the scale subresource. Source: KEP-576, autoscaling/v1 Scale. */
export async function scale(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, tenant, namespace, name } = request;
  const { verb } = context.info;
  if (verb === 'get') {
    const entry = await environment.objects.get(definition, tenant, namespace, name);
    if (entry === undefined) throw notFound(definition, name);
    return { type: 'object', code: 200, object: scaleOf(definition, entry.object), definition: scaleView(definition) };
  }
  const dryRun = dryRunOf(context, verb === 'patch' ? 'PatchOptions' : 'UpdateOptions');
  const target = { kind: scaleKind, schema: schemaOfKind('autoscaling', 'v1', 'Scale')! };
  const change = await changeOf(environment, request, target);
  const replicasPath = definition.subresources.find((candidate) => candidate.name === 'scale')!.scale!.specReplicasPath;
  const replicasElements = elementsOfJsonPath(replicasPath);
  const result = await updateObject(environment, {
    ...writeOf(request, dryRun),
    subresource: 'scale',
    isPatch: verb === 'patch',
    options: writeOptionsOf(context, 'UpdateOptions'),
    form: {
      kind: scaleKind,
      of: (object) => scaleOf(definition, object),
      into: (object, form) => withScale(definition, object, form as Scale),
    },
    change(old) {
      const entries = old.metadata.managedFields as ManagedFieldsEntry[] | undefined;
      const live = liveScale(request, old, entriesOfScale(entries, apiVersionOf(definition), replicasElements));
      const { wanted, managedFields } = change(live);
      checkPlace(request, wanted);
      const replicas = wanted.spec?.replicas ?? 0;
      if (replicas < 0) {
        throw invalid(scaleKind, name, [
          {
            reason: 'FieldValueInvalid',
            field: 'spec.replicas',
            message: `Invalid value: ${replicas}: must be greater than or equal to 0`,
          },
        ]);
      }
      const scaled = withScale(definition, old, wanted);
      const metadata = { ...scaled.metadata };
      if (wanted.metadata.resourceVersion) metadata.resourceVersion = wanted.metadata.resourceVersion;
      else delete (metadata as Partial<typeof metadata>).resourceVersion;
      if (wanted.metadata.uid) metadata.uid = wanted.metadata.uid;
      const owned = entriesOfScaled(entries, managedFields, apiVersionOf(definition), replicasElements);
      if (owned === undefined) delete metadata.managedFields;
      else metadata.managedFields = owned;
      return { ...scaled, metadata };
    },
  });
  return { type: 'object', code: 200, object: scaleOf(definition, result.entry?.object ?? result.object!) };
}

interface ScaleChange {
  wanted: Scale;
  /** Whose its fields are then. */
  managedFields: ManagedFieldsEntry[] | undefined;
}

/** As a Scale's managers see it: without a version, so that one in a patch is known for a precondition. */
function liveScale(request: ResourceRequest, old: KubeObject, managedFields: ManagedFieldsEntry[] | undefined): Scale {
  const scale = scaleOf(request.definition, old);
  const { resourceVersion: _resourceVersion, ...metadata } = scale.metadata;
  return {
    ...scale,
    metadata: { ...metadata, ...(managedFields !== undefined && { managedFields }) } as Scale['metadata'],
  };
}

async function changeOf(
  environment: Environment,
  request: ResourceRequest,
  target: { kind: typeof scaleKind; schema: NonNullable<ReturnType<typeof schemaOfKind>> },
): Promise<(live: Scale) => ScaleChange> {
  const { context } = request;
  const change = (live: Scale, wanted: Scale): ScaleChange => ({
    wanted,
    managedFields: fieldsAfter(environment, context, tracked(), live, wanted),
  });
  if (context.info.verb === 'update') {
    checkFieldManager(context, 'UpdateOptions');
    const body = await parseBody(context, await context.readBody(), 'Scale');
    // Before it is looked for.
    const first = decodeValue({ ...context, warnings: [] }, { ...body, duplicates: [] }, target);
    requireName(request, first);
    checkPlace(request, first);
    return (live) =>
      change(live, decodeValue(context, { value: body.value, duplicates: [], text: body.text }, target) as Scale);
  }
  const { contentType, document } = await readPatch(context, request.definition);
  const isApply = contentType === APPLY_PATCH;
  checkFieldManager(context, 'PatchOptions', isApply);
  return (live) => {
    if (isApply) {
      const merged = applyTo(environment, context, tracked(), scaleKind, live, document as KubeObject);
      const wanted = decodeValue(context, { value: merged, duplicates: [], text: '' }, target) as Scale;
      return { wanted, managedFields: merged.metadata.managedFields as ManagedFieldsEntry[] | undefined };
    }
    const patched =
      contentType === MERGE_PATCH
        ? applyMergePatch(live, document)
        : applyPatch(contentType, target.schema, live, document);
    return change(live, decodePatched(context, patched as KubeObject, target, [], undefined) as Scale);
  };
}
