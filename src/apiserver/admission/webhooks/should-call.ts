import type { KubeObject } from '../../../api/object.ts';
import { NAMESPACES } from '../../../api/resources.ts';
import type { Selector } from '../../../api/selectors/label-selectors.ts';
import { forbidden, notFound } from '../../../api/status.ts';
import { SYSTEM_TENANT } from '../../../api/tenants.ts';
import type { AdmissionRequest } from '../admission.ts';
import type { CompiledWebhook } from './compiled-webhook.ts';
import type { CurrentObject } from './current-object.ts';
import { convert, equivalentForms, type MatchedForm, requestedForm } from './forms.ts';
import type { WebhookAdmissionOptions } from './options.ts';
import { namespaceOf } from './review.ts';
import { matchesRule } from './rules.ts';

/** How a webhook is to be called; undefined when it is not meant. Source: generic.Webhook.ShouldCallHook. */
export async function shouldCall(
  { objects, authorizer, registry }: WebhookAdmissionOptions,
  webhook: CompiledWebhook,
  request: AdmissionRequest,
  current: CurrentObject,
): Promise<MatchedForm | undefined> {
  const form = matchedForm(registry, webhook, request);
  if (form === undefined) return undefined;
  const { objectSelector, namespaceSelector, conditions } = webhook;
  if (objectSelector !== undefined && !selectsObject(objectSelector, current.object, request.oldObject)) {
    return undefined;
  }
  if (namespaceSelector !== undefined && !(await selectsNamespace(objects, namespaceSelector, request))) {
    return undefined;
  }
  if (conditions === undefined) return form;
  const seen: AdmissionRequest = { ...request };
  if (current.object !== undefined) {
    seen.object = await convert(current.object, current.form.definition, form.definition, request);
  }
  if (request.oldObject !== undefined) {
    seen.oldObject = await convert(request.oldObject, request.definition, form.definition, request);
  }
  const outcome = await conditions.evaluate(seen, { objects, authorizer }, form);
  if (outcome.matches) return form;
  if (outcome.error === undefined || webhook.failsOpen) return undefined;
  throw forbidden(form.resource, request.name, outcome.error);
}

function matchedForm(
  registry: WebhookAdmissionOptions['registry'],
  webhook: CompiledWebhook,
  request: AdmissionRequest,
): MatchedForm | undefined {
  const { operation, subresource } = request;
  const requested = requestedForm(request);
  const subject = { operation, subresource, resource: requested.resource, namespace: namespaceOf(request) };
  if (webhook.rules.some((rule) => matchesRule(rule, subject))) return requested;
  if (!webhook.matchesEquivalents || webhook.rules.length === 0) return undefined;
  const equivalents = equivalentForms(registry, request);
  for (const rule of webhook.rules) {
    for (const form of equivalents) if (matchesRule(rule, { ...subject, resource: form.resource })) return form;
  }
  return undefined;
}

export const selectsObject = (selector: Selector, object: KubeObject | undefined, oldObject: KubeObject | undefined) =>
  (object?.metadata !== undefined && selector.matches(object.metadata.labels)) ||
  (oldObject?.metadata !== undefined && selector.matches(oldObject.metadata.labels));

export async function selectsNamespace(
  objects: WebhookAdmissionOptions['objects'],
  selector: Selector,
  request: AdmissionRequest,
): Promise<boolean> {
  const { definition, operation, subresource, object, tenant } = request;
  const isNamespace = definition.group === '' && definition.resource === 'namespaces';
  const namespace = namespaceOf(request);
  // What is in no namespace cannot be left out by its namespace.
  if (namespace === '' && !isNamespace) return true;
  if (isNamespace && subresource === '' && (operation === 'CREATE' || operation === 'UPDATE')) {
    return selector.matches(object!.metadata.labels);
  }
  const entry = await objects.get(NAMESPACES, tenant, '', namespace);
  if (entry !== undefined) return selector.matches(entry.object.metadata.labels);
  // The system tenant's namespaces are the tenants' names; they need no objects.
  if (tenant === SYSTEM_TENANT) return selector.matches({ 'kubernetes.io/metadata.name': namespace });
  throw notFound(NAMESPACES, namespace);
}
