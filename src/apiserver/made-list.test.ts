import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import { apiCaller } from './testing/api-caller.ts';
import { startTestServer } from './testing/test-server.ts';

test('what is worked out when it is asked for is listed in every form', async (t) => {
  const started = await startTestServer(openMemoryStore(), { tenants: ['a'] });
  t.after(() => started.close());
  const { port } = await started.server.listen({ host: '127.0.0.1', port: 0 });
  const user = await started.authority.issueTenantUser('a', 'admin', ['system:masters']);
  const call = apiCaller(port, started.authority.certificatePem, user);
  const list = async (as: string, query = '') => {
    const accept = as === '' ? 'application/json' : `application/json;as=${as};v=v1;g=meta.k8s.io`;
    const { code, text } = await call('GET', `/api/v1/componentstatuses${query}`, { headers: { accept } });
    assert.equal(code, 200, text);
    return JSON.parse(text);
  };
  const healthy = { type: 'Healthy', status: 'True', message: 'ok' };
  assert.deepEqual(await list(''), {
    kind: 'ComponentStatusList',
    apiVersion: 'v1',
    metadata: {},
    items: [{ metadata: { name: 'etcd-0' }, conditions: [healthy] }],
  });
  const { columnDefinitions, rows, metadata } = await list('Table');
  assert.deepEqual(metadata, {});
  const names = columnDefinitions.map(({ name }: { name: string }) => name);
  assert.deepEqual(
    [names, rows[0].cells],
    [
      ['Name', 'Status', 'Message', 'Error'],
      ['etcd-0', 'Healthy', 'ok', ''],
    ],
  );
  assert.deepEqual((await list('PartialObjectMetadataList')).items[0].metadata, { name: 'etcd-0' });
  assert.deepEqual((await list('', '?fieldSelector=metadata.name%3Dnone')).items, []);
});
