import type { AdmissionPlugin, AdmissionRequest } from '../admission.ts';
import type { CompiledWebhook } from './compiled-webhook.ts';
import { WebhookConfigurations } from './configurations.ts';
import { MUTATING_PLUGIN, mutate } from './mutating.ts';
import type { WebhookAdmissionOptions } from './options.ts';
import { validate } from './validating.ts';

export type { WebhookAdmissionOptions } from './options.ts';
export { Patience } from './patience.ts';

const group = 'admissionregistration.k8s.io';
/** What decides about requests is not asked about itself: nobody could get out of a bad configuration again. */
const exempt = new Set([
  'mutatingwebhookconfigurations',
  'validatingwebhookconfigurations',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
]);

/** Source: MutatingAdmissionWebhook upstream. */
export function mutatingWebhooks(options: WebhookAdmissionOptions): AdmissionPlugin {
  const { handles, webhooksOf } = follow(options, 'mutatingwebhookconfigurations');
  return {
    name: MUTATING_PLUGIN,
    handles,
    async admit(request) {
      const webhooks = await webhooksOf(request.tenant);
      if (webhooks.length > 0) await mutate(options, webhooks, request);
    },
  };
}

/** Source: ValidatingAdmissionWebhook upstream. */
export function validatingWebhooks(options: WebhookAdmissionOptions): AdmissionPlugin {
  const { handles, webhooksOf } = follow(options, 'validatingwebhookconfigurations');
  return {
    name: 'ValidatingAdmissionWebhook',
    handles,
    async validate(request) {
      const webhooks = await webhooksOf(request.tenant);
      if (webhooks.length > 0) await validate(options, webhooks, request);
    },
  };
}

function follow({ objects, logger }: WebhookAdmissionOptions, resource: string) {
  const configurations = new WebhookConfigurations(
    { group, resource },
    () => objects.cache({ group, resource }),
    logger,
  );
  return {
    handles({ tenant, definition }: AdmissionRequest): boolean {
      if (configurations.ofTenant(tenant)?.length === 0) return false;
      return definition.group !== group || !exempt.has(definition.resource);
    },
    async webhooksOf(tenant: string): Promise<readonly CompiledWebhook[]> {
      let webhooks = configurations.ofTenant(tenant);
      while (webhooks === undefined) {
        await configurations.load();
        webhooks = configurations.ofTenant(tenant);
      }
      return webhooks;
    },
  };
}
