import { decodeObject, strictDecodingError } from '../api/decode/decode.ts';
import { strictErrorsKept } from '../api/decode/issues.ts';
import { wrongTypeMeta } from '../api/decode/type-meta.ts';
import { schemaOfKind } from '../api/generated-schema.ts';
import { findDuplicateFields } from '../api/json/duplicate-fields.ts';
import { longText, mostMembers, readJson } from '../api/json/read-json.ts';
import { apiVersionOf, type GroupVersionKind, type KubeObject, parseApiVersion } from '../api/object.ts';
import type { ResourceDefinition } from '../api/resource-definition.ts';
import type { TypeSchema } from '../api/schema.ts';
import { badRequest, invalid, StatusError, unsupportedMediaType } from '../api/status.ts';
import { runInTurns, type Steps } from '../base/steps.ts';
import { mostValues } from './http/nesting.ts';
import { jsonErrorSteps } from './json-syntax.ts';
import { noteSize, paceOf } from './pace.ts';
import { protobufSteps } from './protobuf/decode-protobuf.ts';
import type { RequestBody, RequestContext } from './request-context.ts';
import { readYaml } from './yaml/read.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface BodyTarget {
  kind: GroupVersionKind;
  schema: TypeSchema;
  /** Whose defaults what is sent gets, for the audit log. */
  definition?: ResourceDefinition;
  /** Older versions with the same fields, taken for the kind's own. */
  alsoTaken?: string[];
}

/** A body as a JSON value, with what only its text shows. */
export interface ParsedBody {
  value: any;
  /** `duplicate field "a.b"`, looked for when asked to be strict. */
  duplicates: string[];
  /** For messages. */
  text: string;
}

/** The object of a writing request in its canonical form; 400, 415 or 413 when there is none. */
export async function readObject(context: RequestContext, target: BodyTarget): Promise<KubeObject> {
  const body = await context.readBody();
  const pace = paceOf(context);
  const parsed = await parseBody(context, body, target.kind.kind, {
    wantDuplicates: wantsFindings(context),
    schema: target.schema,
  });
  if (pace?.isDue) await pace.rest();
  const object = decodeValue(context, parsed, target);
  context.noteSent?.(object, target.definition);
  return object;
}

