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
    await create('udp', [{ ...wanted, protocol: 'UDP' }]);
    await create('other', [wanted], 'NodePort', path.replace('/a/', '/b/'));
    const many = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        create(`many-${index}`, [{ port: 1 }], 'NodePort', path.replace('/a/', '/b/')),
      ),
    );
    assert.equal(new Set(many.map((service) => service.spec.ports[0].nodePort)).size, 40);
    assert.equal((await claims()).length, 43);

    const winner = results.find((result) => result.status === 'fulfilled')!.value.metadata.name;
    const patch = (body: object) =>
      server.transport.request<any>({
        method: 'PATCH',
        path: `${path}/${winner}`,
        body,
        contentType: 'application/merge-patch+json',
      });
    await patch({ metadata: { labels: { a: 'b' } } });
    assert.ok((await claims()).includes('a/30080-tcp'), 'kept while the service keeps it');
    await patch({ spec: { ports: [{ port: 80, nodePort: 30_081 }] } });
    assert.deepEqual(
      (await claims()).filter((name) => name.startsWith('a/3008')),
      ['a/30080-udp', 'a/30081-tcp'],
    );
    await create('next', [wanted]);
    await patch({ spec: { type: 'ClusterIP' } });
    await server.transport.request({ method: 'DELETE', path: `${path}/next` });
    assert.deepEqual(
      (await claims()).filter((name) => name.startsWith('a/3008')),
      ['a/30080-udp'],
    );
  } finally {
    await server.close();
  }
});
