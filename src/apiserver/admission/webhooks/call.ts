import { isTooDeep } from '../../../api/json/depth.ts';
import type { KubeObject } from '../../../api/object.ts';
import { badRequest, internalError, serverTimeout } from '../../../api/status.ts';
import { describeJsonError } from '../../json-syntax.ts';
import { WebhookCallError } from '../../webhooks/webhook-client.ts';
import { type AdmissionRequest, webhooksLimitMs } from '../admission.ts';
import { CallFailure, Denied } from './call-failure.ts';
import type { CompiledWebhook } from './compiled-webhook.ts';
import type { MatchedForm } from './forms.ts';
import { observed } from './observer.ts';
import type { WebhookAdmissionOptions } from './options.ts';
import { InvalidReview, type ReviewResult, readReview, reviewOf } from './review.ts';
import { addWarning } from './warnings.ts';

/** Warnings and annotations of one answer: a header and a line of a log hold fewer. */
const saidLimit = 1000;

async function call(
  { client, patience }: WebhookAdmissionOptions,
  webhook: CompiledWebhook,
  form: MatchedForm,
  request: AdmissionRequest,
  states: { object: KubeObject | undefined; oldObject: KubeObject | undefined },
  isMutating: boolean,
): Promise<ReviewResult> {
  const { name, reviewVersion } = webhook;
  if (request.dryRun && !webhook.allowsDryRun) {
    throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`);
  }
  if (reviewVersion === undefined) {
    throw new CallFailure(
      name,
      'could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)',
      400,
    );
  }
  const timeoutMs = Math.min(webhook.timeoutMs, remainingMs(request));
  const { uid, body } = reviewOf(webhook, form, request, states.object, states.oldObject);
  const isPlatform = request.identity.kind === 'platform' || request.identity.kind === 'host';
  const ended = isPlatform ? patience.begin(request.tenant) : undefined;
  if (isPlatform && ended === undefined) {
    throw new CallFailure(name, 'failed to call webhook: too many requests of the platform are waiting for webhooks');
  }
  let answer: unknown;
  try {
    answer = await client.post(webhook.target, body, { timeoutMs });
  } catch (error) {
    if (error instanceof WebhookCallError) {
      throw new CallFailure(name, `failed to call webhook: ${error.message}`, error.code);
    }
    throw error;
  } finally {
    ended?.();
  }
  try {
    const result = readReview(answer, uid, reviewVersion, isMutating);
    for (const [key, value] of Object.entries(result.auditAnnotations).slice(0, saidLimit)) {
      noteForAudit(request, `${name}/${key}`, value);
    }
    for (const warning of result.warnings.slice(0, saidLimit)) addWarning(request.warnings, warning);
    if (!result.allowed) throw denied(name, result.status);
    return { ...result, patch: readPatch(name, result.patch) };
  } catch (error) {
    if (error instanceof InvalidReview) {
      throw new CallFailure(name, `received invalid webhook response: ${error.message}`);
    }
    throw error;
  }
}

/**
 * Asks one webhook. Throws CallFailure when there was no sound answer, StatusError when it denied the request (or cannot
 * be asked on a dry run); its warnings and audit annotations are noted with the request.
 */
export const callWebhook: typeof call = (options, webhook, form, request, states, isMutating) =>
  observed(options.observer, isMutating ? 'admit' : 'validating', webhook, request, () =>
    call(options, webhook, form, request, states, isMutating),
  );

/** Throws 504 when the request has waited long enough: a tenant may have any number of slow webhooks. */
function remainingMs(request: AdmissionRequest): number {
  const now = performance.now();
  request.deadlineMs ??= now + webhooksLimitMs;
  const left = request.deadlineMs - now;
  if (left <= 0) throw serverTimeout('Timeout: request did not complete within requested timeout', 0);
  return left;
}

/** For the audit log; what is said first counts, as upstream. */
export function noteForAudit(request: AdmissionRequest, key: string, value: string): void {
  request.auditAnnotations ??= {};
  request.auditAnnotations[key] ??= value;
}

/** What a failure to ask means for the request; undefined: nothing, the webhook fails open. */
export function answerTo(error: unknown, webhook: CompiledWebhook, options: WebhookAdmissionOptions): unknown {
  if (!(error instanceof CallFailure)) return error;
  if (!webhook.failsOpen) return internalError(error.message);
  const { tenant } = webhook.target;
  options.logger.debug({ tenant, error: error.message }, 'an admission webhook fails open');
  return undefined;
}

function readPatch(webhookName: string, base64: string): unknown[] {
  if (base64 === '') return [];
  const text = Buffer.from(base64, 'base64').toString('utf8');
  const refuse = (why: string): never => {
    throw new CallFailure(webhookName, `received undecodable patch in webhook response: ${why}`);
  };
  if (isTooDeep(text)) refuse('json: exceeded max depth');
  let patch: unknown;
  try {
    patch = JSON.parse(text);
  } catch {
    refuse(describeJsonError(text));
  }
  if (patch === null) return [];
  if (Array.isArray(patch)) return patch;
  return refuse(`json: cannot unmarshal ${typeof patch} into Go value of type jsonpatch.Patch`);
}

/** Source: apiserver's admission/plugin/webhook/errors.ToStatusErr. */
function denied(webhookName: string, status: ReviewResult['status']): Denied {
  const { code = 0, message = '', reason = '', details } = status ?? {};
  const by = `admission webhook ${JSON.stringify(webhookName)} denied the request`;
  const said = message !== '' ? `${by}: ${message}` : reason !== '' ? `${by}: ${reason}` : `${by} without explanation`;
  const isCode = Number.isInteger(code) && code >= 400 && code <= 599;
  return new Denied(isCode ? code : 400, reason, said, details);
}
