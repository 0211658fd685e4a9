import type { Pod } from '../../api/generated/core-v1.ts';
import { type Draft, formatTime, type GroupVersionResource, type KubeObject } from '../../api/object.ts';
import { PODS } from '../../api/resources.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { type Logger, silentLogger } from '../../base/log.ts';
import { Client } from '../../client/client.ts';
import { type Controller, runController } from '../../client/controller.ts';
import { createEventRecorder, type EventRecorder } from '../../client/event-recorder.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { FakeTransport, type FakeTransportOptions } from '../../client/testing/fake-transport.ts';
import type { ControllerDependencies } from '../common/dependencies.ts';

export interface Harness {
  transport: FakeTransport;
  client: Client;
  dependencies: ControllerDependencies;
  run(...controllers: Controller[]): Promise<void>;
  create<T extends KubeObject>(resource: GroupVersionResource, draft: Draft<T>): Promise<T>;
  get<T extends KubeObject>(resource: GroupVersionResource, name: string): T | undefined;
  all<T extends KubeObject>(resource: GroupVersionResource): T[];
  /** Reasons and messages of the events written so far. */
  events(): string[];
  /** Does the kubelet's part: pods get a node and become ready; deleted ones go. Ends with the test. */
  runPods(): void;
}

export const testTenant = 'acme';
export const testNamespace = 'default';

/** Controllers over an API server in memory; everything stops when the test ends. */
export function createHarness(
  t: { after(hook: () => void | Promise<void>): void },
  options: FakeTransportOptions & { clock?: Clock; logger?: Logger } = {},
): Harness {
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const transport = new FakeTransport({ now: () => clock.now(), ...options });
  const client = new Client(transport);
  const informers = createInformerFactory(client, { logger, clock: systemClock });
  const stop = new AbortController();
  const running: Promise<void>[] = [];
  const recorders = new Map<string, EventRecorder>();
  const recorder = (component: string) => {
    let found = recorders.get(component);
    if (found === undefined)
      recorders.set(component, (found = createEventRecorder({ client, clock, logger, component })));
    return found;
  };
  t.after(async () => {
    stop.abort();
    await Promise.all(running);
  });
  const all = <T extends KubeObject>(resource: GroupVersionResource) => transport.all(resource.resource) as T[];
  return {
    transport,
    client,
    dependencies: { client, informers, clock, logger, recorder },
    async run(...controllers) {
      for (const controller of controllers) running.push(runController(controller, { clock, logger }, stop.signal));
      informers.start(stop.signal);
      await informers.waitForSync();
    },
    create: (resource, draft) =>
      client
        .resource<any>(testTenant, resource, draft.metadata.namespace ?? testNamespace)
        .create(draft as Draft<KubeObject>) as Promise<any>,
    get: (resource, name) => all<any>(resource).find((object) => object.metadata.name === name),
    all,
    events: () => transport.all('events').map((event) => `${event['reason']}: ${event['message']}`),
    runPods() {
      const pods = informers.informer<Pod>(PODS, { tenant: '*' });
      pods.addHandlers({
        added: (pod) => void settle(client, pod, clock),
        updated: (_, pod) => void settle(client, pod, clock),
      });
    },
  };
}

async function settle(client: Client, pod: Pod, clock: Clock): Promise<void> {
  const pods = client.for(PODS, pod);
  try {
    if (pod.metadata.deletionTimestamp !== undefined) {
      await pods.delete(pod.metadata.name, { gracePeriodSeconds: 0 });
    } else if ((pod.spec?.nodeName ?? '') === '') {
      await pods.patch(pod.metadata.name, 'merge', { spec: { nodeName: 'node-a' } });
    } else if (pod.status?.phase === undefined) {
      await pods.patch(pod.metadata.name, 'merge', { status: runningStatus(clock.now()) }, 'status');
    }
  } catch {
    // It changed meanwhile: its next event settles it.
  }
}

export function runningStatus(nowMs: number, podIP = '10.128.0.9'): NonNullable<Pod['status']> {
  const lastTransitionTime = formatTime(nowMs);
  return {
    phase: 'Running',
    podIP,
    podIPs: [{ ip: podIP }],
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime }],
  };
}
