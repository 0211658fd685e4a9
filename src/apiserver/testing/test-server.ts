import { builtinResources, platformResources } from '../../api/resources/index.ts';
import type { Transport } from '../../api/transport.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { type Logger, silentLogger } from '../../base/log.ts';
import type { Store } from '../../store/store.ts';
import type { FrontProxy } from '../aggregation/front-proxy.ts';
import type { AuditOptions } from '../audit/audit.ts';
import { CertificateAuthority } from '../identity/certificate-authority.ts';
import { ServiceAccountTokens } from '../identity/service-account-tokens.ts';
import { type ApiServer, type ApiServerOptions, createApiServer } from '../server.ts';

export interface TestServer {
  server: ApiServer;
  authority: CertificateAuthority;
  /** In process, as a platform identity. */
  transport: Transport;
  /** Creates a Tenant and waits for nothing: its API answers at once. */
  addTenant(name: string): Promise<void>;
  close(): Promise<void>;
}

/** A whole API server over a store of the test's choice, not listening yet. */
export async function startTestServer(
  store: Store,
  options: {
    tenants?: string[];
    clock?: Clock;
    logger?: Logger;
    frontProxy?: FrontProxy;
    authentication?: ApiServerOptions['authentication'];
    authorizers?: ApiServerOptions['authorizers'];
    tokenIssuers?: ApiServerOptions['tokenIssuers'];
    audit?: AuditOptions;
    tenantTemplates?: ApiServerOptions['tenantTemplates'];
    departure?: ApiServerOptions['departure'];
  } = {},
): Promise<TestServer> {
  const clock = options.clock ?? systemClock;
  const authority = await CertificateAuthority.create();
  const server = await createApiServer({
    store,
    resources: builtinResources,
    platformResources,
    caPem: authority.certificatePem,
    serving: await authority.issueServing(),
    tokenKeyPem: await ServiceAccountTokens.generateKeyPem(),
    advertise: { address: '127.0.0.1', port: 6443 },
    clock,
    logger: options.logger ?? silentLogger,
    ...(options.tenantTemplates !== undefined && { tenantTemplates: options.tenantTemplates }),
    ...(options.departure !== undefined && { departure: options.departure }),
    ...(options.audit !== undefined && { audit: options.audit }),
    ...(options.authentication !== undefined && { authentication: options.authentication }),
    ...(options.authorizers !== undefined && { authorizers: options.authorizers }),
    ...(options.tokenIssuers !== undefined && { tokenIssuers: options.tokenIssuers }),
    ...(options.frontProxy !== undefined && { frontProxy: options.frontProxy }),
  });
  const transport = server.inProcess('test');
  const addTenant = async (name: string) => {
    await transport.request({
      method: 'POST',
      path: '/clusters/system/apis/tenancy.skypod.io/v1alpha1/tenants',
      body: { metadata: { name } },
    });
  };
  for (const name of options.tenants ?? []) await addTenant(name);
  return {
    server,
    authority,
    transport,
    addTenant,
    async close() {
      await server.close();
      await store.close();
    },
  };
}
