import { StatusError } from '../../../api/status.ts';

/** The webhook could not be asked: what failurePolicy is about. Source: ErrCallingWebhook upstream. */
export class CallFailure extends Error {
  /** Of the webhook's answer, or what stands for none. */
  readonly code: number;

  constructor(webhookName: string, reason: string, code = 503) {
    super(`failed calling webhook ${JSON.stringify(webhookName)}: ${reason}`);
    this.code = code;
  }
}

/** The webhook said no. Source: ErrWebhookRejection upstream. */
export class Denied extends StatusError {}
