import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { startTestServer } from '../testing/test-server.ts';

const path = '/clusters/a/api/v1/namespaces/default/services';

test('a node port is given once, however many ask at once, and again when it is free', async () => {
  const store = openMemoryStore();
  const server = await startTestServer(store, { tenants: ['a', 'b'] });
  const create = (name: string, ports: object[], type = 'NodePort', at = path) =>
    server.transport.request<any>({ method: 'POST', path: at, body: { metadata: { name }, spec: { type, ports } } });
  const claims = async () => {
    const { items } = await store.range({ start: '/skypod.internal/', end: '/skypod.internal0' });
    return items.map(({ key }) => key.split('/').slice(3).join('/'));
  };
  try {
    const wanted = { port: 80, nodePort: 30_080 };
    const results = await Promise.allSettled(Array.from({ length: 10 }, (_, index) => create(`s${index}`, [wanted])));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const result of results) {
      if (result.status === 'rejected')
        assert.match(result.reason.message, /nodePort.*provided port is already allocated/);
    }
    await assert.rejects(create('udp', [{ ...wanted, protocol: 'UDP' }]), /provided port is already allocated/);
    await create('other', [wanted], 'NodePort', path.replace('/a/', '/b/'));
    const many = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        create(`many-${index}`, [{ port: 1 }], 'NodePort', path.replace('/a/', '/b/')),
      ),
    );
    assert.equal(new Set(many.map((service) => service.spec.ports[0].nodePort)).size, 40);
    assert.equal((await claims()).length, 42);

    const winner = results.find((result) => result.status === 'fulfilled')!.value.metadata.name;
    const patch = (body: object) =>
      server.transport.request<any>({
        method: 'PATCH',
        path: `${path}/${winner}`,
        body,
        contentType: 'application/merge-patch+json',
      });
    await patch({ metadata: { labels: { a: 'b' } } });
    assert.ok((await claims()).includes('a/30080'), 'kept while the service keeps it');
    await patch({ spec: { ports: [{ port: 80, nodePort: 30_081 }] } });
    assert.deepEqual(
      (await claims()).filter((name) => name.startsWith('a/3008')),
      ['a/30081'],
    );
    await create('next', [wanted]);
    await patch({ spec: { type: 'ClusterIP' } });
    await server.transport.request({ method: 'DELETE', path: `${path}/next` });
    assert.deepEqual(
      (await claims()).filter((name) => name.startsWith('a/3008')),
      [],
    );
  } finally {
    await server.close();
  }
});

test('ports of one service share a node port; health checks have one of their own', async () => {
  const server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
  const create = async (name: string, spec: object) =>
    (await server.transport.request<any>({ method: 'POST', path, body: { metadata: { name }, spec } })).spec;
  const put = async (name: string, change: (spec: any) => void) => {
    const at = `${path}/${name}`;
    const service = structuredClone(await server.transport.request<any>({ method: 'GET', path: at }));
    change(service.spec);
    return (await server.transport.request<any>({ method: 'PUT', path: at, body: service })).spec;
  };
  const port = (protocol: string, nodePort?: number, number = 53) => ({
    name: `${protocol.toLowerCase()}-${number}`,
    port: number,
    protocol,
    ...(nodePort !== undefined && { nodePort }),
  });
  try {
    const dns = await create('dns', { type: 'NodePort', ports: [port('TCP'), port('UDP')] });
    assert.ok(dns.ports[0].nodePort >= 30_000);
    assert.equal(dns.ports[1].nodePort, dns.ports[0].nodePort);
    const later = await create('later', { type: 'NodePort', ports: [port('TCP'), port('UDP', 30_053)] });
    assert.deepEqual(
      later.ports.map((each: any) => each.nodePort),
      [30_053, 30_053],
    );
    const twice = [port('TCP', 30_054), port('UDP', 30_054, 54)];
    await assert.rejects(create('twice', { type: 'NodePort', ports: twice }), /ports\[1\].nodePort.*already allocated/);

    const none = { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false };
    assert.equal((await create('none', { ...none, ports: [port('TCP')] })).ports[0].nodePort, undefined);
    await create('asked', { ...none, ports: [port('TCP', 30_060)] });
    await assert.rejects(create('other', { type: 'NodePort', ports: [port('TCP', 30_060)] }), /already allocated/);

    const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports: [port('TCP')] };
    const { healthCheckNodePort } = await create('local', local);
    assert.ok(healthCheckNodePort >= 30_000);
    await assert.rejects(
      create('clash', { ...local, healthCheckNodePort }),
      new RegExp(`failed to allocate requested HealthCheck NodePort ${healthCheckNodePort}: provided port is already`),
    );
    const cluster = await put('local', (spec) => {
      spec.externalTrafficPolicy = 'Cluster';
    });
    assert.equal(cluster.healthCheckNodePort, undefined);
    const again = await put('local', (spec) => {
      Object.assign(spec, { externalTrafficPolicy: 'Local', healthCheckNodePort });
    });
    assert.equal(again.healthCheckNodePort, healthCheckNodePort);
  } finally {
    await server.close();
  }
});
