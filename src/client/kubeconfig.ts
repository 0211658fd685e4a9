import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { HttpTransport, type HttpTransportOptions } from './http-transport.ts';

/** What a kubeconfig's current context says, as options of HttpTransport. Throws when it names no cluster. */
function transportOptionsFromKubeconfig(path: string): HttpTransportOptions {
  const config = new KubeConfig();
  config.loadFromFile(path);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`${path}: the current context names no cluster`);
  const user = config.getCurrentUser();

  const pem = (data: string | undefined, file: string | undefined): Buffer | undefined =>
    data !== undefined ? Buffer.from(data, 'base64') : file !== undefined ? readFileSync(file) : undefined;
  const ca = pem(cluster.caData, cluster.caFile);
  const cert = pem(user?.certData, user?.certFile);
  const key = pem(user?.keyData, user?.keyFile);

  // A fixed token or a certificate needs no work per request; everything else is client-node's to renew.
  const isDynamic = user?.exec !== undefined || user?.authProvider !== undefined;
  const authorize = async (): Promise<Record<string, string>> => {
    const options: RequestOptions = { headers: {} };
    await config.applyToHTTPSOptions(options);
    const headers = options.headers as Record<string, string | undefined>;
    return headers['Authorization'] === undefined ? {} : { Authorization: headers['Authorization'] };
  };
  return {
    server: cluster.server,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(user?.token !== undefined && { token: user.token }),
    ...(isDynamic && { authorize }),
    ...(cluster.skipTLSVerify === true && { insecureSkipTlsVerify: true }),
    ...(cluster.tlsServerName !== undefined && { serverName: cluster.tlsServerName }),
  };
}

/**
 * A transport for a kubeconfig's current context. `tenantPrefix: 'drop'` for an API server that is not Skypod's, or for one
 * tenant's kubeconfig, whose server URL or credential already says the tenant.
 */
export function transportFromKubeconfig(path: string, overrides: Partial<HttpTransportOptions> = {}): HttpTransport {
  return new HttpTransport({ ...transportOptionsFromKubeconfig(path), ...overrides });
}
