import { builtinResources, platformResources } from '../api/resources/index.ts';
import { createApiServer } from '../apiserver/server.ts';
import { aborted } from '../base/abort.ts';
import { systemClock } from '../base/clock.ts';
import { openLmdbStore } from '../store/lmdb/lmdb-store.ts';
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
    caPem: pki.authority.certificatePem,
    serving: pki.serving,
    tokenKeyPem: pki.tokenKeyPem,
    advertise: { address: endpoint.host, port: endpoint.port },
    clock,
    logger,
  });
  await apiServer.listen(listen);
  await openHostPair(data, pki.authority, localHostName(data), clock);
  writeEndpoint(data, endpoint);
  await writeTenantKubeconfig(data.kubeconfig, pki.authority, urlOf(endpoint), DEFAULT_TENANT_NAME);
  await writeSystemKubeconfig(data.systemKubeconfig, pki.authority, urlOf(endpoint));
  onReady();
  logger.info({ listen, zones }, 'the control plane serves');
  await aborted(stop);
  await apiServer.close();
  await store.close();
}
