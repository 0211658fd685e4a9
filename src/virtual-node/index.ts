import type { InstancePlacer } from '../api/pool.ts';
import { aborted } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { type ControllerMetrics, runController } from '../client/controller.ts';
import { createEventRecorder, type EventRecorder } from '../client/event-recorder.ts';
import type { InformerFactory } from '../client/informer.ts';
import { eventRelay } from './events/relay.ts';
import { hostMonitor } from './hosts/host-monitor.ts';
import { extendedResources } from './nodes/extended-resources.ts';
import { allocatableOf, type NodeCapacity, virtualNodeAddresses, zonesByNode } from './nodes/virtual-nodes.ts';
import { podController } from './sync/controller.ts';
import { createWorld } from './sync/world.ts';

export { createPodConnector } from './connector/connector.ts';
export { createMetricsProvider } from './metrics/provider.ts';
export {
  isNodeResource,
  type NodeCapacity,
  virtualNodeAddresses,
  virtualNodeTemplates,
  zonesByNode,
} from './nodes/virtual-nodes.ts';

export interface VirtualNodeDependencies {
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  /** The pool's zones, one virtual node each. */
  zones: readonly string[];
  /** What the virtual nodes show of themselves: as for virtualNodeTemplates. */
  capacity?: NodeCapacity;
  metrics?: ControllerMetrics;
  /** Pods worked on at once; a tenant gets half of them at most. */
  workers?: number;
  /** Chooses hosts for instances as they are made; without, they wait for the pool's scheduler. */
  placer?: InstancePlacer;
}

/**
 * The virtual nodes of all tenants: pods become container instances, instances' statuses and events become the pods'.
 * Asks for its informers before it first awaits. Resolves when the signal aborts and the last step has ended.
 */
export async function startVirtualNode(dependencies: VirtualNodeDependencies, signal: AbortSignal): Promise<void> {
  const { informers, clock, logger, metrics } = dependencies;
  const { client } = informers;
  const zones = zonesByNode(dependencies.zones);
  const recorders = new Map<string, EventRecorder>();
  const events = (host: string): EventRecorder => {
    let recorder = recorders.get(host);
    if (recorder === undefined) {
      recorder = createEventRecorder({ client, clock, logger, component: 'kubelet', host });
      recorders.set(host, recorder);
    }
    return recorder;
  };
  const world = createWorld(informers, allocatableOf(dependencies.capacity), virtualNodeAddresses(dependencies.zones));
  const workers = dependencies.workers ?? 512;
  const { placer } = dependencies;
  const pods = podController({ world, client, clock, events, zones, workers, placer });
  const runOptions = { clock, logger, ...(metrics !== undefined && { metrics }) };
  const evictions = createEventRecorder({ client, clock, logger, component: 'taint-eviction-controller' });
  const controllers = [
    pods,
    eventRelay({ informers, client, world, workers: 32 }),
    hostMonitor(informers, client, world, evictions, clock),
    extendedResources(world.nodes, client, zones),
  ];
  await Promise.all([
    ...controllers.map((controller) => runController(controller, runOptions, signal)),
    aborted(signal).then(() => pods.close()),
  ]);
}
