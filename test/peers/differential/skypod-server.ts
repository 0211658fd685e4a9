import { join } from 'node:path';
import { builtinResources, platformResources } from '../../../src/api/resources/index.ts';
import { CertificateAuthority } from '../../../src/apiserver/identity/certificate-authority.ts';
import { ServiceAccountTokens } from '../../../src/apiserver/identity/service-account-tokens.ts';
import { createApiServer } from '../../../src/apiserver/server.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { Client } from '../../../src/client/client.ts';
import { createInformerFactory } from '../../../src/client/informer-factory.ts';
import { createLogger } from '../../../src/compose/logger.ts';
import { openLmdbStore } from '../../../src/store/lmdb/lmdb-store.ts';
import { createPodConnector } from '../../../src/virtual-node/index.ts';
import type { Endpoint } from '../http2-client.ts';

export interface ServerAlone {
  endpoint: Endpoint;
  close(): Promise<void>;
}

export const tenantPrefix = '/clusters/default';

/**
 * The API server of a control plane without controllers and scheduler, as kube-apiserver comes: what they write would
 * show in answers at moments of their choice.
 */
export async function startSkypodAlone(directory: string): Promise<ServerAlone> {
  const authority = await CertificateAuthority.create();
  const store = openLmdbStore(directory);
  const logger = createLogger('differential', join(directory, '..', 'skypod.log'));
  const server = await createApiServer({
    store,
    resources: builtinResources,
    platformResources,
    caPem: authority.certificatePem,
    serving: await authority.issueServing(['127.0.0.1']),
    tokenKeyPem: await ServiceAccountTokens.generateKeyPem(),
    advertise: { address: '127.0.0.1', port: 6443 },
    // The suites' own webhooks are beside it.
    webhookEgress: { allowPrivateAddresses: true },
    clock: systemClock,
    logger,
  });
  await server.inProcess('differential').request({
    method: 'POST',
    path: '/clusters/system/apis/tenancy.skypod.io/v1alpha1/tenants',
    body: { metadata: { name: 'default' } },
  });
  await server.inProcess('differential').request({
    method: 'POST',
    path: `${tenantPrefix}/apis/rbac.authorization.k8s.io/v1/clusterrolebindings`,
    body: {
      metadata: { name: 'peers' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'peers' }],
    },
  });
  const abort = new AbortController();
  const client = new Client(server.inProcess('differential'));
  const informers = createInformerFactory(client, { clock: systemClock, logger });
  const hostCredentials = await authority.issuePlatformClient('differential');
  const connector = createPodConnector({
    informers,
    credentials: { caPem: authority.certificatePem, ...hostCredentials },
  });
  server.setConnector(connector);
  informers.start(abort.signal);
  await informers.waitForSync();
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const user = await authority.issueTenantUser('default', 'peers', []);
  return {
    endpoint: { host: '127.0.0.1', port, caPem: authority.certificatePem, ...user },
    async close() {
      abort.abort();
      connector.close();
      await server.close();
      await store.close();
    },
  };
}
