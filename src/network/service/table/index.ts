import type { VpcService } from '../../../api/pool.ts';
import { VPC_SERVICES } from '../../../api/resources.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import { SYSTEM_TENANT } from '../../../client/client.ts';
import type { Informer, InformerFactory } from '../../../client/informer.ts';
import type { CarriedVpc, VpcNetwork } from '../../vpc/index.ts';
import { HealthPorts } from '../health/health-ports.ts';
import { openPorts } from '../health/port-opener.ts';
import { VpcTable } from './vpc-table.ts';

export interface ServiceTablesOptions {
  /** A new factory, not started: each tenant has one of its own, since informers end with their factory. */
  createInformers(): InformerFactory;
  network: Pick<VpcNetwork, 'subscribe'>;
  logger: Logger;
  clock: Clock;
}

interface Carried {
  informer: Informer<VpcService>;
  table: VpcTable;
  health: HealthPorts;
  controller: AbortController;
}

/** The services of the tenants that this host carries, for nftables and for DNS. */
export interface ServiceTables {
  /** The VpcServices of one tenant; undefined when its VPC is not carried. Lists nothing before it has synced. */
  services(tenant: string): Informer<VpcService> | undefined;
  /** Resolves when the kernel follows the tenant's services. */
  settled(tenant: string): Promise<void>;
}

/**
 * Watches the VpcServices of the tenants whose VPC stands on this host (no others: a host holds only what its own pods
 * need), keeps each VPC's table like them, and answers at their health check ports. Indexes of the informers: `service-namespace`, `service-ip`, `endpoint-ip`.
 */
export function startServiceTables(options: ServiceTablesOptions, signal: AbortSignal): ServiceTables {
  const carried = new Map<string, Carried>();

  const added = (vpc: CarriedVpc): void => {
    const logger = options.logger.child({ tenant: vpc.tenant });
    const table = new VpcTable({ ...vpc, logger, clock: options.clock });
    const health = new HealthPorts({
      namespacePath: vpc.namespacePath,
      open: openPorts,
      isProxyHealthy: () => table.isHealthy,
      clock: options.clock,
      logger,
    });
    const set = (service: VpcService): void => {
      table.set(service);
      health.set(service);
    };
    const controller = new AbortController();
    const informers = options.createInformers();
    const informer = informers.informer<VpcService>(VPC_SERVICES, {
      tenant: SYSTEM_TENANT,
      namespace: vpc.tenant,
      indexes: {
        'service-namespace': (service) => [service.spec.serviceRef.namespace],
        'service-ip': (service) => service.spec.clusterIPs,
        'endpoint-ip': (service) => service.spec.endpoints.map(({ address }) => address),
      },
    });
    informer.addHandlers({
      added: set,
      updated: (before, after) => {
        if (before.metadata.resourceVersion !== after.metadata.resourceVersion) set(after);
      },
      deleted: ({ metadata: { name } }) => {
        table.delete(name);
        health.delete(name);
      },
    });
    carried.set(vpc.tenant, { informer, table, health, controller });
    informers.start(AbortSignal.any([signal, controller.signal]));
    // Not awaited: a pod starts even when the control plane is away; what stands in the kernel stays until then.
    void informer.synced().then(() => {
      table.start();
      health.start();
    });
  };

  const removed = async (vpc: CarriedVpc): Promise<void> => {
    const entry = carried.get(vpc.tenant);
    carried.delete(vpc.tenant);
    entry?.controller.abort();
    await Promise.all([entry?.table.close(), entry?.health.close()]);
  };

  signal.addEventListener('abort', () => {
    for (const { table, health } of carried.values()) {
      void table.close();
      void health.close();
    }
  });
  void options.network.subscribe({ added, removed });

  return {
    services: (tenant) => carried.get(tenant)?.informer,
    async settled(tenant) {
      const entry = carried.get(tenant);
      await entry?.informer.synced();
      await Promise.all([entry?.table.settled(), entry?.health.settled()]);
    },
  };
}
