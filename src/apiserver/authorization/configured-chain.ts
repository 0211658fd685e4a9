import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Pace } from '../../base/steps.ts';
import type { Identity } from '../identity/identity.ts';
import { ReviewClient, readReviewServer } from '../webhooks/review-client.ts';
import type { Attributes } from './attributes.ts';
import type { Decision, HeldRules } from './decision.ts';
import { NodeAccess } from './nodes/node-access.ts';
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

/** What decides where the operator names no authorizers, as kubeadm starts a kube-apiserver: `Node,RBAC`. */
export function defaultAccess(nodes: NodeAccess, access: RoleBasedAccess): TenantAccess {
  return {
    authorize(identity, attributes, pace) {
      if (NodeAccess.nodeOf(identity) === undefined) return access.authorize(identity, attributes, pace);
      return firstOf([nodes, access], identity, attributes, pace);
    },
    async rules(identity, tenant, namespace, pace) {
      const held = await access.rules(identity, tenant, namespace, pace);
      if (NodeAccess.nodeOf(identity) === undefined) return held;
      return { ...held, errors: [...nodes.rules(identity).errors, ...held.errors], incomplete: true };
    },
  };
}

/** Asked in turn until one allows or denies. Source: pkg/authorization/union upstream. */
async function firstOf(
  asked: readonly { authorize: Ask }[],
  identity: Identity,
  attributes: Attributes,
  pace: Pace | undefined,
): Promise<Decision> {
  const reasons: string[] = [];
  const errors: string[] = [];
  let decided: Decision | undefined;
  for (const one of asked) {
    const decision = await one.authorize(identity, attributes, pace);
    if (decision.error !== undefined) errors.push(decision.error);
    if (decision.reason !== '') reasons.push(decision.reason);
    if (!decision.allowed && decision.denied !== true) continue;
    decided = decision;
    break;
  }
  const error = errors.length === 0 ? {} : { error: aggregate(errors) };
  if (decided !== undefined) return { ...decided, ...error };
  return { allowed: false, reason: reasons.join('\n'), ...error };
}

/**
 * The operator's authorizers.
 * `close` ends the connections to those that are elsewhere.
 */
export function configuredAccess(
  configured: readonly ConfiguredAuthorizer[],
  access: RoleBasedAccess,
  nodes: NodeAccess,
  { clock, logger }: { clock: Clock; logger: Logger },
): TenantAccess & { close(): void } {
  const clients: ReviewClient[] = [];
  const webhookOf = (one: ConfiguredWebhook) => {
    const client = new ReviewClient(readReviewServer(one.kubeConfigFile), { timeoutMs: one.timeoutMs });
    clients.push(client);
    const webhook = new WebhookAuthorizer({ ...one, client, clock, logger });
    return webhook;
  };
  const askOf: { [Type in ConfiguredAuthorizer['type']]: (one: any) => { authorize: Ask } } = {
    Node: () => nodes,
    RBAC: () => access,
    AlwaysAllow: () => ({ authorize: () => ({ allowed: true, reason: '' }) }),
    AlwaysDeny: () => ({ authorize: () => ({ allowed: false, reason: 'Everything is forbidden.' }) }),
    Webhook: webhookOf,
  };
  const asks = configured.map((one) => askOf[one.type](one));
  const hasRoles = configured.some(({ type }) => type === 'RBAC');
  const hasNodes = configured.some(({ type }) => type === 'Node');
  const others = configured.filter(({ type }) => type === 'Webhook');
  return {
    authorize: (identity, attributes, pace) => firstOf(asks, identity, attributes, pace),
    async rules(identity, tenant, namespace, pace) {
      const held: HeldRules = hasRoles
        ? await access.rules(identity, tenant, namespace, pace)
        : { rules: [], errors: [] };
      const ofNode = hasNodes ? nodes.rules(identity).errors : [];
      const unsaid = others.map(() => 'webhook authorizer does not support user rule resolution');
      return {
        ...held,
        errors: [...ofNode, ...held.errors, ...unsaid],
        incomplete: held.incomplete === true || ofNode.length + others.length > 0,
      };
    },
    close() {
      for (const client of clients) client.close();
    },
  };
}
