import { decodeObject, strictDecodingError } from '../../../api/decode/decode.ts';
import { wrongTypeMeta } from '../../../api/decode/type-meta.ts';
import { applyDefaults, applyTypeDefaults } from '../../../api/defaults.ts';
import { deepEqual } from '../../../api/equality.ts';
import { schemaOfKind } from '../../../api/generated-schema.ts';
import { apiVersionOf, type KubeObject } from '../../../api/object.ts';
import { internalError } from '../../../api/status.ts';
import { replaceObject } from '../../verbs/objects/metadata.ts';
import type { AdmissionRequest } from '../admission.ts';
import { convert, type MatchedForm, requestedForm } from './forms.ts';

/** The object as it is by now, in the form of `definition`. */
export interface CurrentObject {
  object: KubeObject | undefined;
  form: MatchedForm;
}

/** One that webhooks or policies change, one after the other. */
export interface ChangingObject extends CurrentObject {
  isDirty: boolean;
}

export function objectOf(request: AdmissionRequest): ChangingObject {
  const form = { ...requestedForm(request), definition: request.definition };
  return { object: request.object, form, isDirty: false };
}

/** The state before, in the form that a webhook or policy is to see. */
export async function oldObjectIn(form: MatchedForm, request: AdmissionRequest): Promise<KubeObject | undefined> {
  const { oldObject, definition } = request;
  return oldObject === undefined ? undefined : convert(oldObject, definition, form.definition, request);
}

export async function moveTo(current: CurrentObject, form: MatchedForm, request: AdmissionRequest): Promise<void> {
  if (current.object !== undefined) {
    current.object = await convert(current.object, current.form.definition, form.definition, request);
  }
  current.form = form;
}

/** As if the client had sent it: unknown fields are gone or, where that is `isStrict`, refused; defaults filled in. */
export function decoded(
  patched: KubeObject,
  before: KubeObject,
  form: MatchedForm,
  request: AdmissionRequest,
  { isStrict = false } = {},
): KubeObject {
  const { definition, kind } = form;
  const isOwnKind = request.kind === undefined;
  const schema = isOwnKind ? definition.schema : schemaOfKind(kind.group, kind.version, kind.kind);
  const wrong = wrongTypeMeta(patched);
  if (wrong !== undefined) throw internalError(wrong);
  if (patched.kind !== before.kind || patched.apiVersion !== before.apiVersion) {
    throw internalError(
      `unable to decode ${patched.apiVersion}, Kind=${patched.kind} into ${apiVersionOf(kind)}, Kind=${kind.kind}`,
    );
  }
  if (schema === undefined) return patched;
  const sent = patched.metadata?.managedFields;
  const walked =
    sent === undefined ? patched : { ...patched, metadata: { ...patched.metadata, managedFields: undefined } };
  const strict = isStrict && schema.structural === undefined;
  const { object, errors, unknownFields } = decodeObject<KubeObject>(schema, walked, { strict });
  if (errors.length > 0) throw internalError(errors[0]!);
  if (unknownFields.length > 0) throw internalError(strictDecodingError(unknownFields));
  object.kind = before.kind!;
  object.apiVersion = before.apiVersion!;
  // What a connection is asked with has none.
  if (before.metadata !== undefined) {
    object.metadata ??= {} as KubeObject['metadata'];
    delete object.metadata.clusterName;
    keepManagedFields(object, sent, before, request);
  }
  if (isOwnKind) applyDefaults(definition, object);
  else applyTypeDefaults(schema, object);
  return object;
}

/** Whose fields are whose is not a webhook's to break. Source: fieldmanager/admission.go upstream. */
function keepManagedFields(object: KubeObject, sent: unknown, before: KubeObject, request: AdmissionRequest): void {
  const own = before.metadata?.managedFields;
  const isSound =
    sent === undefined ||
    (Array.isArray(sent) &&
      sent.every((entry) => typeof entry === 'object' && ['Apply', 'Update'].includes(entry?.operation)));
  if (!isSound) {
    request.warnings.push(
      '.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests',
    );
  }
  const kept = isSound && !deepEqual(sent, own) ? (sent as unknown[] | undefined) : own;
  if (kept === undefined) delete object.metadata.managedFields;
  else object.metadata.managedFields = kept;
}

/** Gives the request what became of its object. */
export async function writeBack({ object, form, isDirty }: ChangingObject, request: AdmissionRequest): Promise<void> {
  if (!isDirty) return;
  const own = { ...requestedForm(request), definition: request.definition };
  const result = await convert(object!, form.definition, request.definition, request);
  const isOther = form.definition !== request.definition && request.kind === undefined;
  // The form's own fields were decoded by its schema; what is stored follows another.
  replaceObject(request.object!, isOther ? decoded({ ...result }, result, own, request) : result);
}
