import { applyDefaults } from '../../api/defaults.ts';
import { findDuplicateFields } from '../../api/json/duplicate-fields.ts';
import { longText, readJson } from '../../api/json/read-json.ts';
import { type Application, applyConfiguration, applySteps } from '../../api/managed-fields/index.ts';
import { apiVersionOf, formatTime, type KubeObject } from '../../api/object.ts';
import { badRequest, conflict, notFound, StatusError } from '../../api/status.ts';
import { runInTurns } from '../../base/steps.ts';
import { type Answer, writtenAnswer } from '../answer.ts';
import { decodeValue, fieldValidationOf } from '../decode-body.ts';
import type { Environment } from '../environment.ts';
import { noteSize, paceOf } from '../pace.ts';
import type { RequestBody, RequestContext } from '../request-context.ts';
import { readYaml } from '../yaml/read.ts';
import {
  checkFieldManager,
  type TrackedResource,
  trackedResource,
  withConversions,
} from './fields/field-management.ts';
import { createObject } from './objects/create-object.ts';
import { fillInDefaults } from './objects/defaults.ts';
import { updateObject } from './objects/update-object.ts';
import { dryRunOf, writeOptionsOf } from './options/write-options.ts';
import { type ResourceRequest, writeOf } from './scope.ts';
import { authorizeCreation, checkPlace, requireName, requireSameUid, updateAnswer } from './update.ts';
import { fromStored, toStored } from './views.ts';

/** So often an object may come and go between looking and writing. */
const attempts = 5;

/**
 * PATCH with a configuration to apply: the object becomes what it says, or comes to be. `configuration` as
 * readConfiguration gives it.
 */
export async function apply(
  environment: Environment,
  request: ResourceRequest,
  configuration: KubeObject,
): Promise<Answer> {
  const { context, definition, subresource, tenant, namespace, name } = request;
  checkFieldManager(context, 'PatchOptions', true);
  const dryRun = dryRunOf(context, 'PatchOptions');
  const spoken = request.view ?? definition;
  const tracked = trackedResource(spoken, subresource?.name ?? '');
  const pace = paceOf(context);
  const appliedTo = async (live: KubeObject | undefined): Promise<KubeObject> => {
    const applying = withConversions(spoken, tracked, (resource) =>
      runInTurns(applySteps(applicationOf(environment, context, resource, spoken, live, configuration)), pace),
    );
    const merged = applying instanceof Promise ? await applying : applying;
    if (pace?.isDue) await pace.rest();
    const lenient = { ...context, inProcess: true, query: noQuery, warnings: [] };
    const object = decodeValue(
      lenient,
      { value: merged, duplicates: [], text: '' },
      { kind: spoken, schema: spoken.schema },
    );
    // Who lets go of all of the metadata lets go of the name too.
    const { name: named } = object.metadata;
    checkPlace(request, object);
    requireName(request, { metadata: { name: named } });
    if (live !== undefined) requireSameUid(request, object, live);
    if (!configuration.metadata?.resourceVersion) {
      delete (object.metadata as Partial<KubeObject['metadata']>).resourceVersion;
    }
    if (pace?.isDue) await pace.rest();
    const filling = fillInDefaults(spoken, object, pace);
    if (filling instanceof Promise) await filling;
    return toStored(request.view, object);
  };
  const write = { ...writeOf(request, dryRun), pace };
  for (let attempt = 1; ; attempt++) {
    const existing = await environment.objects.get(definition, tenant, namespace, name);
    try {
      if (existing !== undefined) {
        const change = (old: KubeObject) => appliedTo(withoutTenant(fromStored(request.view, old)));
        return updateAnswer(
          request,
          await updateObject(environment, {
            ...write,
            options: writeOptionsOf(context, 'UpdateOptions'),
            subresource: subresource?.name ?? '',
            isPatch: true,
            change,
          }),
        );
      }
      if (subresource !== undefined) throw notFound(definition, name);
      const object = await appliedTo(undefined);
      // Of what is not there, every version is as good.
      delete (object.metadata as Partial<KubeObject['metadata']>).resourceVersion;
      await checkMayCreate(environment, request, object);
      object.kind = definition.kind;
      object.apiVersion = apiVersionOf(definition);
      if (request.view !== undefined) applyDefaults(definition, object);
      const result = await createObject(environment, {
        ...write,
        options: writeOptionsOf(context, 'CreateOptions'),
        object,
      });
      return writtenAnswer(definition, 201, result);
    } catch (error) {
      // It came or went meanwhile.
      const raced =
        error instanceof StatusError &&
        (existing === undefined ? error.reason === 'AlreadyExists' : error.reason === 'NotFound');
      if (!raced || attempt === attempts || error.details?.name !== name) throw error;
      if (
        existing !== undefined &&
        (await environment.objects.get(definition, tenant, namespace, name)) !== undefined
      ) {
        throw error;
      }
    }
  }
}

