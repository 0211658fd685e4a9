import { applyDefaults } from '../../api/defaults.ts';
import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import { type Answer, writtenAnswer } from '../answer.ts';
import { readObject } from '../decode-body.ts';
import type { Environment } from '../environment.ts';
import { paceOf } from '../pace.ts';
import { checkFieldManager, trackFieldsInTurns } from './fields/field-management.ts';
import { createObject } from './objects/create-object.ts';
import { fillInDefaults } from './objects/defaults.ts';
import { matchNamespace } from './objects/metadata.ts';
import { dryRunOf, writeOptionsOf } from './options/write-options.ts';
import { methodNotAllowedHere, type ResourceRequest, writeOf } from './scope.ts';
import { toStored } from './views.ts';

/** POST to a collection. */
export async function create(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, namespace } = request;
  if (definition.namespaced && namespace === '') throw methodNotAllowedHere();
  const dryRun = dryRunOf(context, 'CreateOptions');
  checkFieldManager(context, 'CreateOptions');
  const spoken = request.view ?? definition;
  const sent = await readObject(context, { kind: spoken, schema: spoken.schema, definition: spoken });
  return createSent(environment, request, sent, dryRun);
}

/** As POST does, of what is decoded already. */
export async function createSent(
  environment: Environment,
  request: ResourceRequest,
  sent: KubeObject,
  dryRun: boolean,
): Promise<Answer> {
  const { context, definition, namespace } = request;
  const pace = paceOf(context);
  const filling = fillInDefaults(request.view ?? definition, sent, pace);
  if (filling instanceof Promise) await filling;
  if (pace?.isDue) await pace.rest();
  // Nobody's: nothing is made on its way out.
  delete sent.metadata.deletionTimestamp;
  delete sent.metadata.deletionGracePeriodSeconds;
  const tracking = trackFieldsInTurns(environment, request, undefined, sent, pace);
  if (tracking instanceof Promise) await tracking;
  if (pace?.isDue) await pace.rest();
  const object = toStored(request.view, sent);
  object.kind = definition.kind;
  object.apiVersion = apiVersionOf(definition);
  matchNamespace(
    object,
    definition,
    namespace,
    'the namespace of the provided object does not match the namespace sent on the request',
  );
  if (request.view !== undefined) applyDefaults(definition, object);
  const options = writeOptionsOf(context, 'CreateOptions');
  const result = await createObject(environment, { ...writeOf(request, dryRun), object, options, pace });
  return writtenAnswer(definition, 201, result);
}
