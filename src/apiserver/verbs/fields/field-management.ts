import { storedForms } from '../../../api/conversion/index.ts';
import { decodeObject } from '../../../api/decode/decode.ts';
import { schemaOfKind } from '../../../api/generated-schema.ts';
import {
  type Endpoint,
  mergeTypeOf,
  onlyVersion,
  type trackUpdate,
  trackUpdateSteps,
  Unconverted,
  type Versions,
} from '../../../api/managed-fields/index.ts';
import { apiVersionOf, formatTime, type KubeObject, parseApiVersion } from '../../../api/object.ts';
import type { ResourceDefinition, VersionedForm } from '../../../api/resource-definition.ts';
import { type FieldError, invalid, StatusError } from '../../../api/status.ts';
import { SYSTEM_TENANT } from '../../../api/tenants.ts';
import { type Pace, runAtOnce, runInTurns, type Steps } from '../../../base/steps.ts';
import type { Environment } from '../../environment.ts';
import type { RequestContext } from '../../request-context.ts';
import type { ResourceRequest } from '../scope.ts';
import { resetFieldsOf } from './reset-fields.ts';

/** What writes through one definition and subresource are tracked by; made once. */
export interface TrackedResource {
  endpoint: Endpoint;
  /** An object of the kind before anything is set. */
  empty: KubeObject;
}

const resources = new WeakMap<ResourceDefinition, Map<string, TrackedResource>>();

/** `definition`: in the form the client speaks. */
export function trackedResource(definition: ResourceDefinition, subresource: string): TrackedResource {
  let bySubresource = resources.get(definition);
  if (bySubresource === undefined) resources.set(definition, (bySubresource = new Map()));
  let resource = bySubresource.get(subresource);
  if (resource === undefined) {
    const apiVersion = apiVersionOf(definition);
    const type = mergeTypeOf(definition.schema);
    resource = {
      endpoint: {
        apiVersion,
        type,
        versions: versionsOf(definition),
        subresource,
        reset: resetFieldsOf(definition, subresource),
      },
      empty: { ...decodeObject(definition.schema, {}).object, kind: definition.kind, apiVersion },
    };
    bySubresource.set(subresource, resource);
  }
  return resource;
}

/** autoscaling and events have two APIs for one kind; custom resources have what their definitions say. */
function versionsOf(definition: ResourceDefinition): Versions {
  const own = apiVersionOf(definition);
  if (definition.versioned !== undefined) return versionsOfCustom(definition.versioned);
  const type = mergeTypeOf(definition.schema);
  const forms = Object.entries(storedForms).map(([key, form]) => {
    const [group, version] = key.split('/') as [string, string];
    return { view: apiVersionOf({ group, version }), stored: apiVersionOf(form), form, group, version };
  });
  const related = forms.filter(
    ({ view, stored, form }) => form.kind === definition.kind && (view === own || stored === own),
  );
  if (related.length === 0) return onlyVersion(own, type);
  return {
    typeOf(version) {
      const { group, version: name } = parseApiVersion(version);
      const known = version === own || related.some(({ view, stored }) => view === version || stored === version);
      const schema = known ? schemaOfKind(group, name, definition.kind) : undefined;
      return schema === undefined ? undefined : mergeTypeOf(schema);
    },
    convert(object, from, to) {
      const { form, view } = related.find(
        (one) => [one.view, one.stored].includes(to) && [one.view, one.stored].includes(from),
      )!;
      return { ...(from === view ? form.toStored(object) : form.fromStored(object)), apiVersion: to };
    },
  };
}

function versionsOfCustom({ schemaOf, convert, fromStoredRemotely }: VersionedForm): Versions {
  const hasWebhook = fromStoredRemotely !== undefined;
  return {
    typeOf(version) {
      const schema = schemaOf(version);
      return schema === undefined ? undefined : mergeTypeOf(schema);
    },
    convert(object, from, to) {
      // Without a webhook versions differ in what their schemas know.
      if (!hasWebhook && schemaOf(from) === schemaOf(to)) return object;
      const converted = hasWebhook ? undefined : convert({ ...object, apiVersion: from }, to);
      if (converted === undefined || converted instanceof Promise) throw new Unconverted(object, to);
      return converted;
    },
  };
}

/** Against webhooks that say something else each time. */
const conversionsLimit = 100;

/**
 * Runs what looks at an object in the versions of its managers. Where a webhook makes those, each is asked for when it
 * turns out to be needed, and the work begins anew with it: few objects have managers that speak different versions.
 */
export function withConversions<T>(
  { versioned }: ResourceDefinition,
  resource: TrackedResource,
  work: (resource: TrackedResource) => T | Promise<T>,
): T | Promise<T> {
  return versioned?.fromStoredRemotely === undefined ? work(resource) : converting(versioned, resource, work);
}

async function converting<T>(
  versioned: VersionedForm,
  resource: TrackedResource,
  work: (resource: TrackedResource) => T | Promise<T>,
): Promise<T> {
  const made = new Map<string, KubeObject>();
  const keyOf = (object: KubeObject, apiVersion: string) => `${apiVersion} ${JSON.stringify(object)}`;
  const versions: Versions = {
    ...resource.endpoint.versions,
    convert(object, _from, to) {
      const known = made.get(keyOf(object, to));
      if (known === undefined) throw new Unconverted(object, to);
      return known;
    },
  };
  let known = resource;
  for (;;) {
    try {
      return await work(known);
    } catch (error) {
      if (!(error instanceof Unconverted)) throw error;
      if (made.size === conversionsLimit) throw new StatusError(500, '', error.message);
      const { object, apiVersion } = error;
      // Without what its manager let go of it may have no metadata, which a webhook must see.
      const whole = object.metadata === undefined ? { ...object, metadata: {} as KubeObject['metadata'] } : object;
      made.set(keyOf(object, apiVersion), await versioned.convert(whole, apiVersion));
      known = { ...resource, endpoint: { ...resource.endpoint, versions } };
    }
  }
}

