import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { InformerFactory } from '../client/informer.ts';
import { type ApiServerAddress, startApiForwarder } from './api-forwarder/index.ts';
import { startDnsServer } from './dns/index.ts';
import { startServiceTables } from './service/table/index.ts';
import { createVpcNetwork, type VpcNetwork, type VpcNetworkOptions } from './vpc/index.ts';

export interface HostNetworkOptions extends VpcNetworkOptions {
  /** The control planes as this host reaches them; pods reach one of them as `kubernetes.default`. */
  apiServers: readonly ApiServerAddress[];
  /** A new factory, not started, whose client may read VpcServices in the system tenant. */
  createInformers(): InformerFactory;
  clock: Clock;
  logger: Logger;
  clusterDomain?: string;
}

/**
 * All that a host does for its tenants' networks: namespaces and addresses, service tables, DNS, the way to the API.
 * When the signal aborts, what runs in this process ends; namespaces, rules and pods stay for the next one.
 */
export async function startHostNetwork(options: HostNetworkOptions, signal: AbortSignal): Promise<VpcNetwork> {
  const network = await createVpcNetwork(options);
  const { clock, logger } = options;
  const tables = startServiceTables({ network, createInformers: options.createInformers, clock, logger }, signal);
  await Promise.all([
    startApiForwarder({ network, apiServers: options.apiServers, logger }, signal),
    startDnsServer(
      {
        network,
        services: (tenant) => tables.services(tenant),
        clock,
        logger,
        ...(options.clusterDomain !== undefined && { clusterDomain: options.clusterDomain }),
      },
      signal,
    ),
  ]);
  signal.addEventListener('abort', () => network.close());
  if (signal.aborted) network.close();
  return network;
}
