import type { InstancePlacer } from '../api/pool.ts';
import { aborted } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { createEventRecorder } from '../client/event-recorder.ts';
import type { InformerFactory } from '../client/informer.ts';
import { watchPool } from './profiles/watch-pool.ts';
import { watchTenants } from './profiles/watch-tenants.ts';
import type { Overcommit } from './snapshot/pool-snapshot.ts';

export interface SchedulerDependencies {
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  /** Bindings under way at once, for each profile; a tenant gets half of them at most. */
  bindsInFlight?: number;
  /** How many times over hosts' resources may be promised; by default CPU 4 times, memory once. */
  overcommit?: Overcommit;
  /** Gets what chooses hosts for instances before they are written. */
  onPlacer?(placer: InstancePlacer): void;
}

/**
 * One scheduler for all tenants, with both profiles. Asks for its informers before it first awaits, so call it before
 * the factory starts or after. Resolves when the signal aborts.
 */
export async function startScheduler(dependencies: SchedulerDependencies, signal: AbortSignal): Promise<void> {
  const { informers, clock, logger } = dependencies;
  const { client } = informers;
  const events = createEventRecorder({ client, clock, logger, component: 'default-scheduler' });
  const options = { clock, logger, bindsInFlight: dependencies.bindsInFlight ?? 256 };
  const tenants = watchTenants({ informers, client, clock, events }, options);
  const pool = watchPool({ informers, client, clock, overcommit: dependencies.overcommit }, options);

  const stopped = aborted(signal);
  await Promise.race([Promise.all([...tenants.informers, ...pool.informers].map((each) => each.synced())), stopped]);
  if (!signal.aborted) {
    tenants.scheduler.start();
    pool.scheduler.start();
    dependencies.onPlacer?.(pool.placer);
  }
  await stopped;
  tenants.scheduler.stop();
  pool.scheduler.stop();
}
