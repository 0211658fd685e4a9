import { createHash } from 'node:crypto';
import type { Program } from '../../../api/cel/program.ts';
import { type Clock, spanClock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import type { Identity } from '../../identity/identity.ts';
import type { ReviewClient } from '../../webhooks/review-client.ts';
import type { Attributes } from '../attributes.ts';
import type { Decision } from '../decision.ts';
import { accessReviewSpec } from './access-review.ts';
import { conditionsHold } from './match-conditions.ts';

export interface WebhookAuthorizerOptions {
  name: string;
  client: Pick<ReviewClient, 'post'>;
  version: 'v1' | 'v1beta1';
  matchConditions: readonly Program[];
  failurePolicy: 'Deny' | 'NoOpinion';
  authorizedTtlMs: number;
  unauthorizedTtlMs: number;
  clock: Clock;
  logger: Logger;
}

interface Status {
  allowed: boolean;
  denied: boolean;
  reason: string;
}

const answersLimit = 8192;
/** Longer questions are asked anew each time: their asker chooses their length. */
const rememberedLength = 10_000;

/** Asks a server of the operator's, as kube-apiserver's webhook authorizer does. Source: plugin/pkg/authorizer/webhook upstream. */
export class WebhookAuthorizer {
  readonly #options: WebhookAuthorizerOptions;
  readonly #answers = new Map<string, { status: Status; untilMs: number }>();

  constructor(options: WebhookAuthorizerOptions) {
    this.#options = options;
  }

  async authorize(identity: Identity, attributes: Attributes): Promise<Decision> {
    const { matchConditions, authorizedTtlMs, unauthorizedTtlMs } = this.#options;
    const spanMs = spanClock(this.#options.clock);
    const spec = accessReviewSpec(identity, attributes);
    const { holds, error } = conditionsHold(matchConditions, spec);
    if (error !== undefined) return this.#failed(error);
    if (!holds) return { allowed: false, reason: '' };
    const key = createHash('sha256').update(JSON.stringify(spec)).digest('base64');
    const known = this.#answers.get(key);
    if (known !== undefined && known.untilMs > spanMs()) return decisionOf(known.status);
    this.#answers.delete(key);
    let status: Status;
    try {
      status = await this.#ask(spec);
    } catch (failure) {
      const { message } = failure as Error;
      this.#options.logger.warn({ authorizer: this.#options.name, error: message }, 'the authorizer does not answer');
      // Where it stands is the operator's business.
      return this.#failed(`authorizer ${JSON.stringify(this.#options.name)} does not answer`);
    }
    if (controlledLength(attributes) < rememberedLength) {
      const ttlMs = status.allowed ? authorizedTtlMs : unauthorizedTtlMs;
      this.#answers.set(key, { status, untilMs: spanMs() + ttlMs });
      if (this.#answers.size > answersLimit) this.#answers.delete(this.#answers.keys().next().value!);
    }
    return decisionOf(status);
  }

  async #ask(spec: ReturnType<typeof accessReviewSpec>): Promise<Status> {
    const { client, version } = this.#options;
    const { groups, ...rest } = spec;
    const answer = await client.post({
      kind: 'SubjectAccessReview',
      apiVersion: `authorization.k8s.io/${version}`,
      metadata: {},
      // The older version has another name for groups.
      spec: version === 'v1' ? spec : { ...rest, ...(groups !== undefined && { group: groups }) },
      status: { allowed: false },
    });
    const { allowed, denied, reason } = answer['status'] ?? {};
    return { allowed: allowed === true, denied: denied === true, reason: typeof reason === 'string' ? reason : '' };
  }

  #failed(error: string): Decision {
    return { allowed: false, reason: '', error, ...(this.#options.failurePolicy === 'Deny' && { denied: true }) };
  }
}

function decisionOf({ allowed, denied, reason }: Status): Decision {
  if (!denied) return { allowed, reason };
  const error = 'webhook subject access review returned both allow and deny response';
  return { allowed: false, denied: true, reason, ...(allowed && { error }) };
}

const controlledLength = ({ namespace, verb, group, version, resource, subresource, name, path }: Attributes) =>
  [namespace, verb, group, version, resource, subresource, name, path].reduce((sum, part) => sum + part.length, 0);
