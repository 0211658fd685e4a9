import { decodeObject } from '../../../api/decode.ts';
import { applyDefaults, applyTypeDefaults } from '../../../api/defaults.ts';
import { deepEqual } from '../../../api/equality.ts';
import { schemaOfKind } from '../../../api/generated-schema.ts';
import { cloneJson } from '../../../api/json.ts';
import { apiVersionOf, type KubeObject } from '../../../api/object.ts';
import { applyJsonPatch } from '../../../api/patch/index.ts';
import { internalError, type StatusError } from '../../../api/status.ts';
import { replaceObject } from '../../verbs/metadata.ts';
import { type AdmissionRequest, reinvocationOf } from '../admission.ts';
import { answerTo, callWebhook, noteForAudit } from './call.ts';
import type { CompiledWebhook } from './compiled-webhook.ts';
import { convert, type MatchedForm, requestedForm } from './forms.ts';
import type { WebhookAdmissionOptions } from './options.ts';
import { withoutTenant } from './review.ts';
import { type CurrentObject, shouldCall } from './should-call.ts';

/** What the first round leaves for the second. Source: mutating/reinvocationcontext.go upstream. */
interface Memory {
  /** The object as the webhooks left it. */
  output: KubeObject | undefined;
  /** Called already, and to be called again if the object changes after. */
  invoked: Set<string>;
  toReinvoke: Set<string>;
}

export const MUTATING_PLUGIN = 'MutatingAdmissionWebhook';

/** One webhook after the other, each seeing what those before it made. Source: mutating/dispatcher.go upstream. */
export async function mutate(
  options: WebhookAdmissionOptions,
  webhooks: readonly CompiledWebhook[],
  request: AdmissionRequest,
): Promise<void> {
  const isReinvoke = request.reinvocation?.isReinvoke === true;
  const memory = request.reinvocation?.memory.get(MUTATING_PLUGIN) as Memory | undefined;
  if (isReinvoke && memory === undefined) return;
  const state: Memory = memory ?? { output: undefined, invoked: new Set(), toReinvoke: new Set() };
  if (isReinvoke && !deepEqual(state.output, request.object)) requireReinvocation(state);
  const current: CurrentObject & { isDirty: boolean } = {
    object: request.object,
    form: { ...requestedForm(request), definition: request.definition },
    isDirty: false,
  };
  const round = isReinvoke ? 1 : 0;
  for (const [index, webhook] of webhooks.entries()) {
    const form = await shouldCall(options, webhook, request, current);
    if (form === undefined) continue;
    // Who was not asked in the first round is not asked in the second either.
    if (isReinvoke && !state.toReinvoke.has(webhook.uid)) continue;
    await moveTo(current, form, request);
    const oldObject =
      request.oldObject === undefined
        ? undefined
        : await convert(request.oldObject, request.definition, form.definition, request);
    const noteKey = `mutation.webhook.admission.k8s.io/round_${round}_index_${index}`;
    let mutated = false;
    try {
      const states = { object: current.object, oldObject };
      const { patch } = await callWebhook(options, webhook, form, request, states, true);
      if (patch.length > 0 && applyTo(current, patch, webhook, request)) {
        mutated = true;
        requireReinvocation(state);
        reinvocationOf(request).shouldReinvoke = true;
      }
    } catch (error) {
      const failure = answerTo(error, webhook, options);
      if (failure !== undefined) throw failure;
      noteForAudit(request, `failed-open.${noteKey}`, webhook.name);
    } finally {
      const { configurationName: configuration, name } = webhook;
      noteForAudit(request, noteKey, JSON.stringify({ configuration, webhook: name, mutated }));
      if (webhook.isReinvocable) state.invoked.add(webhook.uid);
    }
  }
  if (current.isDirty) await writeBack(current, request);
  if (request.object !== undefined && (state.invoked.size > 0 || state.toReinvoke.size > 0)) {
    state.output = cloneJson(request.object);
    reinvocationOf(request).memory.set(MUTATING_PLUGIN, state);
  }
}

function requireReinvocation(state: Memory): void {
  for (const uid of state.invoked) state.toReinvoke.add(uid);
  state.invoked.clear();
}

export async function moveTo(current: CurrentObject, form: MatchedForm, request: AdmissionRequest): Promise<void> {
  if (current.object !== undefined) {
    current.object = await convert(current.object, current.form.definition, form.definition, request);
  }
  current.form = form;
}

/** Applies a patch with what follows from it; says whether anything changed. */
function applyTo(
  current: CurrentObject & { isDirty: boolean },
  patch: unknown[],
  webhook: CompiledWebhook,
  request: AdmissionRequest,
): boolean {
  if (current.object === undefined) {
    throw internalError(
      `admission webhook ${JSON.stringify(webhook.name)} attempted to modify the object, which is not supported for this operation`,
    );
  }
  const before = withoutTenant(current.object);
  let patched: KubeObject;
  try {
    patched = applyJsonPatch(before, patch);
  } catch (error) {
    const why = (error as StatusError).details?.causes?.[0]?.message ?? (error as Error).message;
    throw internalError(why);
  }
  const after = decoded(patched, before, current.form, request);
  current.object = after;
  current.isDirty = true;
  return !deepEqual(before, after);
}

/** As if the client had sent it: unknown fields are gone, defaults filled in. */
export function decoded(
  patched: KubeObject,
  before: KubeObject,
  form: MatchedForm,
  request: AdmissionRequest,
): KubeObject {
  const { definition, kind } = form;
  const isOwnKind = request.kind === undefined;
  const schema = isOwnKind ? definition.schema : schemaOfKind(kind.group, kind.version, kind.kind);
  if (typeof patched !== 'object' || patched === null || Array.isArray(patched)) {
    throw internalError(`json: cannot unmarshal into Go value of type ${kind.kind}`);
  }
  if (patched.kind !== before.kind || patched.apiVersion !== before.apiVersion) {
    throw internalError(
      `unable to decode ${patched.apiVersion}, Kind=${patched.kind} into ${apiVersionOf(kind)}, Kind=${kind.kind}`,
    );
  }
  if (schema === undefined) return patched;
  const sent = patched.metadata?.managedFields;
  const walked =
    sent === undefined ? patched : { ...patched, metadata: { ...patched.metadata, managedFields: undefined } };
  const { object, errors } = decodeObject<KubeObject>(schema, walked);
  if (errors.length > 0) throw internalError(errors[0]!);
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

export async function writeBack({ object, form }: CurrentObject, request: AdmissionRequest): Promise<void> {
  const own = { ...requestedForm(request), definition: request.definition };
  const result = await convert(object!, form.definition, request.definition, request);
  const isOther = form.definition !== request.definition && request.kind === undefined;
  // The form's own fields were decoded by its schema; what is stored follows another.
  replaceObject(request.object!, isOther ? decoded({ ...result }, result, own, request) : result);
}
