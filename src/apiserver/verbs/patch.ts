import { applyTypeDefaults, hasStatusApart } from '../../api/defaults.ts';
import { resolveObject } from '../../api/generated-schema.ts';
import { findDuplicateFields } from '../../api/json/duplicate-fields.ts';
import { longText, type ReadText, readJson } from '../../api/json/read-json.ts';
import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import { patchSteps } from '../../api/patch/index.ts';
import { APPLY_PATCH, JSON_PATCH, patchTypes, STRATEGIC_MERGE_PATCH } from '../../api/patch/media-types.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { badRequest, invalid, StatusError, unsupportedMediaType } from '../../api/status.ts';
import { runInTurns } from '../../base/steps.ts';
import type { Answer } from '../answer.ts';
import { type BodyTarget, decodeValue, fieldValidationOf } from '../decode-body.ts';
import type { Environment } from '../environment.ts';
import { jsonErrorSteps } from '../json-syntax.ts';
import { noteSize, paceOf } from '../pace.ts';
import type { RequestContext } from '../request-context.ts';
import { apply, readConfiguration } from './apply.ts';
import { checkFieldManager, trackFields, trackFieldsInTurns } from './fields/field-management.ts';
import { fillInDefaults } from './objects/defaults.ts';
import { updateObject } from './objects/update-object.ts';
import { dryRunOf, writeOptionsOf } from './options/write-options.ts';
import { type ResourceRequest, writeOf } from './scope.ts';
import { checkPlace, requireName, requireSameUid, requireVersion, updateAnswer } from './update.ts';
import { fromStored, toStored } from './views.ts';

export interface PatchBody {
  contentType: string;
  document: unknown;
  /** What the text repeats, and members no operation has. */
  findings?: string[];
}

/** PATCH of an object or its status: applied to the newest state, and again when someone wrote in between. */
export async function patch(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, definition, subresource } = request;
  const dryRun = dryRunOf(context, 'PatchOptions');
  const { contentType, document, findings = [] } = await readPatch(context, definition);
  if (contentType === APPLY_PATCH) return apply(environment, request, document as KubeObject);
  checkFieldManager(context, 'PatchOptions');
  const spoken = request.view ?? definition;
  const isCustom = spoken.schema.structural !== undefined;
  // Nothing says how lists of custom resources are merged.
  if (isCustom && contentType === STRATEGIC_MERGE_PATCH) {
    throw unsupportedPatch(definition);
  }
  const pace = paceOf(context);
  let first = true;
  const result = await updateObject(environment, {
    ...writeOf(request, dryRun),
    subresource: subresource?.name ?? '',
    isPatch: true,
    options: writeOptionsOf(context, 'UpdateOptions'),
    pace,
    async change(old) {
      // Sets of fields are large, and few patches speak of them: they are neither copied nor read then.
      const { managedFields } = old.metadata;
      const keepsManagers =
        managedFields !== undefined && request.view === undefined && !mentionsManagers(contentType, document);
      const current = withoutTenant(fromStored(request.view, old), keepsManagers);
      // What a status patch leaves alone need not be copied, decoded and compared: it stays the old object's.
      const statusOnly =
        subresource?.name === 'status' &&
        request.view === undefined &&
        !isCustom &&
        hasStatusApart(definition) &&
        touchesStatusOnly(contentType, document);
      const before = statusOnly ? statusPart(current) : current;
      const patching = runInTurns(
        patchSteps<KubeObject>(contentType, spoken.schema, before, document, pace?.isLong === true),
        pace,
      );
      const patched = patching instanceof Promise ? await patching : patching;
      if (pace?.isDue) await pace.rest();

      const target = { kind: spoken, schema: spoken.schema };
      // Strategic patches are of the kind they are sent to, whatever they say.
      const value =
        contentType === STRATEGIC_MERGE_PATCH
          ? { ...patched, kind: spoken.kind, apiVersion: apiVersionOf(spoken) }
          : patched;
      const object = decodePatched(
        // A repeated attempt must not warn twice.
        first ? context : { ...context, warnings: [] },
        value,
        target,
        findings,
        keepsManagers ? managedFields : undefined,
      );
      first = false;
      if (keepsManagers) object.metadata.managedFields = managedFields;
      if (pace?.isDue) await pace.rest();
      object.apiVersion = apiVersionOf(spoken);
      requireName(request, object);
      requireSameUid(request, object, old);
      checkPlace(request, object);
      // A version in the patch is a precondition; the one it inherited from the old state is not.
      requireVersion(request, object);
      if (!hasVersion(document)) delete (object.metadata as Partial<KubeObject['metadata']>).resourceVersion;
      if (statusOnly) {
        const statusType = spoken.schema.fields['status']?.type;
        if (statusType?.kind === 'object' && object['status'] !== undefined) {
          applyTypeDefaults(resolveObject(statusType), object['status']);
        }
        const whole = { ...old, metadata: object.metadata, status: object['status'] };
        trackFields(environment, request, old, whole);
        return whole;
      }
      const filling = fillInDefaults(spoken, object, pace);
      if (filling instanceof Promise) await filling;
      if (pace?.isDue) await pace.rest();
      const tracking = trackFieldsInTurns(environment, request, fromStored(request.view, old), object, pace);
      if (tracking instanceof Promise) await tracking;
      if (pace?.isDue) await pace.rest();
      return toStored(request.view, object);
    },
  });
  return updateAnswer(request, result);
}

