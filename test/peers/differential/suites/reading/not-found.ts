import type { Twin } from '../../twin.ts';
import { Several } from '../several.ts';

/** Paths where nothing is, by every method. */
export async function notFound(twin: Twin, namespace: string): Promise<void> {
  const several = new Several();
  for (const path of [
    '/api/v1/nothings',
    '/api/v1/namespaces/none/configmaps',
    '/api/v1/namespaces/none/configmaps/x',
    `/api/v1/namespaces/${namespace}/configmaps/x`,
    `/api/v1/namespaces/${namespace}/nothings`,
    `/api/v1/namespaces/${namespace}/nothings/x`,
    `/api/v1/namespaces/${namespace}/nodes`,
    '/api/v1/configmaps/x',
    '/api/v1/pods/x',
    `/api/v1/namespaces/${namespace}/configmaps/a/status`,
    `/api/v1/namespaces/${namespace}/pods/p/nothing`,
    `/api/v1/namespaces/${namespace}/pods/p/status`,
    `/api/v1/namespaces/${namespace}/pods/x/status`,
    `/api/v1/namespaces/${namespace}/pods/x/log`,
    '/api/v1/namespaces/x',
    '/api/v1/namespaces/x/status',
    '/api/v1/namespaces/x/finalize',
    '/api/v1/nodes/x',
    '/api/v1/nodes/x/status',
    '/apis/apps/v1/deployments/x',
    `/apis/apps/v1/namespaces/${namespace}/deployments/x`,
    `/apis/apps/v1/namespaces/${namespace}/deployments/x/scale`,
    `/apis/apps/v1/namespaces/${namespace}/pods`,
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/x',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/system:x',
    '/api/v1/watch',
    '/api/v1/watch/namespaces/x',
    '/api/v1/proxy/x',
    '/api/v1/namespaces/',
    `/api/v1/namespaces/${namespace}/`,
    `/api/v1/namespaces/${namespace}/configmaps/`,
    `/api/v1/namespaces/${namespace}/configmaps/a/`,
    `/api/v1/namespaces/${namespace}/configmaps/A_b`,
    `/api/v1/namespaces/${namespace}/configmaps/%2e%2e`,
    `/api/v1/namespaces/${namespace}/configmaps/a%20b`,
    `/api/v1/namespaces/${namespace}/configmaps/a%2Fb`,
    '/api/v1/namespaces//configmaps',
    '/apis/authentication.k8s.io/v1/tokenreviews',
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    `/api/v1/namespaces/${namespace}/bindings`,
    `/api/v1/componentstatuses/x`,
    `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`,
    `/api/v1/namespaces/${namespace}/pods/p/binding`,
    `/api/v1/namespaces/${namespace}/pods/p/eviction`,
  ]) {
    await several.start(twin.ask(`GET ${path}`, { path }));
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'CONNECT2'.slice(0, 7)]) {
      if (method === 'CONNECT') continue;
      const body = method === 'PATCH' || method === 'PUT' || method === 'POST' ? '{}' : undefined;
      const type = method === 'PATCH' ? 'application/merge-patch+json' : undefined;
      await several.start(
        twin.ask(`${method} ${path}`, {
          method,
          path: `${path}?dryRun=All`,
          ...(body !== undefined && { body }),
          ...(type !== undefined && { type }),
        }),
      );
    }
  }
  await several.end();
}
