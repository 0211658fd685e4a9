import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { InformerFactory } from '../../client/informer.ts';

/** What every controller is made of. */
export interface ControllerDependencies {
  client: Client;
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  /** A recorder that speaks for one component: `replicaset-controller`. */
  recorder(component: string): EventRecorder;
}
