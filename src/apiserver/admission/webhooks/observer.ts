import type { StatusError } from '../../../api/status.ts';
import type { AdmissionRequest } from '../admission.ts';
import { CallFailure, Denied } from './call-failure.ts';
import type { CompiledWebhook } from './compiled-webhook.ts';

/** As upstream's metrics call them. */
export type WebhookKind = 'admit' | 'validating';

export interface WebhookCall {
  durationMs: number;
  /** Of the answer, or of what stands for none; 0 where the fault is this server's. */
  code: number;
  /** Why the request was refused; undefined: it was not. */
  rejectedBy: 'calling_webhook_error' | 'apiserver_internal_error' | 'no_error' | undefined;
  failsOpen: boolean;
}

/** Hears how calls of webhooks went, for the metrics. */
export interface WebhookObserver {
  webhookCalled(kind: WebhookKind, name: string, request: AdmissionRequest, call: WebhookCall): void;
}

/** Calls, and tells the observer of it. */
export async function observed<T>(
  observer: WebhookObserver | undefined,
  kind: WebhookKind,
  webhook: CompiledWebhook,
  request: AdmissionRequest,
  call: () => Promise<T>,
): Promise<T> {
  const startedMs = performance.now();
  const tell = (outcome: Omit<WebhookCall, 'durationMs'>) => {
    const durationMs = performance.now() - startedMs;
    noteTime(request, kind, durationMs);
    observer?.webhookCalled(kind, webhook.name, request, { ...outcome, durationMs });
  };
  try {
    const result = await call();
    tell({ code: 200, rejectedBy: undefined, failsOpen: false });
    return result;
  } catch (error) {
    tell(outcomeOf(error, webhook));
    throw error;
  }
}

/** Mutating ones come one after another, validating ones side by side. */
function noteTime(request: AdmissionRequest, kind: WebhookKind, durationMs: number): void {
  request.webhookMs ??= { admit: 0, validating: 0 };
  request.webhookMs[kind] =
    kind === 'admit' ? request.webhookMs.admit + durationMs : Math.max(request.webhookMs.validating, durationMs);
}

/** Source: the ends of callHook in validating/dispatcher.go and mutating/dispatcher.go. */
function outcomeOf(error: unknown, { failsOpen }: CompiledWebhook): Omit<WebhookCall, 'durationMs'> {
  if (error instanceof CallFailure) {
    return { code: error.code, rejectedBy: failsOpen ? undefined : 'calling_webhook_error', failsOpen };
  }
  const isDenied = error instanceof Denied;
  return {
    code: isDenied ? (error as StatusError).code : 0,
    rejectedBy: isDenied ? 'no_error' : 'apiserver_internal_error',
    failsOpen: false,
  };
}
