// An API server behind ours is a tenant's: whatever it does, we go on, hold no more than we may, and keep no connection.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import { until } from '../../base/testing/until.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { platformIdentity } from '../identity/identity.ts';
import type { RequestContext } from '../request-context.ts';
import { parseRequestInfo } from '../request-info.ts';
import { type ApiCaller, apiCaller } from '../testing/api-caller.ts';
import { addBackend, localConnector } from '../testing/local-network.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { conduct, type HostileServer, startHostileServer } from '../webhooks/testing/hostile-server.ts';
import { withAvailable } from './api-service.ts';
import { createFetch } from './fetch.ts';
import { createFrontProxy } from './front-proxy.ts';
import { passToServer } from './handler.ts';

const group = 'bad.example.com';
const base = `/apis/${group}/v1`;
const apiServices = '/apis/apiregistration.k8s.io/v1/apiservices';

/** What ends by what it sends; all others by the time they take. */
const floods = ['/endless-body', '/endless-headers', '/endless-continue', '/endless-trailers'];

describe('an API server that means harm', { timeout: 120_000 }, () => {
  let server: HostileServer;
  let test: TestServer;
  let call: ApiCaller;
  let openApi: string;
  const registration = (caBundle: string | undefined): APIService => ({
    metadata: { name: `v1.${group}` } as APIService['metadata'],
    spec: {
      group,
      version: 'v1',
      service: { namespace: 'default', name: 'bad', port: 443 },
      ...(caBundle !== undefined && { caBundle }),
      groupPriorityMinimum: 2000,
      versionPriority: 200,
    },
  });
  const list = { kind: 'APIResourceList', groupVersion: `${group}/v1`, resources: [] as unknown };
  const none = () => until(() => server.connections() === 0);

  before(async () => {
    openApi = '{}';
    server = await startHostileServer('bad.default.svc', (path) =>
      path === base ? JSON.stringify(list) : path.startsWith('/openapi') ? openApi : '{"well":true}',
    );
    test = await startTestServer(openMemoryStore(), { tenants: ['red'] });
    test.server.setConnector(localConnector());
    const { port } = await test.server.listen({ host: '127.0.0.1', port: 0 });
    const alice = await test.authority.issueTenantUser('red', 'alice', ['system:masters']);
    call = apiCaller(port, test.authority.certificatePem, alice);
  });
  after(async () => {
    await test.close();
    await server.close();
  });

  describe('asked by ourselves', () => {
    const fetchFrom = async (port: number) => {
      const frontProxy = await createFrontProxy({ now: () => Date.now(), schedule: () => () => {} });
      return createFetch(async () => connect(port, '127.0.0.1'), frontProxy);
    };
    for (const path of Object.keys(conduct)) {
      it(`ends a call of ${path.slice(1)}`, async () => {
        const fetch = await fetchFrom(server.port);
        const timeoutMs = floods.includes(path) ? 20_000 : 300;
        const options = { accept: 'application/json', timeoutMs, limitBytes: 1024 * 1024 };
        const asked = fetch('red', registration(server.caBundle), path, options);
        // What it says badly is the asker's to read: it ends, and in time.
        if (['/not-json', '/redirect', '/two-lengths'].includes(path)) await asked.catch(() => {});
        else if (path === '/deep-json') assert.equal((await asked).body.length, 1_000_000);
        else await assert.rejects(asked, Error);
        await none();
      });
    }

    it('ends a connection for which there is no certificate authority', async () => {
      const fetch = await fetchFrom(server.port);
      const pem = `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`;
      const service = registration(Buffer.from(pem).toString('base64'));
      await assert.rejects(fetch('red', service, '/well', { accept: '*/*', timeoutMs: 20_000, limitBytes: 10 }));
      await none();
    });
  });

  it('has its time for an answer, and none for a watch', async () => {
    const frontProxy = await createFrontProxy({ now: () => Date.now(), schedule: () => () => {} });
    const available = withAvailable(registration(server.caBundle), { status: 'True', reason: '', message: '' }, 0);
    const service = { ...registration(server.caBundle), status: { conditions: available } };
    const leave = new AbortController();
    const pass = (path: string, query = '') => {
      const info = parseRequestInfo('GET', `${base}${path}`, new URLSearchParams(query));
      const context = {
        info,
        identity: platformIdentity('a'),
        tenant: 'red',
        rawQuery: query,
        headers: {},
        method: 'GET',
      };
      const dial = async () => connect(server.port, '127.0.0.1');
      return passToServer(
        { ...context, signal: leave.signal } as unknown as RequestContext,
        service,
        dial,
        frontProxy,
        50,
      );
    };
    await assert.rejects(pass('/silent'), { code: 504, reason: 'Timeout' });
    await none();
    const watch = pass('/silent', 'watch=true').then(
      () => 'ended',
      () => 'failed',
    );
    const first = await Promise.race([watch, pass('/silent').catch(() => 'the other')]);
    assert.equal(first, 'the other');
    leave.abort();
    await watch;
    await none();
  });

  describe('asked in the name of a user', () => {
    before(async () => {
      await addBackend(call, { namespace: 'default', name: 'bad', port: server.port, servicePort: 443 });
      const { code, text } = await call('POST', apiServices, { body: registration(server.caBundle) });
      assert.equal(code, 201, text);
      const isAvailable = async () => {
        const { json } = await call('GET', `${apiServices}/v1.${group}`);
        return json.status?.conditions?.[0]?.status === 'True';
      };
      await until(isAvailable);
    });

    for (const path of Object.keys(conduct)) {
      it(`lets the user leave ${path.slice(1)}`, async () => {
        const signal = AbortSignal.timeout(floods.includes(path) ? 400 : 200);
        await call('GET', `${base}${path}`, { signal }).catch(() => {});
        await none();
        assert.equal((await call('GET', `${base}/well`)).json.well, true);
      });
    }

    const again = async (priority: number) => {
      const patched = await call('PATCH', `${apiServices}/v1.${group}`, {
        body: { spec: { versionPriority: priority } },
        headers: { 'content-type': 'application/merge-patch+json' },
      });
      assert.equal(patched.code, 200, patched.text);
    };

    it('shows our own documents whatever it says of its own', async () => {
      const path = `${base}/things`;
      const documents: [what: string, text: string, isShown: boolean][] = [
        ['good', JSON.stringify({ paths: { [path]: {} } }), true],
        ['too long', JSON.stringify({ paths: { [path]: {} } }) + ' '.repeat(4 * 1024 * 1024), false],
        ['no JSON', '{', false],
        ['null', 'null', false],
        ['a list', '[{"paths":{}}]', false],
        ['texts', '{"paths":"x","definitions":"y","parameters":1}', false],
        ['deep', `{"paths":{"${path}":${'['.repeat(500_000)}${']'.repeat(500_000)}}}`, false],
        ['wide', `{"paths":{"${path}":[${'[],'.repeat(1_000_000)}[]]}}`, true],
      ];
      for (const [index, [what, text, isShown]] of documents.entries()) {
        openApi = text;
        await again(100 + index);
        const version2 = await call('GET', '/openapi/v2');
        assert.equal(version2.code, 200, what);
        assert.ok(version2.json.paths['/api/v1/namespaces/{namespace}/pods'] !== undefined, what);
        assert.equal(version2.json.paths[path] !== undefined, isShown, what);
        const version3 = await call('GET', '/openapi/v3');
        assert.ok(JSON.parse(version3.text).paths['api/v1'] !== undefined, what);
        await none();
      }
      openApi = '{}';
    });

    it('shows in discovery what is a resource of what it says', async () => {
      const shown = async () => {
        const headers = { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' };
        const { json } = await call('GET', '/apis', { headers });
        return json.items.find((one: any) => one.metadata.name === group)?.versions[0].resources as object[];
      };
      const lists: [resources: unknown, count: number][] = [
        ['text', 0],
        [[null, 1, 'text', [], {}, { name: {} }, { name: 'things', verbs: 'get', kind: [] }], 1],
        [Array.from({ length: 3000 }, (_, index) => ({ name: `r${index}`, verbs: ['get'] })), 500],
      ];
      for (const [index, [resources, count]] of lists.entries()) {
        list.resources = resources;
        await again(200 + index);
        await until(async () => (await shown()).length === count);
      }
    });
  });
});