/** Checks kind and fields of a parsed body and brings it into canonical form. Defaults are not applied. */
export function decodeValue(context: RequestContext, body: ParsedBody, target: BodyTarget): KubeObject {
  const { text } = body;
  const isCustom = target.schema.structural !== undefined;
  // Upstream takes null for an object of which nothing is said.
  const value = body.value === null && !isCustom ? {} : body.value;
  const expected = target.kind;
  const unrecognized = (why: string) =>
    badRequest(`the object provided is unrecognized (must be of type ${expected.kind}): ${why} (${summarize(text)})`);
  const wrong = wrongTypeMeta(value);
  if (wrong !== undefined) throw unrecognized(wrong);
  if (isCustom && !value.kind && text !== '') throw unrecognized(`Object 'Kind' is missing in '${text}'`);
  const kind = value.kind === undefined || value.kind === null || value.kind === '' ? expected.kind : value.kind;
  const apiVersion =
    value.apiVersion === undefined || value.apiVersion === null || value.apiVersion === ''
      ? apiVersionOf(expected)
      : target.alsoTaken?.includes(value.apiVersion)
        ? apiVersionOf(expected)
        : value.apiVersion;
  if (isCustom && kind !== expected.kind) {
    const message = `Invalid value: ${JSON.stringify(kind)}: must be ${expected.kind}`;
    // Not decoded yet: it may be anything.
    const name: unknown = value.metadata?.name;
    throw invalid({ group: expected.group, kind }, typeof name === 'string' ? name : '', [
      { reason: 'FieldValueInvalid', field: 'kind', message },
    ]);
  }
  if (!isCustom && (kind !== expected.kind || apiVersion !== apiVersionOf(expected))) {
    const why = whyAnotherKind(kind, apiVersion, expected);
    if (why?.startsWith('unexpected')) throw unrecognized(why);
    if (why !== undefined) {
      throw badRequest(
        `${kind} in version ${JSON.stringify(versionOf(apiVersion))} cannot be handled as a ${expected.kind}: ${why}`,
      );
    }
  }
  if (apiVersion !== apiVersionOf(expected)) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${apiVersionOf(expected)})`,
    );
  }
  const handled = (why: string) =>
    badRequest(`${kind} in version ${JSON.stringify(versionOf(apiVersion))} cannot be handled as a ${kind}: ${why}`);
  const validation = fieldValidationOf(context);
  const sent = value.metadata?.managedFields;
  // Large, and read by those who track fields alone: not walked here.
  const walked = Array.isArray(sent) ? { ...value, metadata: { ...value.metadata, managedFields: undefined } } : value;
  const decoded = decodeObject<KubeObject>(target.schema, walked, { strict: validation !== 'Ignore' });
  if (decoded.errors.length > 0) {
    const [error] = decoded.errors;
    // Metadata of custom resources is read by itself.
    throw handled(isCustom ? error!.replace('field ObjectMeta.metadata.', 'field ObjectMeta.') : error!);
  }
  if (validation !== 'Ignore') {
    // What the text repeats comes before what it has too much, where YAML says it; each line of that is a warning.
    const isYaml = body.duplicates[0]?.startsWith(yamlErrors) === true;
    const findings = isYaml
      ? [...body.duplicates, ...decoded.unknownFields]
      : [...decoded.unknownFields, ...body.duplicates].slice(0, isCustom ? undefined : strictErrorsKept);
    if (findings.length > 0 && validation === 'Strict') throw handled(strictDecodingError(findings));
    const warnings = isYaml ? findings.flatMap(linesOfYamlErrors) : findings;
    // No more than the headers of an answer would hold.
    context.warnings.push(...warnings.slice(0, warningsKept));
  }
  const { object } = decoded;
  object.kind = kind;
  object.apiVersion = apiVersion;
  object.metadata ??= {} as KubeObject['metadata'];
  delete object.metadata.clusterName;
  // As sent, for an empty list and none mean different things: the verbs make the true ones out of them.
  if (Array.isArray(sent)) object.metadata.managedFields = sent;
  else delete object.metadata.managedFields;
  delete (object.metadata as { selfLink?: string }).selfLink;
  dropDuplicateOwners(context, object);
  return object;
}

/** What upstream's scheme says of a kind that is not the one asked for; undefined for another version of the same kind. */
function whyAnotherKind(kind: string, apiVersion: string, expected: GroupVersionKind): string | undefined {
  if (apiVersion.split('/').length > 2) return `unexpected GroupVersion string: ${apiVersion}`;
  if (kind === 'Scale' && expected.kind === kind && formerScales.has(apiVersion)) return undefined;
  const { group, version } = parseApiVersion(apiVersion);
  if (schemaOfKind(group, version, kind) === undefined) {
    return `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`;
  }
  if (group === expected.group && kind === expected.kind) return undefined;
  const internalPackage = expected.group === '' ? 'core' : expected.group.split('.', 1)[0];
  return `converting (${version}.${kind}) to (${internalPackage}.${expected.kind}): unknown conversion`;
}

/** Versions that upstream still knows, and takes nowhere. */
const formerScales = new Set(['extensions/v1beta1', 'apps/v1beta1', 'apps/v1beta2']);

/** An owner counts once, as upstream. */
function dropDuplicateOwners({ warnings }: RequestContext, { metadata }: KubeObject): void {
  const owners = metadata.ownerReferences;
  if (!Array.isArray(owners) || owners.length < 2) return;
  const kept = new Set<string>();
  const duplicates = new Set<string>();
  metadata.ownerReferences = owners.filter((owner) => {
    // Decoded: it has no other fields, and there may be ten thousands.
    const { apiVersion, kind, name, uid, controller, blockOwnerDeletion } = owner;
    const key = `${apiVersion}\n${kind}\n${name}\n${uid}\n${controller}\n${blockOwnerDeletion}`;
    if (!kept.has(key)) return kept.add(key);
    duplicates.add(owner.uid);
    return false;
  });
  if (duplicates.size === 0) return;
  const uids = [...duplicates].join(', ');
  warnings.push(
    `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${uids}`,
  );
}

const warningsKept = 1000;
const hugeBody = 1024 * 1024;
const yamlErrors = 'yaml: unmarshal errors:';

const linesOfYamlErrors = (finding: string): string[] =>
  finding.startsWith(yamlErrors)
    ? finding
        .split('\n')
        .slice(1)
        .map((line) => line.trim())
    : [finding];

const versionOf = (apiVersion: string) => apiVersion.slice(apiVersion.indexOf('/') + 1);

/** In-process writers are typed and ask for nothing; over HTTP the default is Warn, as upstream. */
export function fieldValidationOf(context: RequestContext): FieldValidation {
  const asked = context.query.get('fieldValidation');
  if (asked === null || asked === '') return context.inProcess ? 'Ignore' : 'Warn';
  if (asked === 'Ignore' || asked === 'Warn' || asked === 'Strict') return asked;
  const kind =
    context.info.verb === 'create' ? 'CreateOptions' : context.info.verb === 'patch' ? 'PatchOptions' : 'UpdateOptions';
  throw invalid({ group: 'meta.k8s.io', kind }, '', [
    {
      reason: 'FieldValueNotSupported',
      field: 'fieldValidation',
      message: `Unsupported value: ${JSON.stringify(asked)}: supported values: "", "Ignore", "Strict", "Warn"`,
    },
  ]);
}

const wantsFindings = (context: RequestContext) => fieldValidationOf(context) !== 'Ignore';

/** `kind` is for messages. */
export async function parseBody(
  context: RequestContext,
  body: RequestBody,
  kind: string,
  options: { wantDuplicates?: boolean; schema?: TypeSchema } = {},
): Promise<ParsedBody> {
  if (body.type === 'value') return { value: body.value, duplicates: [], text: '' };
  noteSize(paceOf(context), body.bytes.length);
  // Its bytes were looked through already.
  if (body.bytes.length >= hugeBody) await paceOf(context)?.rest();
  const mediaType = body.contentType.split(';', 1)[0]!.trim().toLowerCase();
  if (mediaType === 'application/vnd.kubernetes.protobuf') {
    if (options.schema?.structural !== undefined) {
      throw unsupportedMediaType(
        'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml',
      );
    }
    try {
      const value = await runInTurns(protobufSteps(body.bytes, options.schema), paceOf(context));
      if (body.bytes.length >= longText) await runInTurns(checkSize(value), paceOf(context));
      return { value, duplicates: [], text: '' };
    } catch (error) {
      if (error instanceof StatusError) throw error;
      throw badRequest(
        `the object provided is unrecognized (must be of type ${kind}): ${(error as Error).message} (${summarize(body.bytes.toString('latin1'))})`,
      );
    }
  }
  const text = body.bytes.toString('utf8');
  if (mediaType === 'application/yaml') {
    return { ...(await fromYaml(context, text, kind)), text };
  }
  if (body.contentType !== '' && mediaType !== 'application/json') {
    throw unsupportedMediaType(
      'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    );
  }
  try {
    const pace = paceOf(context);
    if (text.length < longText || pace === undefined) {
      return {
        value: JSON.parse(text),
        duplicates: options.wantDuplicates === true ? findDuplicateFields(text) : [],
        text,
      };
    }
    const read = await runInTurns(readJson(text), pace);
    return { value: read.value, duplicates: options.wantDuplicates === true ? read.duplicates : [], text };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const why = await runInTurns(jsonErrorSteps(text), paceOf(context));
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${why} (${summarize(text)})`,
    );
  }
}

