// What a tenant who means harm may try, over HTTP as it would: each test is a path that must lead nowhere.
import assert from 'node:assert/strict';
import { connect as http2Connect } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import { ManualClock } from '../base/clock.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import type { PemPair } from './identity/certificate-authority.ts';
import { type ApiCaller, apiCaller, type Called } from './testing/api-caller.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

const secrets = '/api/v1/namespaces/default/secrets';
const rbac = '/apis/rbac.authorization.k8s.io/v1';

describe('a hostile tenant', { timeout: 120_000 }, () => {
  let test: TestServer;
  let port: number;
  let mallory: PemPair;
  let call: ApiCaller;
  let victim: ApiCaller;
  let anonymous: ApiCaller;
  const hidden = 'the-victims-secret';

  before(async () => {
    test = await startTestServer(openMemoryStore(), { tenants: ['evil', 'victim'] });
    ({ port } = await test.server.listen({ host: '127.0.0.1', port: 0 }));
    const ca = test.authority.certificatePem;
    mallory = await test.authority.issueTenantUser('evil', 'mallory', ['system:masters']);
    call = apiCaller(port, ca, mallory);
    victim = apiCaller(port, ca, await test.authority.issueTenantUser('victim', 'alice', ['system:masters']));
    anonymous = apiCaller(port, ca, undefined);
    const { code } = await victim('POST', secrets, { body: { metadata: { name: hidden }, stringData: { a: hidden } } });
    assert.equal(code, 201);
  });
  after(() => test.close());

  const leaksNothing = (
    answer: Pick<Called, 'code' | 'text'>,
    what: string,
    codes: number[] = [400, 401, 403, 404],
  ) => {
    assert.ok(codes.includes(answer.code), `${what}: ${answer.code} ${answer.text.slice(0, 200)}`);
    assert.ok(!answer.text.includes(`"${hidden}"`) || answer.code !== 200, what);
    assert.ok(!answer.text.includes(Buffer.from(hidden).toString('base64')), what);
  };

  it('reaches no other tenant by any spelling of the path', async () => {
    const spellings = [
      '/clusters/victim',
      '/clusters/*',
      '/clusters/system',
      '/clusters/%76ictim',
      '/clusters/evil/../victim',
      '/clusters/evil%2F..%2Fvictim',
      '/clusters/evil/clusters/victim',
      '//clusters/victim',
      '/./clusters/victim',
      '/clusters//victim',
      '/clusters/victim/',
      '/clusters/VICTIM',
      '/clusters/victim%00',
      '/clusters/victim%20',
      '/clusters/evil,victim',
      '/clusters/%2A',
      '/clusters/',
      '/api/v1/../../clusters/victim',
    ];
    for (const spelling of spellings) {
      for (const path of [
        `${spelling}${secrets}`,
        `${spelling}${secrets}/${hidden}`,
        `${spelling}${secrets}?watch=1`,
      ]) {
        leaksNothing(await call('GET', path), path);
        leaksNothing(await anonymous('GET', path), `anonymous ${path}`);
      }
    }
    for (const name of [`..%2F..%2Fvictim%2Fdefault%2F${hidden}`, `%2e%2e%2f${hidden}`, `x%00${hidden}`]) {
      leaksNothing(await call('GET', `${secrets}/${name}`), name);
    }
    for (const namespace of ['..%2Fvictim%2Fdefault', '%2Fvictim', 'default%2F..', '%2A']) {
      const { code, json, text } = await call('GET', `/api/v1/namespaces/${namespace}/secrets`);
      assert.ok(code !== 200 || json.items.length === 0, `${namespace}: ${text}`);
    }
  });

  it('reaches no other tenant by an absolute target, a host or a header', async () => {
    const raw = (head: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = tlsConnect({
          host: '127.0.0.1',
          port,
          ca: test.authority.certificatePem,
          cert: mallory.certificatePem,
          key: mallory.keyPem,
          ALPNProtocols: ['http/1.1'],
        });
        let text = '';
        socket.on('data', (chunk) => (text += chunk));
        socket.on('close', () => resolve(text));
        socket.on('error', reject);
        socket.end(`${head}\r\nConnection: close\r\n\r\n`);
      });
    const heads = [
      `GET https://127.0.0.1/clusters/victim${secrets} HTTP/1.1\r\nHost: x`,
      `GET https://victim/clusters/victim${secrets} HTTP/1.1\r\nHost: victim`,
      `GET /clusters/victim${secrets} HTTP/1.1\r\nHost: victim`,
      `GET ${secrets}/${hidden} HTTP/1.1\r\nHost: victim`,
      `GET ${secrets}/${hidden} HTTP/1.1\r\nHost: x\r\nX-Original-URL: /clusters/victim${secrets}`,
      `GET ${secrets}/${hidden} HTTP/1.1\r\nHost: x\r\nX-Remote-User: admin\r\nX-Remote-Group: skypod:platform`,
      `GET /clusters/victim${secrets} HTTP/1.1\r\nHost: x\r\nX-Remote-User: operator\r\nX-Remote-Group: skypod:platform`,
      `GET /clusters/victim${secrets} HTTP/1.1\r\nHost: x\r\nImpersonate-User: alice\r\nImpersonate-Group: skypod:platform`,
      `GET /clusters/victim${secrets} HTTP/1.1\r\nHost: x\r\nImpersonate-User: host:h1\r\nImpersonate-Group: skypod:hosts`,
      `GET ${secrets} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /clusters/victim${secrets} HTTP/1.1\r\nHost: x`,
    ];
    for (const head of heads) {
      const text = await raw(head);
      assert.ok(!text.includes(Buffer.from(hidden).toString('base64')), head);
    }
  });

  it('reaches no other tenant by HTTP/2 pseudo headers', async () => {
    const session = http2Connect(`https://127.0.0.1:${port}`, {
      ca: test.authority.certificatePem,
      cert: mallory.certificatePem,
      key: mallory.keyPem,
    });
    const ask = (headers: Record<string, string>) =>
      new Promise<string>((resolve) => {
        const stream = session.request(headers);
        let text = '';
        stream.setEncoding('utf8');
        stream.on('data', (chunk) => (text += chunk));
        stream.on('error', (error) => resolve(error.message));
        stream.on('close', () => resolve(text));
        stream.end();
      });
    try {
      for (const headers of [
        { ':path': `/clusters/victim${secrets}` },
        { ':path': `/clusters/victim${secrets}`, ':authority': 'victim' },
        { ':path': `${secrets}/${hidden}`, ':authority': 'victim', 'x-remote-user': 'admin' },
        { ':path': `https://victim/clusters/victim${secrets}` },
      ] as Record<string, string>[]) {
        const text = await ask(headers);
        assert.ok(!text.includes(Buffer.from(hidden).toString('base64')), JSON.stringify(headers));
      }
    } finally {
      session.close();
    }
  });

  it('becomes nobody of the platform by impersonation', async () => {
    for (const headers of [
      { 'impersonate-user': 'operator', 'impersonate-group': 'skypod:platform' },
      { 'impersonate-user': 'host:h1', 'impersonate-group': 'skypod:hosts' },
    ] as Record<string, string>[]) {
      leaksNothing(await call('GET', `/clusters/victim${secrets}`, { headers }), JSON.stringify(headers));
      const tenants = await call('GET', '/apis/tenancy.skypod.io/v1alpha1/tenants', { headers });
      assert.ok([403, 404].includes(tenants.code), tenants.text);
    }
  });

  it('reads no more than a role allows by a selector that the authorizer and the list read differently', async () => {
    await call('POST', secrets, { body: { metadata: { name: 'allowed' } } });
    await call('POST', secrets, { body: { metadata: { name: 'forbidden' } } });
    const rules = [
      {
        verbs: ['list', 'watch', 'deletecollection'],
        apiGroups: [''],
        resources: ['secrets'],
        resourceNames: ['allowed'],
      },
    ];
    await call('POST', `${rbac}/namespaces/default/roles`, { body: { metadata: { name: 'one' }, rules } });
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'one' };
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'guest' }];
    await call('POST', `${rbac}/namespaces/default/rolebindings`, {
      body: { metadata: { name: 'one' }, roleRef, subjects },
    });
    const guest = { as: await test.authority.issueTenantUser('evil', 'guest', []) };
    const names = (answer: Called) => answer.json.items?.map((one: any) => one.metadata.name);
    assert.deepEqual(names(await call('GET', `${secrets}?fieldSelector=metadata.name%3Dallowed`, guest)), ['allowed']);
    for (const selector of [
      String.raw`metadata.namespace!=x\,metadata.name=allowed`,
      String.raw`metadata.namespace!=\\\,metadata.name=allowed`,
      String.raw`metadata.name!=x\,metadata.name=allowed`,
      'metadata.name!=allowed',
      '',
    ]) {
      for (const method of ['GET', 'DELETE']) {
        const answer = await call(method, `${secrets}?fieldSelector=${encodeURIComponent(selector)}`, guest);
        assert.equal(answer.code, 403, `${method} ${selector}: ${answer.text.slice(0, 300)}`);
      }
    }
  });

  it('sees no instances of other hosts with a host’s certificate and such a selector', async () => {
    const host = { as: await test.authority.issueHost('h1', ['127.0.0.1']) };
    const instances = '/apis/pool.skypod.io/v1alpha1/containerinstances';
    const ask = (selector: string) => call('GET', `${instances}?fieldSelector=${encodeURIComponent(selector)}`, host);
    assert.equal((await ask('spec.hostName=h1')).code, 200);
    for (const selector of [
      String.raw`metadata.name!=x\,spec.hostName=h1`,
      'spec.hostName!=h1',
      'spec.hostName=h2',
      '',
    ]) {
      assert.equal((await ask(selector)).code, 403, selector);
    }
    leaksNothing(await call('GET', `/clusters/victim${secrets}`, host), 'a host in a tenant');
  });

  it('keeps no door open into a tenant that bears its name after it', async () => {
    const clock = new ManualClock(Date.now());
    const later = await startTestServer(openMemoryStore(), { tenants: ['heir'], clock });
    const { port: laterPort } = await later.server.listen({ host: '127.0.0.1', port: 0 });
    try {
      const credential = await later.authority.issueTenantUser('heir', 'mallory', ['system:masters']);
      const ask = apiCaller(laterPort, later.authority.certificatePem, credential);
      assert.equal((await ask('GET', secrets)).code, 200);
      const tenant = '/clusters/system/apis/tenancy.skypod.io/v1alpha1/tenants/heir';
      await later.transport.request({ method: 'DELETE', path: tenant });
      const patch = { contentType: 'application/merge-patch+json', body: { metadata: { finalizers: null } } };
      await later.transport.request({ method: 'PATCH', path: tenant, ...patch });
      clock.advance(3_600_000);
      await later.addTenant('heir');
      assert.equal((await ask('GET', secrets)).code, 401);
    } finally {
      await later.close();
    }
  });
});
