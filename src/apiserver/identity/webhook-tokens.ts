import { createHash } from 'node:crypto';
import { type Clock, spanClock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { ReviewClient } from '../webhooks/review-client.ts';
import type { Identity } from './identity.ts';
import { TokenRefused } from './service-account-tokens.ts';

export interface WebhookTokenOptions {
  client: Pick<ReviewClient, 'post'>;
  version: 'v1' | 'v1beta1';
  /** So long an answer is good. */
  cacheTtlMs: number;
  clock: Clock;
  logger: Logger;
}

interface Known {
  answer: { identity: Identity; audiences: string[] } | { refused: string } | undefined;
  untilMs: number;
}

const rememberedTokens = 4096;
const longestToken = 64 * 1024;

/**
 * Tokens that a server of the operator's knows, good in the tenant that the path names: the audiences say which one that
 * is. Source: plugin/pkg/authenticator/token/webhook upstream.
 */
export class WebhookTokens {
  readonly #options: WebhookTokenOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: WebhookTokenOptions) {
    this.#options = options;
  }

  /** undefined: the server does not know the token. Throws TokenRefused with its reason, or where it does not answer. */
  async authenticate(
    token: string,
    tenant: string,
    audiences: readonly string[],
    ownAudiences: readonly string[],
  ): Promise<{ identity: Identity; audiences: string[] } | undefined> {
    if (token === '' || token.length > longestToken) return undefined;
    const { cacheTtlMs } = this.#options;
    const spanMs = spanClock(this.#options.clock);
    const key = createHash('sha256')
      .update(JSON.stringify([tenant, audiences, token]))
      .digest('base64');
    let known = this.#known.get(key);
    if (known === undefined || known.untilMs <= spanMs()) {
      this.#known.delete(key);
      known = { answer: await this.#ask(token, tenant, audiences, ownAudiences), untilMs: spanMs() + cacheTtlMs };
      this.#known.set(key, known);
      if (this.#known.size > rememberedTokens) this.#known.delete(this.#known.keys().next().value!);
    }
    if (known.answer !== undefined && 'refused' in known.answer) throw new TokenRefused(known.answer.refused);
    return known.answer;
  }

  async #ask(
    token: string,
    tenant: string,
    audiences: readonly string[],
    ownAudiences: readonly string[],
  ): Promise<Known['answer']> {
    const { client, version, logger } = this.#options;
    let review: Record<string, any>;
    try {
      review = await client.post({
        kind: 'TokenReview',
        apiVersion: `authentication.k8s.io/${version}`,
        metadata: {},
        spec: { token, audiences },
        status: { user: {} },
      });
    } catch (error) {
      logger.warn({ error: (error as Error).message }, 'the token webhook does not answer');
      throw new TokenRefused('the token webhook does not answer');
    }
    const { status = {} } = review;
    const given: readonly string[] = status.audiences?.length > 0 ? status.audiences : ownAudiences;
    const accepted = audiences.filter((audience) => given.includes(audience));
    if (accepted.length === 0) return undefined;
    if (status.authenticated !== true) return status.error ? { refused: String(status.error) } : undefined;
    const { username = '', uid, groups = [], extra } = status.user ?? {};
    if (!Array.isArray(groups)) return undefined;
    const identity: Identity = {
      name: String(username),
      ...(typeof uid === 'string' && uid !== '' && { uid }),
      groups: [...new Set([...groups.map(String), 'system:authenticated'])],
      ...(typeof extra === 'object' && extra !== null && { extra }),
      kind: 'tenant',
      tenant,
    };
    return { identity, audiences: accepted };
  }
}