const noQuery = { get: () => null, getAll: () => [], has: () => false };

/** One application, to an object or to a form of it. */
export function applyTo(
  environment: Environment,
  context: RequestContext,
  tracked: TrackedResource,
  kind: { group: string; version: string; kind: string },
  live: KubeObject | undefined,
  configuration: KubeObject,
): KubeObject {
  return applyConfiguration(applicationOf(environment, context, tracked, kind, live, configuration));
}

function applicationOf(
  environment: Environment,
  context: RequestContext,
  { endpoint, empty }: TrackedResource,
  kind: { group: string; version: string; kind: string },
  live: KubeObject | undefined,
  configuration: KubeObject,
): Application {
  return {
    endpoint,
    kind,
    empty,
    live,
    configuration,
    manager: context.query.get('fieldManager')!,
    force: isTrue(context.query.get('force')),
    now: formatTime(environment.clock.now()),
  };
}

/** As Go reads booleans. */
const isTrue = (text: string | null) => text !== null && ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text);

export function withoutTenant(object: KubeObject): KubeObject {
  const { clusterName: _clusterName, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Who may patch need not be allowed to create. */
async function checkMayCreate(environment: Environment, request: ResourceRequest, object: KubeObject): Promise<void> {
  const { context, definition, name } = request;
  if (object.metadata.uid) {
    throw conflict(
      definition,
      name,
      `uid mismatch: the provided object specified uid ${object.metadata.uid}, and no existing object was found`,
    );
  }
  await authorizeCreation(environment, context);
}

/** The configuration of an apply patch, YAML or JSON; 400 when it is none. */
export async function readConfiguration(context: RequestContext, body: RequestBody): Promise<KubeObject> {
  if (body.type === 'value') return body.value as KubeObject;
  noteSize(paceOf(context), body.bytes.length);
  const text = body.bytes.toString('utf8');
  let value: unknown;
  const isJson = text.trimStart().startsWith('{');
  let duplicates: string[] = [];
  const pace = paceOf(context);
  const wantDuplicates = fieldValidationOf(context) !== 'Ignore';
  try {
    if (isJson && text.length >= longText && pace !== undefined) {
      ({ value, duplicates } = await runInTurns(readJson(text), pace));
    } else if (isJson) {
      value = JSON.parse(text);
      if (wantDuplicates) duplicates = findDuplicateFields(text);
    }
  } catch (error) {
    // YAML has a flow style that only looks like JSON.
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (value === undefined || (wantDuplicates && duplicates.length > 0)) {
    let failure: string | undefined;
    ({ value, duplicates, failure } = await readYaml(text, context.tenant, pace));
    if (failure !== undefined) {
      throw badRequest(`error decoding YAML: error converting YAML to JSON: yaml: ${failure}`);
    }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    if (value === null) throw badRequest('invalid object type: /, Kind=');
    const type = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
    throw badRequest(
      `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${type} into Go value of type map[string]interface {}`,
    );
  }
  if (wantDuplicates && duplicates.length > 0) {
    const why = `error converting YAML to JSON: yaml: unmarshal errors:\n${duplicates.join('\n')}`;
    if (fieldValidationOf(context) === 'Strict') throw badRequest(`error strict decoding YAML: ${why}`);
    context.warnings.push(...duplicates.map((line) => line.trim()));
  }
  return value as KubeObject;
}
