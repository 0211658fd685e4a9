import { join } from 'node:path';
import { aborted } from '../base/abort.ts';
import { systemClock } from '../base/clock.ts';
import { Client } from '../client/client.ts';
import { HttpTransport } from '../client/http-transport.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { startHostAgent } from '../host/agent.ts';
import { startHostNetwork } from '../network/index.ts';
import { createSimulatedPodNetwork } from '../network/vpc/simulated.ts';
import { createCriRuntime } from '../runtime/cri/cri-runtime.ts';
import type { RegistryPolicy } from '../runtime/cri/registries/policy.ts';
import type { SandboxRuntime } from '../runtime/sandbox-runtime.ts';
import { createSimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import type { DataDirectory } from './data-directory.ts';
import { localHostName } from './host-paths.ts';
import type { ListenAddress } from './listen-address.ts';
import { createLogger } from './logger.ts';
import { hostPairName, readPair } from './pki.ts';
import { readEndpoints, urlOf } from './server-endpoint.ts';

export interface HostOptions {
  data: DataDirectory;
  runtime: 'containerd' | 'simulated';
  zones: string[];
  /** The control planes; those that the data directory knows when absent. */
  servers?: ListenAddress[];
  /** Tenants that are trusted with the machine: their containers may be privileged. */
  privilegedTenants: string[];
  /** Where images may come from. */
  registries: RegistryPolicy;
  onReady(): void;
  stop: AbortSignal;
}

/** The host process: agent, sandbox runtime, and the network of every VPC that this machine carries. */
export async function runHost(options: HostOptions): Promise<void> {
  const { data, runtime: kind, zones, servers, privilegedTenants, registries, onReady, stop } = options;
  const clock = systemClock;
  const logger = createLogger('host');
  const name = localHostName(data);
  const pair = readPair(data, hostPairName(name));
  const apiServers = servers ?? readEndpoints(data);
  const transport = new HttpTransport({
    server: apiServers.map(urlOf),
    // Where there is another to go to, one that hangs is not waited for.
    ...(apiServers.length > 1 && { requestTimeoutMs: 15_000 }),
    ca: pair.caPem,
    cert: pair.certificatePem,
    key: pair.keyPem,
  });
  const client = new Client(transport);
  const createInformers = () => createInformerFactory(client, { clock, logger });
  const informers = createInformers();
  const simulated = kind === 'simulated';
  const runtime: SandboxRuntime = simulated
    ? createSimulatedRuntime({ stateDirectory: join(data.host, 'simulated'), clock })
    : await createCriRuntime({ dataDirectory: data.host, sharedDirectory: data.host, registries, logger });

  const agent = await startHostAgent(
    {
      name,
      zone: zones[0],
      zones,
      informers,
      runtime,
      network: ({ index }) =>
        simulated
          ? createSimulatedPodNetwork({ hostIndex: index })
          : startHostNetwork(
              { dataDirectory: data.host, hostIndex: index, apiServers, createInformers, logger, clock },
              stop,
            ),
      dataDirectory: data.host,
      tls: { authority: pair.caPem, certificate: pair.certificatePem, key: pair.keyPem },
      streaming: { host: '127.0.0.1', port: 0 },
      clock,
      logger,
      simulated,
      privilegedTenants,
      ...(simulated && { capacity: { cpu: '1000000', memory: '4Pi', pods: '1000000' } }),
    },
    stop,
  );
  informers.start(stop);
  onReady();
  logger.info({ name, zones, runtime: kind, hostIndex: agent.hostIndex }, 'the host serves');
  await aborted(stop);
  await agent.stopped;
  await runtime.close();
}
