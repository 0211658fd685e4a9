import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { type ControllerMetrics, runController } from '../client/controller.ts';
import type { InformerFactory } from '../client/informer.ts';
import { lifecycleController } from './lifecycle/controller.ts';
import type { TenantResource } from './lifecycle/remove-content.ts';

export interface TenancyDependencies {
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  /** Every resource a tenant's API serves. */
  resources: readonly TenantResource[];
  metrics?: ControllerMetrics;
}

/** The life cycle of tenants. Asks for its informers before it first awaits; resolves when the signal aborts. */
export async function startTenancy(dependencies: TenancyDependencies, signal: AbortSignal): Promise<void> {
  const { informers, clock, logger, resources, metrics } = dependencies;
  const controller = lifecycleController({ informers, client: informers.client, resources });
  await runController(controller, { clock, logger, ...(metrics !== undefined && { metrics }) }, signal);
}
