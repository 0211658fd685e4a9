import { apiVersionOf } from '../api/object.ts';
import type { Tenant } from '../api/pool.ts';
import { builtinResources, platformResources } from '../api/resources/index.ts';
import { TENANTS } from '../api/resources.ts';
import { isAlreadyExists } from '../api/status.ts';
import { createTenantSigner } from '../apiserver/identity/certificate-signer.ts';
import { createApiServer } from '../apiserver/server.ts';
import { aborted } from '../base/abort.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { Client, SYSTEM_TENANT } from '../client/client.ts';
import { runController } from '../client/controller.ts';
import type { InformerFactory } from '../client/informer.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { startControllers } from '../controllers/all.ts';
import type { CertificateSigner } from '../controllers/certificate-signing/signer.ts';
import { createHostIndexController } from '../controllers/host-index/index.ts';
import { startMetering } from '../metering/index.ts';
import { createServicePublisher } from '../network/service/publish/index.ts';
import { startScheduler } from '../scheduler/index.ts';
import { openLmdbStore } from '../store/lmdb/lmdb-store.ts';
import { startTenancy } from '../tenancy/index.ts';
import {
  createMetricsProvider,
  createPodConnector,
  startVirtualNode,
  virtualNodeTemplates,
} from '../virtual-node/index.ts';
import type { DataDirectory } from './data-directory.ts';
import { localHostName } from './host-paths.ts';
import type { ListenAddress } from './listen-address.ts';
import { createLogger } from './logger.ts';
import { DEFAULT_TENANT_NAME, openHostPair, openPki, writeSystemKubeconfig, writeTenantKubeconfig } from './pki.ts';
import { reachable, urlOf, writeEndpoint } from './server-endpoint.ts';

export interface ControlPlaneOptions {
  data: DataDirectory;
  listen: ListenAddress;
  zones: string[];
  onReady(): void;
  stop: AbortSignal;
}

/** The control-plane process: API server, controllers, scheduler, virtual nodes, metering and tenancy. */
export async function runControlPlane({ data, listen, zones, onReady, stop }: ControlPlaneOptions): Promise<void> {
  const clock = systemClock;
  const logger = createLogger('control-plane');
  const pki = await openPki(data, listen, clock);
  const endpoint = reachable(listen);
  const store = openLmdbStore(data.store);
  const apiServer = await createApiServer({
    store,
    resources: builtinResources,
    platformResources,
    tenantTemplates: virtualNodeTemplates({ zones, readySinceMs: clock.now(), now: () => clock.now() }),
    caPem: pki.authority.certificatePem,
    serving: pki.serving,
    tokenKeyPem: pki.tokenKeyPem,
    advertise: { address: endpoint.host, port: endpoint.port },
    clock,
    logger,
  });
  const client = new Client(apiServer.inProcess('skypod:control-plane'));
  await ensureDefaultTenant(client);
  await apiServer.listen(listen);

  const informers = createInformerFactory(client, { clock, logger });
  const credentials = { caPem: pki.authority.certificatePem, ...pki.platformClient };
  const connector = createPodConnector({ informers, credentials });
  apiServer.setConnector(connector);
  const metrics = createMetricsProvider({
    informers,
    credentials,
    zones,
    clock,
    logger: logger.child({ part: 'metrics' }),
  });
  apiServer.setMetricsProvider(metrics);
  const signer = createTenantSigner({ clients: pki.authority, servers: pki.tenantServers });
  const rootCa = pki.authority.certificatePem;
  const parts = startParts({ client, informers, clock, logger, zones, rootCa, signer, stop });
  informers.start(stop);

  await openHostPair(data, pki.authority, localHostName(data), clock);
  writeEndpoint(data, endpoint);
  await writeTenantKubeconfig(data.kubeconfig, pki.authority, urlOf(endpoint), DEFAULT_TENANT_NAME);
  await writeSystemKubeconfig(data.systemKubeconfig, pki.authority, urlOf(endpoint));
  await informers.waitForSync();
  onReady();
  logger.info({ listen, zones }, 'the control plane serves');

  await Promise.race([aborted(stop), parts]);
  await parts;
  connector.close();
  metrics.close();
  await apiServer.close();
  await store.close();
}

interface PartsOptions {
  client: Client;
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  zones: string[];
  rootCa: string;
  signer: CertificateSigner;
  stop: AbortSignal;
}

/** Everything that works on objects, in no particular order: the parts meet in the API only. */
async function startParts(options: PartsOptions): Promise<void> {
  const { client, informers, clock, logger, zones, rootCa, signer, stop } = options;
  const common = { client, informers, clock };
  const of = (part: string) => ({ ...common, logger: logger.child({ part }) });
  await Promise.all([
    startControllers({ ...of('controllers'), rootCa, signer, resources: builtinResources }, stop),
    startScheduler(of('scheduler'), stop),
    startVirtualNode({ ...of('virtual-node'), zones }, stop),
    startMetering(of('metering'), stop),
    startTenancy({ ...of('tenancy'), resources: builtinResources }, stop),
    runController(createHostIndexController(common), of('pool'), stop),
    runController(createServicePublisher({ informers }), of('network'), stop),
  ]);
}

async function ensureDefaultTenant(client: Client): Promise<void> {
  try {
    await client.resource<Tenant>(SYSTEM_TENANT, TENANTS).create({
      apiVersion: apiVersionOf(TENANTS),
      kind: 'Tenant',
      metadata: { name: DEFAULT_TENANT_NAME },
    });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
