import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { type Ask, askOf } from './ask.ts';
import { startTestServer } from './test-server.ts';

/** Our server as kube-apiserver stands when it is recorded: a user `peers`, who is cluster-admin, asks. */
export async function startOurs(): Promise<{ ask: Ask; close(): Promise<void> }> {
  const server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
  const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
  const at = { host: '127.0.0.1', port, caPem: server.authority.certificatePem, prefix: '/clusters/a' };
  const admin = askOf({ ...at, ...(await server.authority.issueTenantUser('a', 'admin', ['system:masters'])) });
  await admin.ask('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'peers' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'peers' }],
  });
  admin.close();
  const user = askOf({ ...at, ...(await server.authority.issueTenantUser('a', 'peers', [])) });
  return {
    ask: user.ask,
    async close() {
      user.close();
      await server.close();
    },
  };
}
