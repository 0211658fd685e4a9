import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { apiCaller } from '../testing/api-caller.ts';
import { startTestServer } from '../testing/test-server.ts';

test('a shared object may be owned by another, and say something else each time it is read', async () => {
  let read = 0;
  const NODES = { group: '', resource: 'nodes' };
  const server = await startTestServer(openMemoryStore(), {
    tenants: ['a', 'b'],
    tenantTemplates: {
      nodes: [{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } }],
      'leases.coordination.k8s.io': [
        {
          apiVersion: 'coordination.k8s.io/v1',
          kind: 'Lease',
          metadata: { name: 'n', namespace: 'kube-node-lease' },
          owner: { apiVersion: 'v1', kind: 'Node', name: 'n', resource: NODES },
          isLive: true,
          spec: {
            get leaseTransitions() {
              return ++read;
            },
          },
        },
      ],
    },
  });
  try {
    // As clients get it: what is served as bytes is where something might be kept.
    const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
    const call = apiCaller(port, server.authority.certificatePem, await server.authority.issuePlatformClient('test'));
    const ask = async (path: string, method = 'GET', body?: object) => {
      const { code, text } = await call(method, path, body === undefined ? {} : { body });
      assert.equal(code, 200, text);
      return JSON.parse(text);
    };
    const leases = (tenant: string) =>
      `/clusters/${tenant}/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases`;
    const ownerOf = async (tenant: string) => (await ask(`${leases(tenant)}/n`)).metadata.ownerReferences;
    const node = await ask('/clusters/a/api/v1/nodes/n');
    const owner = [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: node.metadata.uid }];
    assert.deepEqual(await ownerOf('a'), owner);
    assert.notEqual((await ownerOf('b'))[0].uid, node.metadata.uid);
    // What the tenant writes of the node is still that node.
    await ask('/clusters/a/api/v1/nodes/n', 'PUT', { ...node, metadata: { ...node.metadata, labels: { own: 'yes' } } });
    assert.equal((await ask('/clusters/a/api/v1/nodes/n')).metadata.uid, owner[0]!.uid);

    const transitions = async () => (await ask(leases('a'))).items[0].spec.leaseTransitions;
    const first = await transitions();
    assert.ok((await transitions()) > first);
    assert.ok((await ask(`${leases('a')}/n`)).spec.leaseTransitions > first);
    // Who looks across tenants sees only what one of them wrote.
    const all = async () => (await ask('/clusters/*/apis/coordination.k8s.io/v1/leases')).items.length;
    assert.equal(await all(), 0);
    const lease = await ask(`${leases('a')}/n`);
    await ask(`${leases('a')}/n`, 'PUT', { ...lease, spec: { ...lease.spec, holderIdentity: 'n' } });
    assert.deepEqual([await all(), await ownerOf('a')], [1, owner]);
    assert.equal(await transitions(), await transitions());
  } finally {
    await server.close();
  }
});