/** Says whose the fields of a written object are. `object` may have managedFields as the client sent them. */
export const trackFields = (
  environment: Environment,
  request: ResourceRequest,
  live: KubeObject | undefined,
  object: KubeObject,
): void => {
  const tracked = trackedResource(request.view ?? request.definition, request.subresource?.name ?? '');
  runAtOnce(trackFieldsSteps(environment, request, live, object, tracked));
};

/** The same, of large objects in parts, and of custom resources in the versions of their managers. */
export function trackFieldsInTurns(
  environment: Environment,
  request: ResourceRequest,
  live: KubeObject | undefined,
  object: KubeObject,
  pace: Pace | undefined,
): void | Promise<void> {
  const definition = request.view ?? request.definition;
  const tracked = trackedResource(definition, request.subresource?.name ?? '');
  const work = (resource: TrackedResource) =>
    runInTurns(trackFieldsSteps(environment, request, live, object, resource), pace);
  const tracking = withConversions(definition, tracked, work);
  if (!(tracking instanceof Promise) || definition.versioned === undefined) return tracking;
  return tracking.catch((error) => {
    environment.logger.warn({ error, path: request.context.info.path }, untracked);
    delete object.metadata.managedFields;
  });
}

const untracked = 'fields of an object could not be tracked';

function* trackFieldsSteps(
  environment: Environment,
  request: ResourceRequest,
  live: KubeObject | undefined,
  object: KubeObject,
  tracked: TrackedResource,
): Steps<void> {
  const { context, tenant } = request;
  const managedFields =
    // The platform's own objects are written at a high rate and by its components alone.
    live === undefined && tenant === SYSTEM_TENANT
      ? undefined
      : yield* fieldsSteps(environment, context, tracked, live, object);
  if (managedFields === undefined) delete object.metadata.managedFields;
  else object.metadata.managedFields = managedFields;
}

export const fieldsAfter = (
  environment: Environment,
  context: RequestContext,
  tracked: TrackedResource,
  live: KubeObject | undefined,
  object: KubeObject,
) => runAtOnce(fieldsSteps(environment, context, tracked, live, object));

function* fieldsSteps(
  environment: Environment,
  context: RequestContext,
  { endpoint, empty }: TrackedResource,
  live: KubeObject | undefined,
  object: KubeObject,
): Steps<ReturnType<typeof trackUpdate>> {
  const now = formatTime(environment.clock.now());
  try {
    return yield* trackUpdateSteps({ endpoint, empty, manager: managerOf(context), live, object, now });
  } catch (error) {
    if (error instanceof Unconverted) throw error;
    // As upstream: rather nobody's fields than a write that fails over who owns them.
    environment.logger.warn({ error, path: context.info.path }, untracked);
    return undefined;
  }
}

const nameLimitBytes = 128;
const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;

/** The name asked for, or what the user agent starts with. */
function managerOf(context: RequestContext): string {
  const asked = context.query.get('fieldManager');
  return asked || managerOfUserAgent(context.userAgent);
}

const byUserAgent = new Map<string, string>();
const userAgentsLimit = 1000;

function managerOfUserAgent(userAgent: string): string {
  let name = byUserAgent.get(userAgent);
  if (name === undefined) {
    name = '';
    let bytes = 0;
    for (const character of userAgent.split('/', 1)[0]!) {
      if (unprintable.test(character)) continue;
      bytes += Buffer.byteLength(character);
      if (bytes > nameLimitBytes) break;
      name += character;
    }
    if (byUserAgent.size >= userAgentsLimit) byUserAgent.clear();
    byUserAgent.set(userAgent, name);
  }
  return name;
}

/** `fieldManager` (and for patches `force`) as they may be asked for; 422 otherwise. */
export function checkFieldManager(
  context: RequestContext,
  kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions',
  isApply = false,
): void {
  const { query } = context;
  const asked = query.get('fieldManager') ?? '';
  const errors: FieldError[] = [];
  if (isApply && asked === '') {
    const message = 'Required value: is required for apply patch';
    errors.push({ reason: 'FieldValueRequired', field: 'fieldManager', message });
  }
  if (kind === 'PatchOptions' && !isApply && query.has('force')) {
    const message = 'Forbidden: may not be specified for non-apply patch';
    errors.push({ reason: 'FieldValueForbidden', field: 'force', message });
  }
  if (asked !== '') errors.push(...checkName(asked));
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind }, '', errors);
}

function checkName(name: string): FieldError[] {
  const errors: FieldError[] = [];
  if (Buffer.byteLength(name) > nameLimitBytes) {
    const message = `Too long: may not be more than ${nameLimitBytes} bytes`;
    errors.push({ reason: 'FieldValueTooLong', field: 'fieldManager', message });
  }
  if (!unprintable.test(name)) return errors;
  let position = 0;
  for (const character of name) {
    if (unprintable.test(character)) {
      const point = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
      const message = `Invalid value: ${JSON.stringify(name)}: invalid character U+${point} (at position ${position})`;
      errors.push({ reason: 'FieldValueInvalid', field: 'fieldManager', message });
    }
    position += Buffer.byteLength(character);
  }
  return errors;
}
