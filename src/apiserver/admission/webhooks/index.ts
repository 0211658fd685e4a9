import { Followed } from '../../watch-cache/followed.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../admission.ts';
import { ADMISSION_GROUP as group, isAdmissionConfiguration } from '../own-configuration.ts';
import { type CompiledWebhook, compileWebhooks } from './compiled-webhook.ts';
import { MUTATING_PLUGIN, mutate } from './mutating.ts';
import type { WebhookAdmissionOptions } from './options.ts';
import { validate } from './validating.ts';

export type { WebhookObserver } from './observer.ts';
export type { WebhookAdmissionOptions } from './options.ts';
export { Patience } from './patience.ts';

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
  const configurations = new Followed<CompiledWebhook>(
    { group, resource },
    (one) => objects.cache(one),
    // biome-ignore lint/correctness/useYield: what takes long of it is compiled when it is needed.
    function* (configuration, tenant) {
      try {
        return compileWebhooks(tenant, configuration);
      } catch (error) {
        // Validation lets none of these in; one must not keep the tenant's others from being asked.
        logger.warn({ tenant, resource, name: configuration.metadata.name, error }, 'webhooks cannot be compiled');
        return [];
      }
    },
  );
  return {
    handles({ tenant, definition }: AdmissionRequest): boolean {
      if (configurations.isLoaded && configurations.ofTenant(tenant).length === 0) return false;
      return !isAdmissionConfiguration(definition);
    },
    /** In upstream's order: by configuration's name, then as written. */
    async webhooksOf(tenant: string): Promise<readonly CompiledWebhook[]> {
      while (!configurations.isLoaded) await configurations.load();
      return configurations.ofTenant(tenant);
    },
  };
}
