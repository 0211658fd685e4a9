import type { Pod } from '../../api/generated/core-v1.ts';
import type { KubeObject } from '../../api/object.ts';
import type { ContainerInstance, InstancePlacer } from '../../api/pool.ts';
import { CONTAINER_INSTANCES, HOSTS, PODS } from '../../api/resources.ts';
import { ManualClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { Client } from '../../client/client.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { FakeTransport } from '../../client/testing/fake-transport.ts';
import { startVirtualNode } from '../index.ts';

export interface World {
  transport: FakeTransport;
  client: Client;
  clock: ManualClock;
  tokens: { count: number };
  pods: ReturnType<Client['resource']>;
  pod(name?: string): Promise<Pod>;
  instance(): ContainerInstance;
  hasInstance(): boolean;
  setStatus(status: object): Promise<unknown>;
}

export const NOW = Date.parse('2026-01-01T00:00:00Z');

export async function withVirtualNode(run: (world: World) => Promise<void>, placer?: InstancePlacer): Promise<void> {
  const clock = new ManualClock(NOW);
  const tokens = { count: 0 };
  const transport = new TokenServer(clock, tokens);
  const client = new Client(transport);
  const stop = new AbortController();
  const informers = createInformerFactory(client, { clock, logger: silentLogger });
  const done = startVirtualNode(
    { informers, clock, logger: silentLogger, zones: ['a', 'b'], ...(placer && { placer }) },
    stop.signal,
  );
  informers.start(stop.signal);
  await informers.waitForSync();
  const all = () => transport.all('containerinstances') as ContainerInstance[];
  try {
    await run({
      transport,
      client,
      clock,
      tokens,
      pods: client.resource('acme', PODS, 'shop'),
      pod: (name = 'web') => client.resource<Pod>('acme', PODS, 'shop').get(name),
      instance: () => all()[0]!,
      hasInstance: () => all().length > 0,
      setStatus: (status) =>
        client.for(CONTAINER_INSTANCES, all()[0]!).patch(all()[0]!.metadata.name, 'merge', { status }, 'status'),
    });
  } finally {
    stop.abort();
    await done;
  }
}

/** The fake server with TokenRequests. */
class TokenServer extends FakeTransport {
  readonly #clock: ManualClock;
  readonly #tokens: { count: number };
  constructor(clock: ManualClock, tokens: { count: number }) {
    super({ now: () => clock.now() });
    this.#clock = clock;
    this.#tokens = tokens;
  }
  override async request<T>(request: Parameters<FakeTransport['request']>[0]): Promise<T> {
    if (!request.path.endsWith('/token')) return await super.request<T>(request);
    await super.request({ method: 'GET', path: request.path.replace(/\/token$/, '') });
    const token = `token-${++this.#tokens.count}`;
    const { expirationSeconds } = (request.body as KubeObject)['spec'];
    const expirationTimestamp = new Date(this.#clock.now() + expirationSeconds * 1000).toISOString();
    return { status: { token, expirationTimestamp } } as T;
  }
}

export const boundPod = (spec: object = {}, more: object = {}) =>
  ({
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: {
      nodeName: 'virtual-node-a',
      serviceAccountName: 'default',
      terminationGracePeriodSeconds: 30,
      containers: [{ name: 'main', image: 'nginx' }],
      ...spec,
    },
    status: { phase: 'Pending', qosClass: 'BestEffort' },
    ...more,
  }) as any;

export const running = {
  phase: 'Running',
  startTime: '2026-01-01T00:00:01Z',
  hostIP: '10.128.0.1',
  podIP: '10.128.0.5',
  podIPs: [{ ip: '10.128.0.5' }],
  conditions: [
    { type: 'Initialized', status: 'True' },
    { type: 'ContainersReady', status: 'True' },
    { type: 'Ready', status: 'True' },
  ],
  containerStatuses: [
    { name: 'main', ready: true, restartCount: 0, image: 'nginx', imageID: 'sha256:1', containerID: 'containerd://1' },
  ],
};

export const createHost = (world: World) =>
  world.client.resource('system', HOSTS).create({
    metadata: { name: 'host-1' },
    spec: { zone: 'a' },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  } as any);

export const read = async (world: World, type: string) =>
  (await world.pod()).status?.conditions?.find((condition) => condition.type === type);
