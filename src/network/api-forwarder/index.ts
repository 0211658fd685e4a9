import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from '../../base/log.ts';
import type { CarriedVpc, VpcNetwork } from '../vpc/index.ts';
import { listenOn } from '../vpc/listen-on.ts';

export interface ApiServerAddress {
  host: string;
  port: number;
}

export interface ApiForwarderOptions {
  network: Pick<VpcNetwork, 'subscribe' | 'ports'>;
  /** The control planes, as this host reaches them: the first that answers is used. */
  apiServers: readonly ApiServerAddress[];
  logger: Logger;
}

/** At a time; more are refused. */
const CONNECTIONS_PER_VPC = 4096;

// Each side may end its half first: upgraded streams rely on it. A pod's namespace can go without a farewell, so silent
// connections are probed.
const socketOptions = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };

/**
 * `kubernetes.default` (10.96.0.1:443) of every VPC leads to a port on the machine's end of its link; from there the
 * bytes go to the control plane as they are. TLS and the credential are the client's: its token says its tenant.
 */
export function startApiForwarder(options: ApiForwarderOptions, signal: AbortSignal): Promise<void> {
  const servers = new Map<string, { server: Server; sockets: Set<Socket> }>();

  /** Of the servers, the one in use; one that can't be reached makes way for the next. */
  let current = 0;

  const forward = (client: Socket, sockets: Set<Socket>, attempt = 1): void => {
    const index = current;
    const upstream = connect({ ...options.apiServers[index]!, ...socketOptions });
    let isConnected = false;
    sockets.add(upstream);
    upstream.once('connect', () => {
      isConnected = true;
      client.pipe(upstream);
      upstream.pipe(client);
    });
    upstream.on('error', () => {
      if (isConnected) return client.destroy();
      if (current === index) current = (index + 1) % options.apiServers.length;
    });
    upstream.on('close', () => {
      sockets.delete(upstream);
      client.off('error', cut);
      client.off('close', closed);
      if (!isConnected && attempt < options.apiServers.length && !client.destroyed) {
        forward(client, sockets, attempt + 1);
      } else if (!client.writableEnded) client.destroy();
    });
    const cut = () => upstream.destroy();
    const closed = () => {
      if (!upstream.writableEnded) upstream.destroy();
    };
    client.on('error', cut);
    client.on('close', closed);
  };

  const end = async (tenant: string): Promise<void> => {
    const entry = servers.get(tenant);
    if (entry === undefined) return;
    servers.delete(tenant);
    for (const socket of entry.sockets) socket.destroy();
    await new Promise((resolve) => entry.server.close(resolve));
  };

  const added = async (vpc: CarriedVpc): Promise<void> => {
    const sockets = new Set<Socket>();
    const server = createServer(socketOptions, (client) => {
      sockets.add(client);
      client.on('error', () => {});
      client.on('close', () => sockets.delete(client));
      forward(client, sockets);
    });
    server.maxConnections = CONNECTIONS_PER_VPC;
    servers.set(vpc.tenant, { server, sockets });
    await listenOn(server, vpc.linkAddress, options.network.ports.api, signal);
  };

  signal.addEventListener('abort', () => {
    for (const tenant of [...servers.keys()]) void end(tenant);
  });
  return options.network.subscribe({ added, removed: ({ tenant }) => end(tenant) });
}
