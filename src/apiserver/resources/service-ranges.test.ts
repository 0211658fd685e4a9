import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiRequest } from '../../api/transport.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { startTestServer } from '../testing/test-server.ts';

const services = '/clusters/a/api/v1/namespaces/default/services';
const networking = '/clusters/a/apis/networking.k8s.io/v1';

test('addresses come from all ServiceCIDRs that are ready', async () => {
  const server = await startTestServer(openMemoryStore(), { tenants: ['a', 'b'] });
  const ask = (method: ApiRequest['method'], path: string, body?: unknown, contentType?: string) =>
    server.transport.request<any>({
      method,
      path,
      ...(body !== undefined && { body }),
      ...(contentType !== undefined && { contentType }),
    });
  const create = async (name: string, clusterIP?: string, at = services) =>
    (await ask('POST', at, { metadata: { name }, spec: { clusterIP, ports: [{ port: 80 }] } })).spec.clusterIP;
  const condition = (status: string) => ({
    status: {
      conditions: [{ type: 'Ready', status, reason: 'a', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    },
  });
  const small = { metadata: { name: 'small' }, spec: { cidrs: ['192.168.7.0/29', '2001:db8::/64'] } };
  const mismatched = /spec.clusterIPs: .*failed to allocate IP 192.168.7.[0-9]: the provided network does not match/;
  try {
    await assert.rejects(create('s', '192.168.7.1'), mismatched);
    await assert.rejects(create('s', '10.96.0.1'), /provided IP is already allocated/);
    await ask('POST', `${networking}/servicecidrs`, small);
    assert.equal(await create('one', '192.168.7.1'), '192.168.7.1');
    for (const edge of ['192.168.7.0', '192.168.7.7']) await assert.rejects(create('s', edge), mismatched);
    const claim = await ask('GET', `${networking}/ipaddresses/192.168.7.1`);
    assert.deepEqual(claim.spec.parentRef, { resource: 'services', namespace: 'default', name: 'one' });
    await assert.rejects(create('s', '192.168.7.1', services.replace('/a/', '/b/')), mismatched);

    // The default range is on its way out: what comes by itself comes from the other.
    await ask('DELETE', `${networking}/servicecidrs/kubernetes`);
    const going = await ask('GET', `${networking}/servicecidrs/kubernetes`);
    assert.deepEqual(going.metadata.finalizers, ['networking.k8s.io/service-cidr-finalizer']);
    assert.notEqual(going.metadata.deletionTimestamp, undefined);
    const given = await Promise.all(['2', '3', '4', '5', '6'].map((name) => create(`next-${name}`)));
    assert.deepEqual(
      given.toSorted(),
      ['2', '3', '4', '5', '6'].map((part) => `192.168.7.${part}`),
    );
    await assert.rejects(create('more'), /failed to allocate a serviceIP for Service "more": range is full/);
    assert.match(await create('elsewhere', undefined, services.replace('/a/', '/b/')), /^10\./);

    // Back again, as its controller would let it go once another covers it.
    const released = { metadata: { finalizers: null } };
    await ask('PATCH', `${networking}/servicecidrs/kubernetes`, released, 'application/merge-patch+json');
    assert.equal((await ask('GET', `${networking}/servicecidrs/kubernetes`)).metadata.deletionTimestamp, undefined);
    assert.match(await create('more'), /^10\./);

    await ask('DELETE', `${services}/one`);
    const status = `${networking}/servicecidrs/small/status`;
    await ask('PATCH', status, condition('False'), 'application/merge-patch+json');
    await assert.rejects(create('one', '192.168.7.1'), mismatched);
    await ask('PATCH', status, condition('True'), 'application/merge-patch+json');
    assert.equal(await create('one', '192.168.7.1'), '192.168.7.1');
  } finally {
    await server.close();
  }
});

test('a service lets go of its own claim alone', async () => {
  const server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
  const ask = (method: ApiRequest['method'], path: string, body?: unknown) =>
    server.transport.request<any>({ method, path, ...(body !== undefined && { body }) });
  try {
    const create = async (name: string) =>
      (await ask('POST', services, { metadata: { name }, spec: { ports: [{ port: 80 }] } })).spec.clusterIP;
    const claimOf = (address: string) => `${networking}/ipaddresses/${address}`;
    const one = await create('one');
    await ask('DELETE', `${services}/one`);
    await assert.rejects(ask('GET', claimOf(one)), { reason: 'NotFound' });

    const two = await create('two');
    const { metadata, spec } = await ask('GET', claimOf(two));
    await ask('DELETE', claimOf(two));
    const parentRef = { ...spec.parentRef, name: 'another' };
    await ask('POST', `${networking}/ipaddresses`, {
      metadata: { name: two, labels: metadata.labels },
      spec: { parentRef },
    });
    await ask('DELETE', `${services}/two`);
    assert.deepEqual((await ask('GET', claimOf(two))).spec.parentRef, parentRef);
  } finally {
    await server.close();
  }
});

test('the address of `kubernetes` is claimed without a copy, and across tenants only what is stored is seen', async () => {
  const server = await startTestServer(openMemoryStore(), { tenants: ['a', 'b'] });
  const get = (path: string) => server.transport.request<any>({ method: 'GET', path });
  try {
    const { spec, metadata } = await get(`${networking}/ipaddresses/10.96.0.1`);
    assert.deepEqual(spec.parentRef, { resource: 'services', namespace: 'default', name: 'kubernetes' });
    assert.equal(metadata.labels['ipaddress.kubernetes.io/managed-by'], 'ipallocator.k8s.io');
    for (const resource of ['ipaddresses', 'servicecidrs']) {
      assert.equal((await get(`${networking}/${resource}`)).items.length, 1);
      assert.equal((await get(`/clusters/*/apis/networking.k8s.io/v1/${resource}`)).items.length, 0);
    }
    const path = `${networking}/ipaddresses/10.96.0.1`;
    await server.transport.request({ method: 'DELETE', path });
    assert.equal((await get(path)).metadata.name, '10.96.0.1');
    const service = structuredClone(await get(`${services}/kubernetes`));
    service.metadata.labels = { changed: 'yes' };
    await server.transport.request({ method: 'PUT', path: `${services}/kubernetes`, body: service });
    await server.transport.request({ method: 'DELETE', path: `${services}/kubernetes` });
    assert.equal((await get(path)).metadata.name, '10.96.0.1');
  } finally {
    await server.close();
  }
});
