import type { KubeObject } from '../../api/object.ts';
import { badRequest, conflict, type FieldError, invalid, isAlreadyExists, isNotFound } from '../../api/status.ts';
import { metadataKeptByStatus } from '../../api/strategies/status-metadata.ts';
import { ownLookAtMetadata } from '../../api/validation/index.ts';
import { type Answer, writtenAnswer } from '../answer.ts';
import { attributesOf, deniedError } from '../authorization/attributes.ts';
import { decodeValue, fieldValidationOf, parseBody } from '../decode-body.ts';
import type { Environment } from '../environment.ts';
import { paceOf } from '../pace.ts';
import type { RequestContext } from '../request-context.ts';
import { createSent } from './create.ts';
import { checkFieldManager, trackFieldsInTurns } from './fields/field-management.ts';
import { fillInDefaults } from './objects/defaults.ts';
import { matchNamespace } from './objects/metadata.ts';
import { type UpdateResult, updateObject } from './objects/update-object.ts';
import { dryRunOf, writeOptionsOf } from './options/write-options.ts';
import { checkNameInPath, type ResourceRequest, writeOf } from './scope.ts';
import { fromStored, toStored } from './views.ts';

/** PUT of an object or its status. What is not there is created where the kind is made so, else 404. */
export async function update(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, subresource, name } = request;
  const dryRun = dryRunOf(context, 'UpdateOptions');
  checkFieldManager(context, 'UpdateOptions');
  const spoken = request.view ?? definition;
  const body = await parseBody(context, await context.readBody(), spoken.kind, {
    wantDuplicates: fieldValidationOf(context) !== 'Ignore',
    schema: spoken.schema,
  });
  const target = { kind: spoken, schema: spoken.schema };
  const pace = paceOf(context);
  let decoded: ReturnType<typeof decodeValue> | undefined = decodeValue(context, body, target);
  context.noteSent?.(decoded, spoken);
  if (pace?.isDue) await pace.rest();
  requireName(request, decoded);
  checkPlace(request, decoded);
  const replace = () =>
    updateObject(environment, {
      ...writeOf(request, dryRun),
      subresource: subresource?.name ?? '',
      options: writeOptionsOf(context, 'UpdateOptions'),
      pace,
      change: async (old) => {
        // A repeated attempt must not see what the first one filled in.
        const object = decoded ?? decodeValue({ ...context, warnings: [] }, body, target);
        decoded = undefined;
        checkPlace(request, object);
        // After the search: what is not there is not found, whatever was sent.
        requireVersion(request, object);
        const filling = fillInDefaults(spoken, object, pace);
        if (filling instanceof Promise) await filling;
        if (pace?.isDue) await pace.rest();
        const tracking = trackFieldsInTurns(environment, request, fromStored(request.view, old), object, pace);
        if (tracking instanceof Promise) await tracking;
        if (pace?.isDue) await pace.rest();
        return toStored(request.view, object);
      },
    });
  if (definition.strategy.createdByUpdates !== true || subresource !== undefined) {
    return updateAnswer(request, await replace());
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return updateAnswer(request, await replace());
    } catch (error) {
      if (!isNotFound(error) || error.details?.name !== name || attempt === attempts) throw error;
    }
    const object = decodeValue({ ...context, warnings: [] }, body, target);
    checkPlace(request, object);
    await checkMayCreate(environment, request, object);
    delete (object.metadata as Partial<KubeObject['metadata']>).resourceVersion;
    try {
      return await createSent(environment, request, object, dryRun);
    } catch (error) {
      // It came meanwhile.
      if (!isAlreadyExists(error)) throw error;
    }
  }
}

/** So often an object may come and go between looking and writing. */
const attempts = 5;

/** Who may replace need not be allowed to create; an identity is of something that is there. */
async function checkMayCreate(environment: Environment, request: ResourceRequest, object: KubeObject): Promise<void> {
  const { context, definition, name } = request;
  const { uid } = object.metadata;
  if (uid) throw conflict(definition, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: `);
  await authorizeCreation(environment, context);
}

/** 403 for who may not create what a write would bring about. */
export async function authorizeCreation(environment: Environment, context: RequestContext): Promise<void> {
  const { identity } = context;
  if (identity.kind === 'platform') return;
  const attributes = { ...attributesOf(context), verb: 'create' };
  const decision = await environment.authorizer.authorize(identity, attributes, paceOf(context));
  if (!decision.allowed) throw deniedError(identity, attributes, decision.reason);
}

/** Some kinds are never replaced blindly. Source: AllowUnconditionalUpdate of upstream's strategies. */
export function requireVersion(
  { definition, name }: ResourceRequest,
  { metadata }: ReturnType<typeof decodeValue>,
): void {
  if (definition.strategy.requiresResourceVersion !== true) return;
  if (metadata.resourceVersion && metadata.resourceVersion !== '0') return;
  const message = 'Invalid value: 0: must be specified for an update';
  const { group, resource } = definition;
  throw invalid({ group, kind: resource }, name, [
    { reason: 'FieldValueInvalid', field: 'metadata.resourceVersion', message },
  ]);
}

export function updateAnswer({ definition }: ResourceRequest, result: UpdateResult): Answer {
  return writtenAnswer(definition, 200, result);
}

/** What replaces an object says its name. */
export function requireName({ name }: ResourceRequest, object: { metadata?: { name?: string } }): void {
  if (object.metadata?.name) return;
  throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
}

/** A patch cannot mean another object: for it the uid is a field like others, which some kinds' status leaves alone. */
export function requireSameUid(
  { definition, name, subresource }: ResourceRequest,
  object: { metadata: { uid?: string } },
  old: { metadata: { uid: string } },
): void {
  const { uid } = object.metadata;
  if (uid === undefined || uid === '' || uid === old.metadata.uid) return;
  if (subresource?.name === 'status' && metadataKeptByStatus(definition).includes('uid')) {
    object.metadata.uid = old.metadata.uid;
    return;
  }
  const message = `Invalid value: ${JSON.stringify(uid)}: field is immutable`;
  const finding: FieldError = { reason: 'FieldValueInvalid', field: 'metadata.uid', message };
  // Told once for all kinds, and again for its own where that looks.
  const isToldAgain = ownLookAtMetadata(definition, subresource?.name) === 'all';
  throw invalid(definition, name, isToldAgain ? [finding, finding] : [finding]);
}

/** Name and namespace of a body are those of its path. */
export function checkPlace({ definition, namespace, name }: ResourceRequest, object: ReturnType<typeof decodeValue>) {
  const { metadata } = object;
  checkNameInPath(name);
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