/** What a patch makes of an object may be none of its kind: the patch is what is wrong then. */
export function decodePatched(
  context: RequestContext,
  value: KubeObject,
  target: BodyTarget,
  findings: string[],
  managedFields: unknown[] | undefined,
): KubeObject {
  try {
    return decodeValue(context, { value, duplicates: findings, text: '' }, target);
  } catch (error) {
    if (!(error instanceof StatusError) || error.code !== 400) throw error;
    const why = error.message
      .replace(/^\S+ in version "[^"]*" cannot be handled as a \S+: /, '')
      .replace(/^the object provided is unrecognized \(must be of type \S+\): (.*) \(<empty>\)$/s, '$1');
    const shown = managedFields === undefined ? value : { ...value, metadata: { ...value.metadata, managedFields } };
    const message = `Invalid value: ${JSON.stringify(JSON.stringify(shown))}: ${why}`;
    throw invalid({ group: '', kind: '' }, '', [{ reason: 'FieldValueInvalid', field: 'patch', message }]);
  }
}

function withoutTenant(object: KubeObject, orManagers: boolean): KubeObject {
  const metadata = { ...object.metadata };
  delete metadata.clusterName;
  if (orManagers) delete metadata.managedFields;
  return { ...object, metadata };
}

/** May the patch read or change managedFields? */
function mentionsManagers(contentType: string, document: any): boolean {
  if (contentType === JSON_PATCH) return true;
  const metadata = document?.metadata;
  if (metadata === undefined) return false;
  if (typeof metadata !== 'object' || metadata === null) return true;
  for (const field in metadata) if (field === 'managedFields' || field.startsWith('$')) return true;
  return false;
}

/** Is the document a merge of metadata and status, which can change nothing else of the object? */
function touchesStatusOnly(contentType: string, document: any): boolean {
  if (contentType === JSON_PATCH || typeof document !== 'object' || document === null) return false;
  return Object.keys(document).every((field) => statusPartFields.has(field));
}
const statusPartFields = new Set(['kind', 'apiVersion', 'metadata', 'status']);

function statusPart({ kind, apiVersion, metadata, status }: KubeObject): KubeObject {
  return { kind, apiVersion, metadata, ...(status !== undefined && { status }) };
}

