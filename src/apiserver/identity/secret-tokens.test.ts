import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../base/clock.ts';
import { until } from '../../base/testing/until.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { apiCaller } from '../testing/api-caller.ts';
import { startTestServer } from '../testing/test-server.ts';

test('the use of a long-lived token is noted by day; one that is marked invalid is refused', async () => {
  // Certificates look at the true time.
  const clock = new ManualClock(Date.now());
  const server = await startTestServer(openMemoryStore(), { tenants: ['red'], clock });
  try {
    const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
    const alice = await server.authority.issueTenantUser('red', 'alice', ['system:masters']);
    const call = apiCaller(port, server.authority.certificatePem, alice);
    const stranger = apiCaller(port, server.authority.certificatePem, undefined);
    const path = '/api/v1/namespaces/default';
    const encode = (text: string) => Buffer.from(text).toString('base64');
    await call('POST', `${path}/serviceaccounts`, { body: { metadata: { name: 'robot' } } });
    const annotations = { 'kubernetes.io/service-account.name': 'robot' };
    const type = 'kubernetes.io/service-account-token';
    const made = await call('POST', `${path}/secrets`, { body: { metadata: { name: 'token', annotations }, type } });
    const boundObjectRef = { kind: 'Secret', apiVersion: 'v1', name: 'token', uid: made.json.metadata.uid };
    const ask = async () =>
      (await call('POST', `${path}/serviceaccounts/robot/token`, { body: { spec: { boundObjectRef } } })).json.status
        .token as string;
    const [token, other] = [await ask(), await ask()];
    const patch = (body: object) =>
      call('PATCH', `${path}/secrets/token`, {
        body,
        headers: { 'content-type': 'application/merge-patch+json' },
      });
    await patch({ data: { token: encode(token) } });
    const use = (with_: string) => stranger('GET', '/apis', { headers: { authorization: `Bearer ${with_}` } });
    const labels = async () => (await call('GET', `${path}/secrets/token`)).json.metadata.labels ?? {};
    const lastUsed = async () => (await labels())['kubernetes.io/legacy-token-last-used'];
    const today = () => new Date(clock.now()).toISOString().slice(0, 10);

    assert.equal((await use(other)).code, 200);
    assert.equal(await lastUsed(), undefined, 'it is not the one that the secret holds');
    assert.equal((await use(token)).code, 200);
    await until(async () => (await lastUsed()) === today());
    const { resourceVersion } = (await call('GET', `${path}/secrets/token`)).json.metadata;
    await use(token);
    assert.equal((await call('GET', `${path}/secrets/token`)).json.metadata.resourceVersion, resourceVersion);

    const account = { secrets: [{ name: 'token' }] };
    await call('PATCH', `${path}/serviceaccounts/robot`, {
      body: account,
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    const { headers } = await use(token);
    assert.match(String(headers.warning), /299 .*Use tokens from the TokenRequest API or manually created/);

    await patch({ metadata: { labels: { 'kubernetes.io/legacy-token-invalid-since': today() } } });
    assert.equal((await use(token)).code, 401);
    assert.equal((await use(other)).code, 200);
  } finally {
    await server.close();
  }
});
