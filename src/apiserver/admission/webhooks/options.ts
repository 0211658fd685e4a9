import type { Logger } from '../../../base/log.ts';
import type { Authorizer } from '../../authorization/authorizer.ts';
import type { Objects } from '../../objects.ts';
import type { ResourceRegistry } from '../../registry.ts';
import type { WebhookClient } from '../../webhooks/webhook-client.ts';
import type { WebhookObserver } from './observer.ts';
import type { Patience } from './patience.ts';

/** What admission by webhooks works with. */
export interface WebhookAdmissionOptions {
  objects: Objects;
  registry: ResourceRegistry;
  authorizer: Authorizer;
  client: WebhookClient;
  /** With tenants' webhooks, of the platform's components. */
  patience: Patience;
  logger: Logger;
  observer?: WebhookObserver;
}
