import type { KubeObject } from '../../../api/object.ts';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import { Semaphore } from '../../../base/semaphore.ts';
import type { AdmissionRequest } from '../admission.ts';
import { answerTo, callWebhook, noteForAudit } from './call.ts';
import type { CompiledWebhook } from './compiled-webhook.ts';
import { convert, type MatchedForm, requestedForm } from './forms.ts';
import type { WebhookAdmissionOptions } from './options.ts';
import { shouldCall } from './should-call.ts';

interface States {
  object: KubeObject | undefined;
  oldObject: KubeObject | undefined;
}

/** A tenant may have any number of webhooks, and an object of megabytes. */
const askedAtOnce = 16;

/** All that are meant at once, or nearly; the first of them in order that says no speaks. Source: validating/dispatcher.go upstream. */
export async function validate(
  options: WebhookAdmissionOptions,
  webhooks: readonly CompiledWebhook[],
  request: AdmissionRequest,
): Promise<void> {
  const own = { ...requestedForm(request), definition: request.definition };
  const meant: { webhook: CompiledWebhook; form: MatchedForm; states: States }[] = [];
  // Webhooks of one version see one and the same conversion.
  const converted = new Map<ResourceDefinition, States>();
  for (const webhook of webhooks) {
    const form = await shouldCall(options, webhook, request, { object: request.object, form: own });
    if (form === undefined) continue;
    let states = converted.get(form.definition);
    if (states === undefined) converted.set(form.definition, (states = await statesIn(form.definition, request)));
    meant.push({ webhook, form, states });
  }
  // Each is told of the whole object, which is written out for each.
  const asked = new Semaphore(askedAtOnce);
  const failures = await Promise.all(
    meant.map(async ({ webhook, form, states }, index) => {
      const done = await asked.enter();
      try {
        if (request.pace?.isDue) await request.pace.rest();
        await callWebhook(options, webhook, form, request, states, false);
        return undefined;
      } catch (error) {
        const failure = answerTo(error, webhook, options);
        if (failure === undefined) {
          const key = `failed-open.validating.webhook.admission.k8s.io/round_0_index_${index}`;
          noteForAudit(request, key, webhook.name);
        }
        return failure;
      } finally {
        done();
      }
    }),
  );
  const failure = failures.find((one) => one !== undefined);
  if (failure !== undefined) throw failure;
}

async function statesIn(definition: ResourceDefinition, request: AdmissionRequest): Promise<States> {
  const into = (object: KubeObject | undefined) =>
    object === undefined ? undefined : convert(object, request.definition, definition, request);
  return { object: await into(request.object), oldObject: await into(request.oldObject) };
}
