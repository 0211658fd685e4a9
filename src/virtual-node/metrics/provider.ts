import type { Pod } from '../../api/generated/core-v1.ts';
import type { InstanceStats } from '../../api/instance-stats.ts';
import type { MetricsProvider } from '../../api/metrics.ts';
import type { ContainerInstance, Host } from '../../api/pool.ts';
import { CONTAINER_INSTANCES, HOSTS, PODS } from '../../api/resources.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { ALL_TENANTS, SYSTEM_TENANT } from '../../client/client.ts';
import type { InformerFactory } from '../../client/informer.ts';
import { HostClient, type HostCredentials } from '../connector/host-client.ts';
import { virtualNodeName } from '../nodes/virtual-nodes.ts';
import { podKeyOf } from '../sync/world.ts';
import { NodeCounters } from './node-counters.ts';
import { nodeMetricsOf, podMetricsOf } from './pod-usage.ts';
import { TerminationCounts } from './terminations.ts';

const BY_TENANT = 'virtual-node/tenant';
/** Hosts measure every 10 s; asking more often shows nothing new. */
const FRESH_MS = 5_000;
const ANSWER_WITHIN_MS = 5_000;

export interface MetricsOptions {
  informers: InformerFactory;
  credentials: HostCredentials;
  clock: Clock;
  logger: Logger;
  /** The pool's zones: a virtual node without pods is there all the same. */
  zones: readonly string[];
}

type StatsByUid = ReadonlyMap<string, InstanceStats>;

/** Measures a tenant's pods by asking the hosts that carry them, when somebody asks. Nothing runs in between. */
export function createMetricsProvider(options: MetricsOptions): MetricsProvider & { close(): void } {
  const { informers, clock, logger } = options;
  const pods = informers.informer<Pod>(PODS, { tenant: ALL_TENANTS });
  const counters = new NodeCounters();
  const terminations = new TerminationCounts();
  pods.addHandlers({ updated: (before, after) => terminations.observe(before, after) });
  const instances = informers.informer<ContainerInstance>(CONTAINER_INSTANCES, {
    tenant: SYSTEM_TENANT,
    indexes: { [BY_TENANT]: ({ metadata }) => [metadata.namespace ?? ''] },
  });
  const hosts = informers.informer<Host>(HOSTS, { tenant: SYSTEM_TENANT });
  const hostClient = new HostClient(options.credentials);
  const answers = new Map<string, { atMs: number; stats: Promise<StatsByUid> }>();

  function statsOf(hostName: string): Promise<StatsByUid> {
    const known = answers.get(hostName);
    if (known !== undefined && clock.now() - known.atMs < FRESH_MS) return known.stats;
    const stats = askHost(hostName).catch((error: unknown) => {
      // One host that is away must not hide the others' pods.
      logger.debug({ host: hostName, error }, 'a host gave no statistics');
      return new Map<string, InstanceStats>();
    });
    answers.set(hostName, { atMs: clock.now(), stats });
    return stats;
  }

  async function askHost(hostName: string): Promise<StatsByUid> {
    const streaming = hosts.get(`${SYSTEM_TENANT}//${hostName}`)?.status?.streaming;
    if (streaming === undefined) return new Map();
    const answer = await hostClient.json<{ instances: InstanceStats[] }>(
      { name: hostName, ...streaming },
      '/v1/stats',
      AbortSignal.timeout(ANSWER_WITHIN_MS),
    );
    return new Map(answer.instances.map((row) => [row.uid, row]));
  }

  async function measured(tenant: string): Promise<{ pod: Pod; stats: InstanceStats }[]> {
    const own = instances.byIndex(BY_TENANT, tenant).filter(({ spec }) => spec.hostName);
    const hostNames = [...new Set(own.map(({ spec }) => spec.hostName!))];
    const byHost = new Map(await Promise.all(hostNames.map(async (name) => [name, await statsOf(name)] as const)));
    return own.flatMap((instance) => {
      const stats = byHost.get(instance.spec.hostName!)?.get(instance.metadata.name);
      const pod = pods.get(podKeyOf(instance));
      // The name may belong to a later pod by now.
      return stats !== undefined && pod?.metadata.uid === instance.metadata.name ? [{ pod, stats }] : [];
    });
  }

  return {
    async podMetrics(tenant, namespace) {
      const rows = await measured(tenant);
      return rows.flatMap(({ pod, stats }) => {
        if (namespace !== undefined && pod.metadata.namespace !== namespace) return [];
        const metrics = podMetricsOf(pod, stats);
        return metrics === undefined ? [] : [metrics];
      });
    },
    async nodeMetrics(tenant) {
      const byNode = new Map<string, InstanceStats[]>(options.zones.map((zone) => [virtualNodeName(zone), []]));
      for (const { pod, stats } of await measured(tenant)) byNode.get(pod.spec.nodeName ?? '')?.push(stats);
      return [...byNode].map(([name, stats]) =>
        nodeMetricsOf(name, { 'kubernetes.io/hostname': name }, stats, clock.now()),
      );
    },
    async nodeUsage(tenant, nodeName) {
      const rows = (await measured(tenant)).filter(({ pod }) => pod.spec.nodeName === nodeName);
      const used = rows.flatMap(({ stats: { uid, containers } }) =>
        containers.map(({ name, cpuUsageCoreNanoSeconds }) => [`${uid}/${name}`, cpuUsageCoreNanoSeconds] as const),
      );
      return {
        cpuUsageCoreNanoSeconds: counters.add(`${tenant}/${nodeName}`, new Map(used)),
        pods: rows.map(({ pod: { metadata }, stats }) => ({
          namespace: metadata.namespace ?? '',
          name: metadata.name,
          stats,
        })),
      };
    },
    terminations: (tenant, nodeName) => terminations.of(tenant, nodeName),
    close: () => hostClient.close(),
  };
}
