import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../base/testing/until.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store } from '../../store/store.ts';
import { startTestServer } from '../testing/test-server.ts';

const path = '/clusters/a/api/v1/namespaces/default/services';

test('two control planes give no address and no node port twice', async () => {
  const store = openMemoryStore();
  const shared = new Proxy(store, {
    get(target, name) {
      if (name === 'close') return async () => {};
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  }) as Store;
  const servers = [await startTestServer(shared, { tenants: ['a'] }), await startTestServer(shared)];
  const create = (name: string, spec: object, from: number) =>
    servers[from % 2]!.transport.request<any>({ method: 'POST', path, body: { metadata: { name }, spec } });
  try {
    for (let round = 0; round < 10; round++) {
      const wanted = { type: 'NodePort', clusterIP: `10.96.0.${20 + round}`, ports: [{ port: 80 }] };
      const ported = { type: 'NodePort', ports: [{ port: 80, nodePort: 30_000 + round }] };
      for (const [kind, spec] of Object.entries({ wanted, ported })) {
        const outcomes = await Promise.allSettled([0, 1].map((from) => create(`${kind}-${round}-${from}`, spec, from)));
        assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1, `${kind} ${round}`);
      }
    }
    // One range of six: all of them are given, each once, whoever is asked.
    const small = { metadata: { name: 'small' }, spec: { cidrs: ['192.168.7.0/29'] } };
    const cidrs = '/clusters/a/apis/networking.k8s.io/v1/servicecidrs';
    await servers[0]!.transport.request({ method: 'POST', path: cidrs, body: small });
    await servers[0]!.transport.request({ method: 'DELETE', path: `${cidrs}/kubernetes` });
    const seen = () => servers[1]!.transport.request<any>({ method: 'GET', path: `${cidrs}/kubernetes` });
    await until(async () => (await seen()).metadata.deletionTimestamp !== undefined);
    const given = await Promise.all(
      Array.from({ length: 6 }, (_, index) => create(`any-${index}`, { ports: [{ port: 80 }] }, index)),
    );
    assert.equal(new Set(given.map(({ spec }) => spec.clusterIP)).size, 6);
  } finally {
    for (const server of servers) await server.close();
    await store.close();
  }
});
