import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from '../../base/log.ts';
import type { CarriedVpc, VpcNetwork } from '../vpc/index.ts';
import { listenOn } from '../vpc/listen-on.ts';

export interface ApiForwarderOptions {
  network: Pick<VpcNetwork, 'subscribe' | 'ports'>;
  /** The control plane, as this host reaches it. */
  apiServer: { host: string; port: number };
  logger: Logger;
  /** Connections of one VPC at a time; more are refused. Default 4096. */
  connectionsPerVpc?: number;
}

// Each side may end its half first: upgraded streams rely on it. A pod's namespace can go without a farewell, so silent
// connections are probed.
const socketOptions = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };

/**
 * `kubernetes.default` (10.96.0.1:443) of every VPC leads to a port on the machine's end of its link; from there the
 * bytes go to the control plane as they are. TLS and the credential are the client's: its token says its tenant.
 */
export function startApiForwarder(options: ApiForwarderOptions, signal: AbortSignal): Promise<void> {
  const servers = new Map<string, { server: Server; sockets: Set<Socket> }>();

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
      const upstream = connect({ ...options.apiServer, ...socketOptions });
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(socket);
        socket.on('error', () => other.destroy());
        socket.on('close', () => {
          sockets.delete(socket);
          if (!other.writableEnded) other.destroy();
        });
        socket.pipe(other);
      }
    });
    server.maxConnections = options.connectionsPerVpc ?? 4096;
    servers.set(vpc.tenant, { server, sockets });
    await listenOn(server, vpc.linkAddress, options.network.ports.api, signal);
  };

  signal.addEventListener('abort', () => {
    for (const tenant of [...servers.keys()]) void end(tenant);
  });
  return options.network.subscribe({ added, removed: ({ tenant }) => end(tenant) });
}
