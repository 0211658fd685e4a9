import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiRequest } from '../../api/transport.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { startTestServer } from '../testing/test-server.ts';

const api = '/clusters/a/apis/resource.k8s.io/v1/namespaces/default';

test('admin access to devices is for namespaces that are labelled for it', async () => {
  const server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
  const ask = (method: ApiRequest['method'], path: string, body: unknown, contentType?: string) =>
    server.transport.request<any>({ method, path, body, ...(contentType !== undefined && { contentType }) });
  const spec = (adminAccess: boolean) => ({
    devices: {
      requests: [
        { name: 'a', exactly: { deviceClassName: 'gpu' } },
        { name: 'b', exactly: { deviceClassName: 'gpu', adminAccess } },
      ],
    },
  });
  const claim = (name: string, adminAccess: boolean) =>
    ask('POST', `${api}/resourceclaims`, { metadata: { name }, spec: spec(adminAccess) });
  const template = (name: string, adminAccess: boolean) =>
    ask('POST', `${api}/resourceclaimtemplates`, { metadata: { name }, spec: { spec: spec(adminAccess) } });
  const allocate = (name: string, adminAccess: boolean) => {
    const results = [{ request: 'b', driver: 'gpu.example.com', pool: 'p', device: 'd', adminAccess }];
    const body = { status: { allocation: { devices: { results } } } };
    return ask('PATCH', `${api}/resourceclaims/${name}/status`, body, 'application/merge-patch+json');
  };
  const label = (value: string | null) =>
    ask(
      'PATCH',
      '/clusters/a/api/v1/namespaces/default',
      { metadata: { labels: { 'resource.kubernetes.io/admin-access': value } } },
      'application/merge-patch+json',
    );
  const refused = (field: string) => ({
    code: 422,
    message: new RegExp(
      `${field}: Forbidden: admin access to devices requires the \`resource.kubernetes.io/admin-access: true\` label on the containing namespace$`,
    ),
  });
  const requested = refused(String.raw`is invalid: spec\.devices\.requests\[1\]\.adminAccess`);
  try {
    await claim('plain', false);
    await template('plain', false);
    await assert.rejects(claim('admin', true), requested);
    await assert.rejects(template('admin', true), requested);
    await allocate('plain', false);
    // One that is not allocated yet: an allocation never changes.
    await claim('fresh', false);
    await assert.rejects(
      allocate('fresh', true),
      refused(String.raw`status\.allocation\.devices\.results\[0\]\.adminAccess`),
    );
    await label('True');
    await assert.rejects(claim('admin', true), requested);

    await label('true');
    await claim('admin', true);
    await template('admin', true);
    await allocate('admin', true);
    // What was granted stays, and may be written again.
    await label(null);
    const again = { metadata: { labels: { again: 'yes' } }, status: { reservedFor: [] } };
    await ask('PATCH', `${api}/resourceclaims/admin/status`, again, 'application/merge-patch+json');
    await assert.rejects(claim('other', true), requested);
  } finally {
    await server.close();
  }
});
