import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { apiCaller } from '../testing/api-caller.ts';
import { startTestServer } from '../testing/test-server.ts';

test('a binding without a name is no failure of the server', async () => {
  const server = await startTestServer(openMemoryStore(), { tenants: ['red'] });
  try {
    const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
    const user = await server.authority.issueTenantUser('red', 'alice', ['system:masters']);
    const call = apiCaller(port, server.authority.certificatePem, user);
    const body = { kind: 'Binding', apiVersion: 'v1', metadata: {}, target: { name: 'node' } };
    const { code } = await call('POST', '/api/v1/namespaces/default/bindings', { body });
    assert.ok(code >= 400 && code < 500, String(code));
  } finally {
    await server.close();
  }
});
