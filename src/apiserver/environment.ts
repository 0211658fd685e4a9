import type { MetricsProvider } from '../api/metrics.ts';
import type { PodConnector } from '../api/pod-connector.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Admission } from './admission/admission.ts';
import type { Answer } from './answer.ts';
import type { Authorizer } from './authorization/authorizer.ts';
import type { ServiceDialer } from './connect/service-dialer.ts';
import type { BearerTokens } from './identity/bearer-tokens.ts';
import type { ServiceAccountTokens } from './identity/service-account-tokens.ts';
import type { Objects } from './objects.ts';
import type { ResourceRegistry } from './registry.ts';
import type { RequestContext } from './request-context.ts';
import type { ResourceHooks } from './resources/hooks.ts';
import type { TenantDirectory } from './tenants/tenant-directory.ts';

/** What the verbs work with; made once by `server.ts`. */
export interface Environment {
  registry: ResourceRegistry;
  objects: Objects;
  tenants: TenantDirectory;
  admission: Admission;
  authorizer: Authorizer;
  tokens: ServiceAccountTokens;
  authenticator: BearerTokens;
  /** By `resource.group`: what a kind's writes do besides writing the object. */
  hooks: ReadonlyMap<string, ResourceHooks>;
  /** Undefined until virtual-node/ is up. */
  connector(): PodConnector | undefined;
  /** Into a tenant's VPC: webhooks, aggregated APIs, the service proxy. */
  dialService: ServiceDialer;
  /** What tenants' own API servers answer; undefined where the request is not theirs. */
  aggregation?: { serve(context: RequestContext): Promise<Answer> | undefined };
  /** What is behind metrics.k8s.io; undefined until virtual-node/ is up. */
  metrics?(): MetricsProvider | undefined;
  clock: Clock;
  logger: Logger;
}
