import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { ReviewClient } from '../webhooks/review-client.ts';

/** Where audit events go. `dropped`: events lost. */
export interface AuditBackend {
  readonly name: 'log' | 'webhook';
  readonly dropped: number;
  /** `owner`: the tenant whose request it is; '' for nobody's. */
  write(event: object, owner?: string): void;
  /** All events so far have arrived, or are lost. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface WebhookBackendOptions {
  client: Pick<ReviewClient, 'post' | 'close'>;
  /** So long the first event of a batch waits for more. */
  maxWaitMs: number;
  clock: Clock;
  logger: Logger;
}

/** As upstream's --audit-webhook-batch-max-size. */
const batchLimit = 400;
const batchLimitBytes = 4 * 1024 * 1024;
const bufferLimitBytes = 32 * 1024 * 1024;
/** One tenant's events may take so much of it: whoever floods it loses events of its own, and nobody else's. */
const ownerLimitBytes = bufferLimitBytes / 4;

/** A server that does not answer keeps nobody from ending. */
const closeMs = 5_000;

/** Events posted in lists, one list at a time; a list that cannot be delivered is lost. Source: plugin/pkg/audit/webhook upstream. */
export class AuditWebhook implements AuditBackend {
  readonly name = 'webhook';
  readonly #options: WebhookBackendOptions;
  #waiting: { event: object; owner: string; size: number }[] = [];
  readonly #bytesByOwner = new Map<string, number>();
  #bytes = 0;
  #cancelTimer: (() => void) | undefined;
  #posting: Promise<void> | undefined;
  #trouble = '';
  dropped = 0;

  constructor(options: WebhookBackendOptions) {
    this.#options = options;
  }

  write(event: object, owner = ''): void {
    const text = JSON.stringify(event);
    const owned = (this.#bytesByOwner.get(owner) ?? 0) + text.length;
    if (this.#bytes + text.length > bufferLimitBytes || owned > ownerLimitBytes) {
      this.dropped++;
      return;
    }
    // As of now: an event goes on to change with its request.
    this.#waiting.push({ event: JSON.parse(text), owner, size: text.length });
    this.#bytes += text.length;
    this.#bytesByOwner.set(owner, owned);
    if (this.#posting !== undefined) return;
    if (this.#waiting.length >= batchLimit || this.#bytes >= batchLimitBytes) this.#begin();
    else this.#cancelTimer ??= this.#options.clock.schedule(this.#options.maxWaitMs, () => this.#begin());
  }

  async flush(): Promise<void> {
    while (this.#waiting.length > 0 || this.#posting !== undefined) {
      if (this.#posting === undefined) this.#begin();
      await this.#posting;
    }
  }

  async close(): Promise<void> {
    let cancel = () => {};
    const late = new Promise<void>((done) => {
      cancel = this.#options.clock.schedule(closeMs, done);
    });
    await Promise.race([this.flush(), late]);
    cancel();
    this.#options.client.close();
  }

  #begin(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#posting ??= this.#drain().finally(() => {
      this.#posting = undefined;
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      const list = { kind: 'EventList', apiVersion: 'audit.k8s.io/v1', metadata: {}, items: batch };
      try {
        await this.#options.client.post(list);
        this.#trouble = '';
      } catch (error) {
        this.dropped += batch.length;
        const { message } = error as Error;
        if (message !== this.#trouble) {
          this.#options.logger.error({ error: message, events: batch.length }, 'audit events cannot be delivered');
        }
        this.#trouble = message;
      }
    }
  }

  #take(): object[] {
    let count = 0;
    let bytes = 0;
    for (const { owner, size } of this.#waiting) {
      if (count === batchLimit || (count > 0 && bytes + size > batchLimitBytes)) break;
      count++;
      bytes += size;
      const left = this.#bytesByOwner.get(owner)! - size;
      if (left > 0) this.#bytesByOwner.set(owner, left);
      else this.#bytesByOwner.delete(owner);
    }
    this.#bytes -= bytes;
    return this.#waiting.splice(0, count).map(({ event }) => event);
  }
}
