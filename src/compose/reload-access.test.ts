import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { seriesOf } from '../apiserver/metrics/testing.ts';
import { apiCaller } from '../apiserver/testing/api-caller.ts';
import { startTestServer } from '../apiserver/testing/test-server.ts';
import { ManualClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import { followAccessFiles } from './reload-access.ts';

const head = (kind: string) => `apiVersion: apiserver.config.k8s.io/v1\nkind: ${kind}\n`;

test('what changes in the files holds within a minute; what is wrong changes nothing', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'reload-'));
  const authentication = join(directory, 'authentication.yaml');
  const authorization = join(directory, 'authorization.yaml');
  const strangers = (enabled: boolean) => `${head('AuthenticationConfiguration')}anonymous: {enabled: ${enabled}}\n`;
  const roles = `${head('AuthorizationConfiguration')}authorizers: [{type: RBAC, name: roles}]\n`;
  writeFileSync(authentication, strangers(true));
  writeFileSync(authorization, roles);
  const clock = new ManualClock(Date.now());
  const server = await startTestServer(openMemoryStore(), { tenants: ['red'], clock });
  const stop = followAccessFiles({ authentication, authorization }, server.server, { clock, logger: silentLogger });
  try {
    const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
    const ca = server.authority.certificatePem;
    const stranger = apiCaller(port, ca, undefined);
    const ann = apiCaller(port, ca, await server.authority.issueTenantUser('red', 'ann', []));
    const codes = async () => [(await stranger('GET', '/version')).code, (await ann('GET', '/api/v1/pods')).code];
    assert.deepEqual(await codes(), [200, 403]);

    writeFileSync(authentication, strangers(false));
    writeFileSync(authorization, roles.replace('RBAC', 'AlwaysAllow'));
    assert.deepEqual(await codes(), [200, 403], 'not yet');
    clock.advance(60_000);
    assert.deepEqual(await codes(), [401, 200]);

    writeFileSync(authentication, 'nonsense: [');
    writeFileSync(authorization, head('AuthorizationConfiguration'));
    clock.advance(60_000);
    assert.deepEqual(await codes(), [401, 200]);

    writeFileSync(authorization, roles);
    clock.advance(60_000);
    assert.deepEqual(await codes(), [401, 403]);

    const operator = apiCaller(port, ca, await server.authority.issuePlatformClient('operator'));
    const value = seriesOf((await operator('GET', '/metrics')).text);
    const reloads = (part: string, status: string) =>
      value(`apiserver_${part}_config_controller_automatic_reloads_total`, { status, apiserver_id_hash: '' });
    assert.deepEqual([reloads('authentication', 'success'), reloads('authentication', 'failure')], [1, 1]);
    assert.deepEqual([reloads('authorization', 'success'), reloads('authorization', 'failure')], [2, 1]);
    const last = 'apiserver_authorization_config_controller_automatic_reload_last_timestamp_seconds';
    assert.equal(value(last, { status: 'success', apiserver_id_hash: '' }), clock.now() / 1000);
  } finally {
    stop();
    await server.close();
    rmSync(directory, { recursive: true });
  }
});
