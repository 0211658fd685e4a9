import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { CLUSTER_DOMAIN, type VpcService } from '../../api/pool.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { SYSTEM_TENANT } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import type { CarriedVpc, VpcNetwork } from '../vpc/index.ts';
import { listenOn, retryInUse } from '../vpc/listen-on.ts';
import { DnsResolver } from './resolver.ts';
import { machineResolvers, type Resolver } from './upstream.ts';
import type { ServiceLookup } from './zone.ts';

export interface DnsServerOptions {
  network: Pick<VpcNetwork, 'subscribe' | 'ports'>;
  /** The tenant's VpcServices, as service/table watches them. */
  services(tenant: string): Informer<VpcService> | undefined;
  clock: Clock;
  logger: Logger;
  /** Default: those of /etc/resolv.conf, which is read again when it may have changed. */
  upstream?: Resolver[];
  /** Default cluster.local. */
  clusterDomain?: string;
}

const TCP_IDLE_MS = 10_000;
const TCP_CONNECTIONS = 256;

/**
 * One DNS server for all VPCs of this host: it listens on the machine's end of each VPC's link, where 10.96.0.10 leads,
 * so the address a question comes to says whose it is.
 */
export function startDnsServer(options: DnsServerOptions, signal: AbortSignal): Promise<void> {
  const resolver = new DnsResolver({
    clusterDomain: options.clusterDomain ?? CLUSTER_DOMAIN,
    upstream: options.upstream === undefined ? rereadResolvers(options.clock) : () => options.upstream!,
    clock: options.clock,
    logger: options.logger,
  });
  const servers = new Map<string, { udp: UdpSocket | undefined; tcp: Server; sockets: Set<Socket> }>();

  const answer = (message: Buffer, tenant: string, transport: 'udp' | 'tcp') => {
    const informer = options.services(tenant);
    const lookup = informer?.hasSynced() ? serviceLookup(tenant, informer) : undefined;
    return resolver.answer(message, tenant, lookup, transport);
  };

  const added = async ({ tenant, linkAddress }: CarriedVpc): Promise<void> => {
    const port = options.network.ports.dns;
    const sockets = new Set<Socket>();
    const tcp = createServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      serveTcp(socket, (message) => answer(message, tenant, 'tcp'));
    });
    tcp.maxConnections = TCP_CONNECTIONS;
    const entry = { udp: undefined as UdpSocket | undefined, tcp, sockets };
    servers.set(tenant, entry);
    await listenOn(tcp, linkAddress, port, signal);
    await retryInUse(signal, async () => {
      const udp = createSocket('udp4');
      udp.bind(port, linkAddress);
      await once(udp, 'listening').catch((error) => {
        udp.close();
        throw error;
      });
      udp.on('error', (error) => options.logger.warn({ tenant, error }, 'the DNS socket reports an error'));
      udp.on('message', async (message, from) => {
        const reply = await answer(message, tenant, 'udp');
        // The socket may have been closed while upstream was asked.
        if (reply !== undefined && servers.get(tenant) === entry) udp.send(reply, from.port, from.address, () => {});
      });
      entry.udp = udp;
    });
    if (servers.get(tenant) !== entry) entry.udp?.close();
  };

  const removed = async ({ tenant }: { tenant: string }): Promise<void> => {
    const entry = servers.get(tenant);
    if (entry === undefined) return;
    servers.delete(tenant);
    entry.udp?.close();
    for (const socket of entry.sockets) socket.destroy();
    await new Promise((resolve) => entry.tcp.close(resolve));
  };

  signal.addEventListener('abort', () => {
    for (const tenant of [...servers.keys()]) void removed({ tenant });
  });
  return options.network.subscribe({ added, removed });
}

const REREAD_MS = 5000;

function rereadResolvers(clock: Clock): () => Resolver[] {
  let readMs = Number.NEGATIVE_INFINITY;
  let resolvers: Resolver[] = [];
  return () => {
    if (clock.now() - readMs >= REREAD_MS) {
      readMs = clock.now();
      resolvers = machineResolvers().map((address) => ({ address, port: 53 }));
    }
    return resolvers;
  };
}

/** Messages with their length before them (RFC 1035, 4.2.2); several may be under way, answered as they are ready. */
function serveTcp(socket: Socket, answer: (message: Buffer) => Promise<Buffer | undefined>): void {
  let received: Buffer = Buffer.alloc(0);
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
  socket.on('error', () => {});
  socket.on('data', async (data) => {
    received = received.length === 0 ? data : Buffer.concat([received, data]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      const message = received.subarray(2, end);
      received = received.subarray(end);
      const reply = await answer(message);
      if (reply === undefined || socket.destroyed) continue;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      socket.write(Buffer.concat([length, reply]));
    }
  });
}

function serviceLookup(tenant: string, informer: Informer<VpcService>): ServiceLookup {
  return {
    get: (namespace, name) => informer.get(`${SYSTEM_TENANT}/${tenant}/${namespace}.${name}`),
    hasNamespace: (namespace) => informer.byIndex('service-namespace', namespace).length > 0,
    byServiceAddress: (address) => informer.byIndex('service-ip', address),
    byEndpointAddress: (address) => informer.byIndex('endpoint-ip', address),
  };
}
