import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Pace } from '../../base/steps.ts';
import type { Identity } from '../identity/identity.ts';
import { ReviewClient, readReviewServer } from '../webhooks/review-client.ts';
import type { Attributes } from './attributes.ts';
import type { Decision, HeldRules } from './decision.ts';
import type { RoleBasedAccess } from './rbac/role-based-access.ts';
import { aggregate } from './rbac/role-based-access.ts';
import type { ConfiguredAuthorizer, ConfiguredWebhook } from './webhook/configuration-file.ts';
import { WebhookAuthorizer } from './webhook/webhook-authorizer.ts';

/** What decides within a tenant, once it is clear that its user asks for something of its own. */
export interface TenantAccess {
  authorize(identity: Identity, attributes: Attributes, pace?: Pace): Decision | Promise<Decision>;
  rules(identity: Identity, tenant: string, namespace: string, pace?: Pace): Promise<HeldRules>;
}

type Ask = TenantAccess['authorize'];

/**
 * The operator's authorizers, asked in turn until one allows or denies. Source: pkg/authorization/union upstream.
 * `close` ends the connections to those that are elsewhere.
 */
export function configuredAccess(
  configured: readonly ConfiguredAuthorizer[],
  access: RoleBasedAccess,
  { clock, logger }: { clock: Clock; logger: Logger },
): TenantAccess & { close(): void } {
  const clients: ReviewClient[] = [];
  const webhookOf = (one: ConfiguredWebhook): Ask => {
    const client = new ReviewClient(readReviewServer(one.kubeConfigFile), { timeoutMs: one.timeoutMs });
    clients.push(client);
    const webhook = new WebhookAuthorizer({ ...one, client, clock, logger });
    return (identity, attributes) => webhook.authorize(identity, attributes);
  };
  const askOf: { [Type in ConfiguredAuthorizer['type']]: (one: any) => Ask } = {
    RBAC: () => (identity, attributes, pace) => access.authorize(identity, attributes, pace),
    AlwaysAllow: () => () => ({ allowed: true, reason: '' }),
    AlwaysDeny: () => () => ({ allowed: false, reason: 'Everything is forbidden.' }),
    Webhook: webhookOf,
  };
  const asks = configured.map((one) => askOf[one.type](one));
  const hasRoles = configured.some(({ type }) => type === 'RBAC');
  const others = configured.filter(({ type }) => type === 'Webhook');
  return {
    async authorize(identity, attributes, pace) {
      const reasons: string[] = [];
      const errors: string[] = [];
      let decided: Decision | undefined;
      for (const ask of asks) {
        const decision = await ask(identity, attributes, pace);
        if (decision.error !== undefined) errors.push(decision.error);
        if (decision.reason !== '') reasons.push(decision.reason);
        if (!decision.allowed && decision.denied !== true) continue;
        decided = decision;
        break;
      }
      const error = errors.length === 0 ? {} : { error: aggregate(errors) };
      if (decided !== undefined) return { ...decided, ...error };
      return { allowed: false, reason: reasons.join('\n'), ...error };
    },
    async rules(identity, tenant, namespace, pace) {
      const held: HeldRules = hasRoles
        ? await access.rules(identity, tenant, namespace, pace)
        : { rules: [], errors: [] };
      const unsaid = others.map(() => 'webhook authorizer does not support user rule resolution');
      return {
        ...held,
        errors: [...held.errors, ...unsaid],
        incomplete: held.incomplete === true || others.length > 0,
      };
    },
    close() {
      for (const client of clients) client.close();
    },
  };
}
