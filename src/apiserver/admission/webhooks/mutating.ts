import { deepEqual } from '../../../api/equality.ts';
import type { KubeObject } from '../../../api/object.ts';
import { jsonPatchSteps, whyPatchFailed } from '../../../api/patch/index.ts';
import { internalError } from '../../../api/status.ts';
import { runInTurns } from '../../../base/steps.ts';
import type { AdmissionRequest } from '../admission.ts';
import { Round } from '../reinvocation.ts';
import { answerTo, callWebhook, noteForAudit } from './call.ts';
import type { CompiledWebhook } from './compiled-webhook.ts';
import { type ChangingObject, decoded, moveTo, objectOf, oldObjectIn, writeBack } from './current-object.ts';
import type { WebhookAdmissionOptions } from './options.ts';
import { withoutTenant } from './review.ts';
import { shouldCall } from './should-call.ts';

export const MUTATING_PLUGIN = 'MutatingAdmissionWebhook';

/** One webhook after the other, each seeing what those before it made. Source: mutating/dispatcher.go upstream. */
export async function mutate(
  options: WebhookAdmissionOptions,
  webhooks: readonly CompiledWebhook[],
  request: AdmissionRequest,
): Promise<void> {
  const round = new Round(request, MUTATING_PLUGIN);
  if (round.isIdle) return;
  const current = objectOf(request);
  const roundNumber = round.isSecond ? 1 : 0;
  for (const [index, webhook] of webhooks.entries()) {
    const form = await shouldCall(options, webhook, request, current);
    if (form === undefined) continue;
    if (!round.asks(webhook.uid)) continue;
    await moveTo(current, form, request);
    const oldObject = await oldObjectIn(form, request);
    const noteKey = `mutation.webhook.admission.k8s.io/round_${roundNumber}_index_${index}`;
    let mutated = false;
    try {
      const states = { object: current.object, oldObject };
      const { patch } = await callWebhook(options, webhook, form, request, states, true);
      if (patch.length > 0 && (await applyTo(current, patch, webhook, request))) {
        mutated = true;
        round.changed();
      }
    } catch (error) {
      const failure = answerTo(error, webhook, options);
      if (failure !== undefined) throw failure;
      noteForAudit(request, `failed-open.${noteKey}`, webhook.name);
    } finally {
      const { configurationName: configuration, name } = webhook;
      noteForAudit(request, noteKey, JSON.stringify({ configuration, webhook: name, mutated }));
      if (webhook.isReinvocable) round.invoked(webhook.uid);
    }
  }
  await writeBack(current, request);
  round.end();
}

/** Applies a patch with what follows from it; says whether anything changed. */
async function applyTo(
  current: ChangingObject,
  patch: unknown[],
  webhook: CompiledWebhook,
  request: AdmissionRequest,
): Promise<boolean> {
  if (current.object === undefined) {
    throw internalError(
      `admission webhook ${JSON.stringify(webhook.name)} attempted to modify the object, which is not supported for this operation`,
    );
  }
  const before = withoutTenant(current.object);
  let patched: KubeObject;
  try {
    const patching = runInTurns(jsonPatchSteps(before, patch), request.pace);
    patched = patching instanceof Promise ? await patching : patching;
  } catch (error) {
    throw internalError(whyPatchFailed(error));
  }
  const after = decoded(patched, before, current.form, request);
  current.object = after;
  current.isDirty = true;
  return !deepEqual(before, after);
}