function hasVersion(document: any): boolean {
  if (Array.isArray(document)) {
    return document.some((operation) => operation?.path === '/metadata/resourceVersion' && operation?.op !== 'test');
  }
  return typeof document?.metadata?.resourceVersion === 'string' && document.metadata.resourceVersion !== '';
}

/** Upstream's router says it of built-in resources, the handler itself of custom ones. */
function unsupportedPatch(definition: ResourceDefinition): StatusError {
  if (definition.schema.structural === undefined) {
    return new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
  }
  const types = patchTypes.filter((type) => type !== STRATEGIC_MERGE_PATCH).join(', ');
  return unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${types}`,
  );
}

/** A patch of the wrong form, in the words of Go's reader, which reads nothing into an object or a list. */
function checkForm(contentType: string, document: unknown): unknown {
  const type = goTypeOf(document);
  if (contentType === JSON_PATCH) {
    if (type === 'null') return [];
    if (type === 'array') return document;
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${type} into Go value of type []handlers.jsonPatchOp`,
    );
  }
  if (type === 'null' && contentType === STRATEGIC_MERGE_PATCH) return {};
  if (type === 'object' || type === 'null' || contentType === STRATEGIC_MERGE_PATCH) return document;
  throw badRequest(
    `error decoding patch: json: cannot unmarshal ${type} into Go value of type map[string]interface {}`,
  );
}

const operationMembers = new Set(['op', 'path', 'from', 'value']);

const readShort = (text: string, wantsDuplicates: boolean): ReadText => ({
  value: JSON.parse(text),
  duplicates: wantsDuplicates ? findDuplicateFields(text) : [],
});

function findingsOf(contentType: string, document: unknown, duplicates: string[]): string[] {
  const findings = contentType === STRATEGIC_MERGE_PATCH ? [] : duplicates;
  if (contentType !== JSON_PATCH || !Array.isArray(document)) return findings;
  for (const [index, operation] of document.entries()) {
    if (typeof operation !== 'object' || operation === null) continue;
    for (const [member, value] of Object.entries(operation)) {
      if (!operationMembers.has(member)) findings.push(`json patch unknown field "[${index}].${member}"`);
      else if (member !== 'value' && value !== null && typeof value !== 'string') {
        throw badRequest(
          `error decoding patch: json: cannot unmarshal ${goTypeOf(value)} into Go struct field jsonPatchOp.${member} of type string`,
        );
      }
      if (findings.length >= findingsKept) return findings;
    }
  }
  return findings;
}
const findingsKept = 1000;

function goTypeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** The patch document; 415 for what is no patch type, 400 for bad JSON or YAML. */
export async function readPatch(context: RequestContext, definition: ResourceDefinition): Promise<PatchBody> {
  const body = await context.readBody();
  const contentType = body.contentType.split(';', 1)[0]!.trim();
  if (!patchTypes.includes(contentType)) throw unsupportedPatch(definition);
  if (!context.info.hasNameInPath) throw badRequest('name must be provided');
  if (contentType === APPLY_PATCH) return { contentType, document: await readConfiguration(context, body) };
  if (body.type === 'value') return { contentType, document: body.value };
  noteSize(paceOf(context), body.bytes.length);
  const text = body.bytes.toString('utf8');
  const wantsFindings = fieldValidationOf(context) !== 'Ignore';
  let document: unknown;
  let duplicates: string[] = [];
  try {
    const pace = paceOf(context);
    const isLong = text.length >= longText && pace !== undefined;
    ({ value: document, duplicates } = isLong
      ? await runInTurns(readJson(text), pace)
      : readShort(text, wantsFindings));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const why = await runInTurns(jsonErrorSteps(text), paceOf(context));
    throw badRequest(contentType === STRATEGIC_MERGE_PATCH ? why : `error decoding patch: ${why}`);
  }
  const findings = wantsFindings ? findingsOf(contentType, document, duplicates) : [];
  return { contentType, document: checkForm(contentType, document), findings };
}
