import type {
  MutatingWebhook,
  RuleWithOperations,
  ValidatingWebhook,
} from '../../../api/generated/admissionregistration-v1.ts';
import type { KubeObject } from '../../../api/object.ts';
import { type Selector, selectorFromLabelSelector } from '../../../api/selectors/label-selectors.ts';
import type { WebhookTarget } from '../../webhooks/webhook-client.ts';
import { compileMatchConditions, type MatchConditions } from '../expressions/index.ts';

/** One webhook of one configuration, ready to be asked whether it is meant. */
export interface CompiledWebhook {
  /** Unique within the tenant and kind of configuration: `CONFIGURATION/WEBHOOK/INDEX`. */
  readonly uid: string;
  readonly configurationName: string;
  readonly name: string;
  readonly rules: RuleWithOperations[];
  readonly matchesEquivalents: boolean;
  /** undefined: everything. */
  readonly namespaceSelector: Selector | undefined;
  readonly objectSelector: Selector | undefined;
  readonly failsOpen: boolean;
  readonly allowsDryRun: boolean;
  readonly timeoutMs: number;
  /** The first of the webhook's that we know. */
  readonly reviewVersion: 'v1' | 'v1beta1' | undefined;
  readonly isReinvocable: boolean;
  readonly target: WebhookTarget;
  readonly conditions: MatchConditions | undefined;
}

export function compileWebhooks(tenant: string, configuration: KubeObject): CompiledWebhook[] {
  const { name } = configuration.metadata;
  const seen = new Map<string, number>();
  return ((configuration['webhooks'] ?? []) as (MutatingWebhook & ValidatingWebhook)[]).map((webhook) => {
    const index = seen.get(webhook.name) ?? 0;
    seen.set(webhook.name, index + 1);
    return compile(tenant, name, `${name}/${webhook.name}/${index}`, webhook);
  });
}

function compile(tenant: string, configurationName: string, uid: string, webhook: MutatingWebhook): CompiledWebhook {
  const { service, url, caBundle } = webhook.clientConfig;
  const conditions = webhook.matchConditions ?? [];
  let compiled: MatchConditions | undefined;
  return {
    uid,
    configurationName,
    name: webhook.name,
    rules: webhook.rules ?? [],
    // Objects are written with defaults: what is absent here was written by no API.
    matchesEquivalents: webhook.matchPolicy !== 'Exact',
    namespaceSelector: selectorOf(webhook.namespaceSelector),
    objectSelector: selectorOf(webhook.objectSelector),
    failsOpen: webhook.failurePolicy === 'Ignore',
    allowsDryRun: webhook.sideEffects === 'None' || webhook.sideEffects === 'NoneOnDryRun',
    timeoutMs: (webhook.timeoutSeconds ?? 10) * 1000,
    reviewVersion: webhook.admissionReviewVersions.find((version) => version === 'v1' || version === 'v1beta1') as
      | 'v1'
      | 'v1beta1'
      | undefined,
    isReinvocable: webhook.reinvocationPolicy === 'IfNeeded',
    target: {
      tenant,
      ...(service !== undefined && service !== null && { service }),
      ...(url !== undefined && url !== null && { url }),
      ...(caBundle && { caBundle }),
    },
    // At first use: most requests are of no concern to most webhooks.
    get conditions() {
      return conditions.length === 0 ? undefined : (compiled ??= compileMatchConditions(conditions));
    },
  };
}

function selectorOf(selector: MutatingWebhook['namespaceSelector']): Selector | undefined {
  if (selector === undefined || selector === null) return undefined;
  const compiled = selectorFromLabelSelector(selector);
  return compiled.requirements.length === 0 && !compiled.nothing ? undefined : compiled;
}
