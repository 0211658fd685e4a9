import { aborted } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { type ControllerMetrics, runController } from '../client/controller.ts';
import type { InformerFactory } from '../client/informer.ts';
import { createLedger } from './ledger/ledger.ts';
import { meteringController } from './usage/controller.ts';

export { formatCsv, summarize, tableRows } from './bill/summarize.ts';

export interface MeteringDependencies {
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  metrics?: ControllerMetrics;
  workers?: number;
}

/** Writes the ledger. Asks for its informers before it first awaits; resolves when the signal aborts. */
export async function startMetering(dependencies: MeteringDependencies, signal: AbortSignal): Promise<void> {
  const { informers, clock, logger, metrics } = dependencies;
  const { client } = informers;
  const ledger = createLedger(client);
  const controller = meteringController({ informers, client, clock, ledger, workers: dependencies.workers ?? 128 });
  const options = { clock, logger, ...(metrics !== undefined && { metrics }) };
  await Promise.all([runController(controller, options, signal), aborted(signal).then(() => controller.close())]);
}
