import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { StatusError } from '../../api/status.ts';
import type { ApiRequest } from '../../api/transport.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { TenantQuota } from './tenant-limits.ts';

const maps = (tenant: string) => `/clusters/${tenant}/api/v1/namespaces/default/configmaps`;

describe('what a tenant may store', { timeout: 60_000 }, () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a', 'b'] });
  });
  after(() => server.close());

  const send = (method: ApiRequest['method'], path: string, body?: unknown, more: Partial<ApiRequest> = {}) =>
    server.transport.request<any>({ method, path, body, ...more });
  const refusal = (promise: Promise<unknown>): Promise<StatusError> =>
    promise.then(
      () => assert.fail('it was not refused'),
      (error) => error,
    );
  const limit = (tenant: string, limits: object) =>
    send('PATCH', `/clusters/system/apis/tenancy.skypod.io/v1alpha1/tenants/${tenant}`, { spec: { limits } }, {
      contentType: 'application/merge-patch+json',
    } as Partial<ApiRequest>);

  it('takes no object larger than etcd would', async () => {
    const finalizers = Array.from({ length: 60_000 }, (_, index) => `example.com/a-finalizer-${index}`);
    const error = await refusal(send('POST', maps('a'), { metadata: { name: 'large', finalizers } }));
    assert.equal(error.code, 413);
  });

  it('counts objects of every kind, and lets a full tenant change and delete', async () => {
    await send('POST', maps('a'), { metadata: { name: 'one' } });
    await send('POST', '/clusters/a/api/v1/namespaces/default/secrets', { metadata: { name: 'two' } });
    await limit('a', { objects: 2 });
    const error = await refusal(send('POST', maps('a'), { metadata: { name: 'three' } }));
    assert.equal(error.code, 403);
    assert.equal(error.message, 'configmaps is forbidden: exceeded quota of the tenant, limited: objects=2');
    await send('PUT', `${maps('a')}/one`, { metadata: { name: 'one' }, data: { a: 'b' } });
    await send('POST', maps('b'), { metadata: { name: 'three' } });
    await send('DELETE', `${maps('a')}/one`);
    await send('POST', maps('a'), { metadata: { name: 'three' } });
  });

  it('counts bytes, and lets objects shrink', async () => {
    const big = (name: string, size: number) => ({ metadata: { name }, data: { a: 'x'.repeat(size) } });
    await send('POST', maps('b'), big('first', 400_000));
    await limit('b', { storage: '500k' });
    const error = await refusal(send('POST', maps('b'), big('second', 200_000)));
    assert.equal(error.message, 'configmaps is forbidden: exceeded quota of the tenant, limited: bytes=500000');
    // What is there may grow a little beyond it, to say how it is doing; what is new may not.
    assert.equal((await refusal(send('POST', maps('b'), big('second', 120_000)))).code, 403);
    await send('PUT', `${maps('b')}/first`, big('first', 520_000));
    assert.equal((await refusal(send('PUT', `${maps('b')}/first`, big('first', 700_000)))).code, 403);
    await send('PUT', `${maps('b')}/first`, big('first', 10));
    await send('POST', maps('b'), big('second', 200_000));
  });

  it('counts what was stored before a restart, and that nobody has looked at since', async () => {
    const store = openMemoryStore();
    // The store outlives the first of two servers.
    const lasting = { ...store, close: async () => {} };
    for (const method of ['get', 'range', 'commit', 'watch', 'currentRevision', 'compact'] as const) {
      lasting[method] = store[method].bind(store) as never;
    }
    const first = await startTestServer(lasting, { tenants: ['c'] });
    const post = (to: TestServer, path: string, body: object) =>
      to.transport.request<any>({ method: 'POST', path: `/clusters/c${path}`, body });
    const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
    for (const name of ['one', 'two', 'three']) await post(first, leases, { metadata: { name } });
    await first.close();

    const second = await startTestServer(store);
    try {
      await second.transport.request({
        method: 'PATCH',
        path: '/clusters/system/apis/tenancy.skypod.io/v1alpha1/tenants/c',
        body: { spec: { limits: { objects: 4 } } },
        contentType: 'application/merge-patch+json',
      });
      const maps = '/api/v1/namespaces/default/configmaps';
      await post(second, maps, { metadata: { name: 'four' } });
      const error = await refusal(post(second, maps, { metadata: { name: 'five' } }));
      assert.match(error.message, /limited: objects=4$/);
      await second.transport.request({ method: 'DELETE', path: `/clusters/c${leases}/one` });
      await post(second, maps, { metadata: { name: 'five' } });
      assert.equal((await refusal(post(second, maps, { metadata: { name: 'six' } }))).code, 403);
    } finally {
      await second.close();
    }
  });
});

it('takes so many of each kind that costs more than its bytes', () => {
  let count = 0;
  const caches = { usage: { of: () => ({ objects: 0, bytes: 0 }) }, peek: () => ({ count: () => count }) };
  const quota = new TenantQuota(caches as never, { find: () => undefined } as never);
  const check = (resource: string, isNew = true) => {
    const [name = '', ...group] = resource.split('.');
    return quota.check({
      resource: { group: group.join('.'), resource: name },
      tenant: 'a',
      isNew,
      bytesBefore: isNew ? 0 : 1,
      bytesAfter: 2,
    });
  };
  for (const [resource, most] of [
    ['customresourcedefinitions.apiextensions.k8s.io', 1000],
    ['prioritylevelconfigurations.flowcontrol.apiserver.k8s.io', 200],
  ] as const) {
    count = most - 1;
    assert.equal(check(resource), undefined);
    count = most;
    assert.throws(() => check(resource), {
      code: 403,
      message: `${resource} is forbidden: exceeded quota of the tenant, limited: count/${resource}=${most}`,
    });
    assert.equal(check(resource, false), undefined);
    assert.equal(check('configmaps'), undefined);
  }
});
