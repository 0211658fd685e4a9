// What a tenant who means harm may try, over HTTP as it would: each test is a path that must lead nowhere.
import assert from 'node:assert/strict';
import { connect as http2Connect } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import { ManualClock } from '../base/clock.ts';
import { until } from '../base/testing/until.ts';
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

  it('reads nothing by a path that passes for one of discovery', async () => {
    const nobody = { as: await test.authority.issueTenantUser('evil', 'nobody', []) };
    for (const [path, code] of [
      ['/api/v1//namespaces/default/secrets', 403],
      ['/api//secrets', 403],
      ['/apis/metrics.example/v1//secrets', 403],
      ['/apis/metrics.example/v1/namespaces//secrets', 403],
      ['/apis/metrics.example/v1/', 404],
      ['/api/v1/', 200],
      ['/%61pi/v1/namespaces/default/secrets', 403],
      ['/api/%761/secr%65ts', 403],
      ['/api%2Fv1/namespaces/default/secrets', 403],
      ['/%6detrics', 403],
    ] as const) {
      assert.equal((await call('GET', path, nobody)).code, code, path);
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
    // As upstream: no name is of help to who deletes a collection.
    const one = `${secrets}?fieldSelector=metadata.name%3Dallowed`;
    assert.equal((await call('DELETE', one, guest)).code, 403);
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

  it('takes its tokens nowhere else', async () => {
    const path = '/api/v1/namespaces/default/serviceaccounts/default/token';
    const spec = {
      audiences: ['https://kubernetes.default.svc', 'https://kubernetes.default.svc.cluster.local/clusters/victim'],
    };
    const { json } = await call('POST', path, { body: { spec } });
    const headers = { authorization: `Bearer ${json.status.token}` };
    const own = await anonymous('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: {}, headers });
    assert.equal(own.json.status.userInfo.username, 'system:serviceaccount:default:default');
    leaksNothing(await anonymous('GET', `/clusters/victim${secrets}`, { headers }), 'a token of another tenant');
    const body = { spec: { token: json.status.token } };
    const review = await victim('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { body });
    assert.notEqual(review.json.status.authenticated, true);
  });

  it('goes on with nobody else’s list', async () => {
    await victim('POST', secrets, { body: { metadata: { name: 'zz-more' } } });
    const page = await victim('GET', `${secrets}?limit=1`);
    assert.notEqual(page.json.metadata.continue ?? '', '');
    const stolen = await call('GET', `${secrets}?limit=5&continue=${page.json.metadata.continue}`);
    assert.equal(stolen.code, 400);
    const forged = Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: -1, start: 'victim/default/' }));
    leaksNothing(await call('GET', `${secrets}?continue=${forged.toString('base64url')}`), 'a forged token');
    const climbing = Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: -1, start: 'evil/default/../../victim/' }));
    const listed = await call('GET', `${secrets}?continue=${climbing.toString('base64url')}`);
    assert.ok(!listed.text.includes(hidden), listed.text);
  });

  it('gets no certificate of the platform, and no address of its network', async () => {
    const hooks = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
    const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['events'] }];
    for (const [index, host] of [
      '127.0.0.1',
      '2130706433',
      '0x7f.1',
      '0.0.0.0',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::]',
      '169.254.169.254',
      '10.0.0.1',
      'localhost',
    ].entries()) {
      const name = `hook-${index}`;
      const clientConfig = { url: `https://${host}:${port}/clusters/victim${secrets}` };
      const webhook = { name: 'a.b.c', clientConfig, rules, sideEffects: 'None', admissionReviewVersions: ['v1'] };
      const made = await call('POST', hooks, { body: { metadata: { name }, webhooks: [webhook] } });
      if (made.code === 422) continue;
      const involvedObject = { kind: 'Pod', namespace: 'default', name: 'x' };
      const event = { metadata: { generateName: 'e' }, involvedObject, reason: 'x', type: 'Normal' };
      const { code, text } = await call('POST', '/api/v1/namespaces/default/events', { body: event });
      assert.equal(code, 500, host);
      assert.match(text, /is no address of the Internet|no such host/, host);
      await call('DELETE', `${hooks}/${name}`);
    }
  });

  it('has no own names where the platform’s are', async () => {
    const metadata = { name: 'hosts.pool.skypod.io' };
    const versions = [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }];
    const names = { plural: 'hosts', kind: 'Host' };
    const definition = { metadata, spec: { group: 'pool.skypod.io', scope: 'Cluster', names, versions } };
    const { code } = await call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      body: definition,
    });
    assert.equal(code, 422);
    for (const path of ['tenancy.skypod.io/v1alpha1/tenants', 'pool.skypod.io/v1alpha1/hosts']) {
      leaksNothing(await call('GET', `/apis/${path}`), path);
    }
  });

  it('holds nobody up, and brings nothing down, by what it sends', async () => {
    const maps = '/api/v1/namespaces/default/configmaps';
    await call('POST', maps, { body: { metadata: { name: 'p' }, data: { a: 'b' } } });
    const json = (type: string) => ({ 'content-type': type });
    const copies = [
      { op: 'add', path: '/x', value: ['a'.repeat(100)] },
      ...Array.from({ length: 60 }, () => ({ op: 'copy', from: '/x', path: '/x/-' })),
    ];
    const keys = Array.from({ length: 100_000 }, (_, index) => `  k${index}: v\n`).join('');
    let isDone = false;
    // What the first of these once took was minutes, and nobody was answered meanwhile: the test's own time was over.
    const watching = (async () => {
      let answered = 0;
      while (!isDone) if ((await victim('GET', '/api/v1/namespaces/default')).code === 200) answered++;
      return answered;
    })();
    const answers = [
      await call('PATCH', `${maps}/p`, { body: JSON.stringify(copies), headers: json('application/json-patch+json') }),
      await call('POST', maps, {
        body: `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\ndata:\n${keys}`,
        headers: json('application/yaml'),
      }),
      await call('POST', maps, { body: `{"a":`.repeat(200_000), headers: json('application/json') }),
      await call('PATCH', `${maps}/p`, {
        body: '{"__proto__":{"polluted":1},"data":{"__proto__":{"polluted":1}},"constructor":{"prototype":{"polluted":1}}}',
        headers: json('application/merge-patch+json'),
      }),
      await call('POST', maps, {
        body: {
          metadata: { name: 'l', labels: Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`!${i}`, ''])) },
        },
      }),
    ];
    isDone = true;
    assert.ok((await watching) > 0);
    assert.ok(
      answers.every(({ code }) => code < 500),
      answers.map(({ code }) => code).join(' '),
    );
    assert.equal(({} as any).polluted, undefined);
  });

  it('gets no answer for which everybody would wait', async () => {
    const times = (count: number, make: (index: number) => string) => Array.from({ length: count }, (_, i) => make(i));
    const define = async (kind: string, schema: object, columns?: object[]) => {
      const plural = `${kind.toLowerCase()}s`;
      const version = { name: 'v1', served: true, storage: true };
      const openAPIV3Schema = { type: 'object', properties: { spec: schema } };
      const names = { plural, kind };
      const body = {
        metadata: { name: `${plural}.evil.example` },
        spec: {
          group: 'evil.example',
          scope: 'Cluster',
          names,
          versions: [
            { ...version, schema: { openAPIV3Schema }, ...(columns && { additionalPrinterColumns: columns }) },
          ],
        },
      };
      const made = await call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { body });
      assert.equal(made.code, 201, made.text);
      const path = `/apis/evil.example/v1/${plural}`;
      await until(async () => (await call('GET', path)).code === 200);
      return (spec: unknown, name = 'a') =>
        call('POST', path, { body: { apiVersion: 'evil.example/v1', kind, metadata: { name }, spec } });
    };
    const list = (items: object) => ({ type: 'object', properties: { list: { type: 'array', items } } });

    // Each of these once took seconds, hours or all memory.
    const wrong = await (await define('Wrong', list({ type: 'string' })))({
      list: times(100_000, () => '0').map(Number),
    });
    assert.equal(wrong.code, 422);
    assert.equal(wrong.json.details.causes.length, 1000);

    const properties = Object.fromEntries(
      times(500, (i) => `p${i}`).map((name) => [name, { type: 'string', default: 'x' }]),
    );
    const defaulted = await define('Defaulted', list({ type: 'object', properties }));
    assert.equal((await defaulted({ list: Array.from({ length: 100_000 }, () => ({})) })).code, 413);

    const mail = await define('Mail', { type: 'object', properties: { to: { type: 'string', format: 'email' } } });
    assert.equal((await mail({ to: `${'a.'.repeat(5000)}a(@b.c` })).code, 422);

    const deep = (depth: number): object => (depth === 0 ? { b: [1] } : { a: deep(depth - 1) });
    const paths = ['.spec..a..a..a..a..zzz', '.spec..a..a..a..b', `.spec${"['a','a']".repeat(50)}.zzz`];
    const column = await define(
      'Column',
      { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      paths.map((jsonPath, index) => ({ name: `c${index}`, type: 'string', jsonPath })),
    );
    assert.equal((await column(deep(200))).code, 201);
    const table = await call('GET', '/apis/evil.example/v1/columns/a', {
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    });
    assert.deepEqual(table.json.rows[0].cells, ['a', null, '[1]', null]);

    const values = await call('POST', '/api/v1/namespaces/default/configmaps', {
      body: `{"metadata":{"name":"v"},"data":{${times(160_000, (i) => `"k${i}":"v"`)}}}`,
      headers: { 'content-type': 'application/json' },
    });
    assert.equal(values.code, 413);
  });

  it('hears nothing of a tenant that bears its name after it', async () => {
    const later = await startTestServer(openMemoryStore(), { tenants: ['heir'] });
    const { port: laterPort } = await later.server.listen({ host: '127.0.0.1', port: 0 });
    try {
      const credential = await later.authority.issueTenantUser('heir', 'mallory', ['system:masters']);
      const send = (path: string, body: object) =>
        later.transport.request({ method: 'POST', path: `/clusters/heir${path}`, body });
      await send(secrets, { metadata: { name: 'mine' } });
      let heard = '';
      const watch = httpsRequest({
        host: '127.0.0.1',
        port: laterPort,
        path: `${secrets}?watch=1`,
        ca: later.authority.certificatePem,
        cert: credential.certificatePem,
        key: credential.keyPem,
        agent: false,
      });
      const ended = new Promise<void>((resolve, reject) => {
        watch.on('error', reject);
        watch.on('response', (response) => {
          response.on('data', (chunk) => (heard += chunk));
          response.on('error', reject);
          response.on('end', resolve);
        });
      });
      watch.end();
      await until(() => heard.includes('"mine"'));
      const tenant = '/clusters/system/apis/tenancy.skypod.io/v1alpha1/tenants/heir';
      await later.transport.request({ method: 'DELETE', path: tenant });
      const patch = { contentType: 'application/merge-patch+json', body: { metadata: { finalizers: null } } };
      await later.transport.request({ method: 'PATCH', path: tenant, ...patch });
      await later.addTenant('heir');
      await send(secrets, { metadata: { name: hidden } });
      await ended;
      assert.ok(!heard.includes(hidden), heard);
    } finally {
      await later.close();
    }
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