/** What the text of a body is held to before it is read, of what came as bytes. */
function* checkSize(value: object): Steps<void> {
  const lists: object[] = [value];
  let count = 0;
  for (let next = lists.pop(); next !== undefined; next = lists.pop()) {
    let members = 0;
    for (const name in next) {
      const member = (next as Record<string, unknown>)[name];
      if (typeof member === 'object' && member !== null) lists.push(member);
      if (++count > mostValues || (++members > mostMembers && !Array.isArray(next))) {
        const message = `Request entity too large: the body holds more than ${mostValues} values, or ${mostMembers} in one object`;
        throw new StatusError(413, 'RequestEntityTooLarge', message);
      }
      if (count % 1024 === 0) yield;
    }
  }
}

async function fromYaml(context: RequestContext, text: string, kind: string): Promise<Omit<ParsedBody, 'text'>> {
  const { value, duplicates, failure } = await readYaml(text, context.tenant, paceOf(context));
  if (failure !== undefined) {
    // These its reader sees before it reads.
    const isEarly = failure.startsWith('control characters');
    const before = isEarly ? '' : "couldn't get version/kind; json parse error: error converting YAML to JSON: ";
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): ${before}yaml: ${failure} (${summarize(text)})`,
    );
  }
  return { value, duplicates: duplicates.length === 0 ? [] : [`${yamlErrors}\n${duplicates.join('\n')}`] };
}

/** The first bytes of what was sent, as upstream shows them: text when it looks like JSON, hexadecimal otherwise. */
function summarize(text: string): string {
  const limit = 30;
  const bytes = Buffer.from(text);
  if (bytes.length === 0) return '<empty>';
  if (text.startsWith('{')) {
    return bytes.length > limit ? `${bytes.subarray(0, limit)} ...` : text;
  }
  const hex = (part: Buffer) => part.toString('hex');
  return bytes.length > limit ? `${hex(bytes.subarray(0, limit))} ...` : hex(bytes);
}
