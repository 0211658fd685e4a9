import { applyDefaults } from '../../api/defaults.ts';
import { badRequest, invalid } from '../../api/status.ts';
import type { Answer } from '../answer.ts';
import { decodeValue, fieldValidationOf, parseBody } from '../decode-body.ts';
import type { Environment } from '../environment.ts';
import { checkFieldManager, trackFields } from './field-management.ts';
import { matchNamespace } from './metadata.ts';
import { dryRunOf, writeOptionsOf } from './options.ts';
import type { ResourceRequest } from './scope.ts';
import { type UpdateResult, updateObject } from './update-object.ts';
import { fromStored, toStored } from './views.ts';

/** PUT of an object or its status. An object that is not there is not created: 404. */
export async function update(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, subresource, tenant, namespace, name } = request;
  const dryRun = dryRunOf(context, 'UpdateOptions');
  checkFieldManager(context, 'UpdateOptions');
  const spoken = request.view ?? definition;
  const body = await parseBody(context, await context.readBody(), spoken.kind, {
    wantDuplicates: fieldValidationOf(context) !== 'Ignore',
    schema: spoken.schema,
  });
  const target = { kind: spoken, schema: spoken.schema };
  let decoded: ReturnType<typeof decodeValue> | undefined = decodeValue(context, body, target);
  requireName(request, decoded);
  checkPlace(request, decoded);
  const result = await updateObject(environment, {
    definition,
    subresource: subresource?.name ?? '',
    tenant,
    namespace,
    name,
    identity: context.identity,
    dryRun,
    warnings: context.warnings,
    options: writeOptionsOf(context, 'UpdateOptions'),
    ...(request.view !== undefined && { view: request.view }),
    change: (old) => {
      // A repeated attempt must not see what the first one filled in.
      const object = decoded ?? decodeValue({ ...context, warnings: [] }, body, target);
      decoded = undefined;
      checkPlace(request, object);
      // After the search: what is not there is not found, whatever was sent.
      requireVersion(request, object);
      applyDefaults(spoken, object);
      trackFields(environment, request, fromStored(request.view, old), object);
      return toStored(request.view, object);
    },
  });
  return updateAnswer(request, result);
}

/** Some kinds are never replaced blindly. Source: AllowUnconditionalUpdate of upstream's strategies. */
function requireVersion({ definition, name }: ResourceRequest, { metadata }: ReturnType<typeof decodeValue>): void {
  if (definition.strategy.requiresResourceVersion !== true) return;
  if (metadata.resourceVersion && metadata.resourceVersion !== '0') return;
  const message = 'Invalid value: 0: must be specified for an update';
  const { group, resource } = definition;
  throw invalid({ group, kind: resource }, name, [
    { reason: 'FieldValueInvalid', field: 'metadata.resourceVersion', message },
  ]);
}

export function updateAnswer({ definition }: ResourceRequest, result: UpdateResult): Answer {
  return result.entry !== undefined
    ? { type: 'entry', code: 200, definition, entry: result.entry }
    : { type: 'object', code: 200, definition, object: result.object };
}

/** What replaces an object says its name. */
export function requireName({ name }: ResourceRequest, object: { metadata?: { name?: string } }): void {
  if (object.metadata?.name) return;
  throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
}

/** A patch cannot mean another object: for it the uid is a field like others. */
export function requireSameUid(
  { view, definition, name }: ResourceRequest,
  object: { metadata: { uid?: string } },
  old: { metadata: { uid: string } },
): void {
  const { uid } = object.metadata;
  if (uid === undefined || uid === '' || uid === old.metadata.uid) return;
  const message = `Invalid value: ${JSON.stringify(uid)}: field is immutable`;
  throw invalid(view ?? definition, name, [{ reason: 'FieldValueInvalid', field: 'metadata.uid', message }]);
}

/** Name and namespace of a body are those of its path. */
export function checkPlace({ definition, namespace, name }: ResourceRequest, object: ReturnType<typeof decodeValue>) {
  const { metadata } = object;
  if (metadata.name && metadata.name !== name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  }
  metadata.name = name;
  matchNamespace(
    object,
    definition,
    namespace,
    'the namespace of the provided object does not match the namespace sent on the request',
  );
}
