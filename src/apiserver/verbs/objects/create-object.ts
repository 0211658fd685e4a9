import { generateName } from '../../../api/generate-name.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import { alreadyExists, invalid, StatusError } from '../../../api/status.ts';
import { objectChecks } from '../../../api/validation/index.ts';
import { warningsAsSent, warningsKept, warningsOf } from '../../../api/validation/warnings/index.ts';
import { type Pace, runInTurns } from '../../../base/steps.ts';
import type { Environment } from '../../environment.ts';
import type { Identity } from '../../identity/identity.ts';
import type { CacheEntry } from '../../watch-cache/watch-cache.ts';
import { fillInDefaults } from './defaults.ts';
import { prepareMetadataForCreate } from './metadata.ts';
import { hookKey } from './update-object.ts';

export interface CreateRequest {
  definition: ResourceDefinition;
  tenant: string;
  /** '' for cluster-scoped resources. */
  namespace: string;
  /** Decoded and defaulted, the writer's own copy. */
  object: KubeObject;
  identity: Identity;
  dryRun: boolean;
  warnings: string[];
  /** For admission: see AdmissionRequest. */
  options?: object;
  view?: ResourceDefinition;
  /** Of the request it is for: a large object is worked on in parts. */
  pace?: Pace;
}

export type CreateResult = { entry: CacheEntry; object?: undefined } | { entry?: undefined; object: KubeObject };

/** As upstream: so many names are tried before a generateName gives up. */
const nameAttempts = 8;
/** Claims that go with an object (a service's address) may be lost to another writer. */
const claimAttempts = 20;

/** The one way an object comes to be. */
export async function createObject(environment: Environment, request: CreateRequest): Promise<CreateResult> {
  const { definition, object, tenant, namespace } = request;
  const { metadata } = object;
  const wasStored = metadata.resourceVersion !== undefined && metadata.resourceVersion !== '';
  if (!metadata.resourceVersion) delete (metadata as Partial<typeof metadata>).resourceVersion;
  const admission = {
    operation: 'CREATE' as const,
    definition,
    subresource: '',
    tenant,
    namespace,
    name: metadata.name ?? '',
    object,
    identity: request.identity,
    dryRun: request.dryRun,
    warnings: request.warnings,
    ...(request.options !== undefined && { options: request.options }),
    ...(request.view !== undefined && { view: request.view }),
    ...(request.pace !== undefined && { pace: request.pace }),
  };
  await environment.admission.mutate(admission);
  if (request.pace?.isDue) await request.pace.rest();
  prepareMetadataForCreate(object, definition, environment.clock.now());
  const hasStatus = definition.subresources.some((candidate) => candidate.name === 'status');
  const losesStatus = hasStatus && definition.strategy.keepsStatusOnCreate !== true;
  if (losesStatus) delete object['status'];
  request.warnings.push(...warningsAsSent(definition, object).slice(0, warningsKept));
  const generated = !metadata.name && metadata.generateName !== undefined && metadata.generateName !== '';
  const base = metadata.generateName ?? '';
  if (generated) metadata.name = generateName(base);
  definition.strategy.prepareForCreate?.(object);

  const hooks = environment.hooks.get(hookKey(definition));
  for (let attempt = 1; ; attempt++) {
    if (attempt > 1) {
      const taken = metadata.name;
      metadata.name = generateName(base);
      definition.strategy.rename?.(object, taken);
    }
    const checking = runInTurns(objectChecks(definition, object, request.view), request.pace);
    const errors = checking instanceof Promise ? await checking : checking;
    if (attempt === 1 && hooks?.prepareCreate !== undefined) {
      const { dryRun } = request;
      await hooks.prepareCreate(object, errors, { tenant, namespace, name: metadata.name ?? '', dryRun });
    }
    if (errors.length > 0) throw invalid(definition, metadata.name ?? '', errors);
    if (request.pace?.isDue) await request.pace.rest();
    if (attempt === 1) {
      const warnings = runInTurns(warningsOf(definition, object), request.pace);
      request.warnings.push(...(warnings instanceof Promise ? await warnings : warnings).slice(0, warningsKept));
    }
    admission.name = metadata.name;
    if (request.pace?.isDue) await request.pace.rest();
    await environment.admission.validate(admission);
    if (request.pace?.isDue) await request.pace.rest();
    // The store's own check, the last of all, which dry runs do not reach.
    if (wasStored && !request.dryRun) {
      throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created');
    }
    // What is read back has the defaults of its schema, those of the status too.
    if (losesStatus && definition.versioned !== undefined) {
      const filling = fillInDefaults(definition, object, request.pace);
      if (filling instanceof Promise) await filling;
    }
    try {
      return await write(environment, request, object);
    } catch (error) {
      if (!generated || !(error instanceof StatusError) || error.reason !== 'AlreadyExists') throw error;
      if (attempt < nameAttempts) continue;
      throw new StatusError(
        409,
        'AlreadyExists',
        `${error.message}, the server was not able to generate a unique name for the object`,
        { ...error.details, retryAfterSeconds: 1 },
      );
    }
  }
}

async function write(environment: Environment, request: CreateRequest, object: KubeObject): Promise<CreateResult> {
  const { definition, tenant, namespace, dryRun } = request;
  const { name } = object.metadata;
  const hooks = environment.hooks.get(hookKey(definition));
  const found = environment.objects.find(definition, tenant, namespace, name);
  const existing = found instanceof Promise ? await found : found;
  const spoken = request.view ?? definition;
  if (existing !== undefined) throw existsError(spoken, name, existing.object);
  for (let attempt = 0; attempt < claimAttempts; attempt++) {
    const alongside =
      hooks?.onCreate === undefined ? [] : await hooks.onCreate(object, { tenant, namespace, name, dryRun });
    if (dryRun) return { object: await readBack(definition, object) };
    const change = { resource: definition, tenant, namespace, name, before: undefined, after: object };
    const written = await environment.objects.commit([change, ...alongside], request.pace);
    if (written !== undefined) return { entry: written.entries[0]! };
    const present = await environment.objects.get(definition, tenant, namespace, name);
    if (present !== undefined) throw existsError(spoken, name, present.object);
  }
  throw new StatusError(409, 'Conflict', `${definition.resource} ${JSON.stringify(name)}: too many concurrent writers`);
}

/** What is read of an object once it is written: what the stored version knows of it. */
async function readBack({ versioned }: ResourceDefinition, object: KubeObject): Promise<KubeObject> {
  if (versioned === undefined || object.apiVersion === versioned.storedApiVersion) return object;
  const stored = await versioned.toStored(object);
  if (versioned.fromStoredRemotely === undefined) return versioned.fromStored(stored);
  return (await versioned.fromStoredRemotely([stored]))[0]!;
}

function existsError(definition: ResourceDefinition, name: string, existing: KubeObject): StatusError {
  const error = alreadyExists(definition, name);
  if (existing.metadata.deletionTimestamp === undefined) return error;
  return new StatusError(error.code, error.reason, `object is being deleted: ${error.message}`, error.details);
}
