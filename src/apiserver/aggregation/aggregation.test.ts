import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import { after, before, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { listenLocally } from '../../base/testing/local-server.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { CertificateAuthority, type PemPair } from '../identity/certificate-authority.ts';
import { type ApiCaller, apiCaller } from '../testing/api-caller.ts';
import { addBackend, localConnector } from '../testing/local-network.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { createFrontProxy, type FrontProxy } from './front-proxy.ts';

const group = 'wardle.example.com';
const base = `/apis/${group}/v1alpha1`;
const apiServices = '/apis/apiregistration.k8s.io/v1/apiservices';

/** An extension server: takes its users from the front proxy, as delegated authentication does. */
function extensionServer(pair: PemPair, frontProxy: FrontProxy, state: { isWell: boolean }): Server {
  const server = createServer(
    { cert: pair.certificatePem, key: pair.keyPem, ca: frontProxy.caPem, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const socket = request.socket as TLSSocket;
      const json = (code: number, value: object) => {
        response.writeHead(code, { 'content-type': 'application/json' });
        response.end(JSON.stringify(value));
      };
      if (!socket.authorized) return json(401, { kind: 'Status', code: 401 });
      if (!state.isWell) return json(500, { kind: 'Status', code: 500 });
      const url = request.url ?? '';
      const peer = socket.getPeerCertificate().subject.CN;
      if (url === base) {
        return json(200, {
          kind: 'APIResourceList',
          groupVersion: `${group}/v1alpha1`,
          resources: [
            { name: 'flunders', singularName: 'flunder', namespaced: true, kind: 'Flunder', verbs: ['get', 'list'] },
            { name: 'flunders/status', singularName: '', namespaced: true, kind: 'Flunder', verbs: ['get'] },
          ],
        });
      }
      if (url === '/openapi/v2') {
        const reference = { $ref: '#/definitions/com.example.Flunder' };
        return json(200, {
          paths: {
            [`${base}/flunders`]: {
              get: { responses: { 200: { schema: reference } }, parameters: [{ $ref: '#/parameters/wing-ABC' }] },
            },
            '/version': {},
          },
          parameters: { 'wing-ABC': { name: 'wing', in: 'query' }, 'other-ABC': {} },
          definitions: { 'com.example.Flunder': { type: 'object' }, 'com.example.Other': { type: 'object' } },
        });
      }
      if (url === '/openapi/v3') {
        return json(200, { paths: { [base.slice(1)]: { serverRelativeURL: `/openapi/v3${base}?hash=ABC` } } });
      }
      if (url.startsWith(`${base}/namespaces/default/flunders?watch`)) {
        response.writeHead(200, { 'content-type': 'application/json' });
        let count = 0;
        const timer = setInterval(() => response.write(`{"type":"ADDED","object":{"n":${count++}}}\n`), 5);
        response.on('close', () => clearInterval(timer));
        return undefined;
      }
      let body = '';
      request.on('data', (chunk) => (body += chunk));
      request.on('end', () => json(200, { url, body, method: request.method, headers: request.headers, peer }));
      return undefined;
    },
  );
  server.on('upgrade', (request: IncomingMessage, socket) => {
    const user = request.headers['x-remote-user'];
    const head = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Seen-User: ${user}`;
    socket.write(`${head}\r\n\r\n`);
    socket.pipe(socket);
  });
  return server;
}

describe('API servers behind ours', { timeout: 60_000 }, () => {
  let test: TestServer;
  let frontProxy: FrontProxy;
  let call: ApiCaller;
  let bob: PemPair;
  let extension: Server;
  let servingAuthority: CertificateAuthority;
  let port: number;
  const state = { isWell: true };
  const connector = localConnector();

  before(async () => {
    frontProxy = await createFrontProxy({ now: () => Date.now(), schedule: () => () => {} });
    servingAuthority = await CertificateAuthority.create('extension');
    const pair = await servingAuthority.issueServing(['wardle.default.svc']);
    extension = extensionServer(pair, frontProxy, state);
    port = await listenLocally(extension);
    test = await startTestServer(openMemoryStore(), { tenants: ['red', 'blue'], frontProxy });
    test.server.setConnector(connector);
    const { port: apiPort } = await test.server.listen({ host: '127.0.0.1', port: 0 });
    const alice = await test.authority.issueTenantUser('red', 'alice', ['system:masters', 'devs']);
    bob = await test.authority.issueTenantUser('blue', 'bob', ['system:masters']);
    call = apiCaller(apiPort, test.authority.certificatePem, alice);
  });
  after(async () => {
    extension.closeAllConnections();
    extension.close();
    await test.close();
  });

  async function eventually<T>(read: () => Promise<T>, isRight: (value: T) => boolean): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const value = await read();
      if (isRight(value)) return value;
      if (attempt === 500) throw new Error(`still ${JSON.stringify(value)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  const available = async (name = `v1alpha1.${group}`) => {
    const { json } = await call('GET', `${apiServices}/${name}`);
    const { status, reason, message } = json.status?.conditions?.[0] ?? {};
    return { status, reason, message };
  };

  const registration = (spec: object) => ({
    metadata: { name: `v1alpha1.${group}` },
    spec: {
      group,
      version: 'v1alpha1',
      service: { namespace: 'default', name: 'wardle', port: 443 },
      caBundle: Buffer.from(servingAuthority.certificatePem).toString('base64'),
      groupPriorityMinimum: 2000,
      versionPriority: 200,
      ...spec,
    },
  });

  it('lists what is served here as local', async () => {
    const { json } = await call('GET', apiServices);
    const names: string[] = json.items.map((one: any) => one.metadata.name);
    assert.ok(names.includes('v1.') && names.includes('v1.apps') && names.includes('v2.autoscaling'));
    assert.ok(!names.some((name) => name.endsWith('apiregistration.k8s.io')));
    const { spec, status, metadata } = json.items.find((one: any) => one.metadata.name === 'v1.apps');
    assert.deepEqual(spec, { group: 'apps', version: 'v1', groupPriorityMinimum: 17800, versionPriority: 15 });
    assert.equal(status.conditions[0].reason, 'Local');
    assert.equal(status.conditions[0].lastTransitionTime, metadata.creationTimestamp);
  });

  it('publishes how its requests are to be known, and keeps the authority of users to itself', async () => {
    const { json } = await call('GET', '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication');
    assert.equal(json.data['requestheader-client-ca-file'], frontProxy.caPem);
    assert.equal(json.data['requestheader-allowed-names'], '["front-proxy-client:red"]');
    assert.ok(!Object.values(json.data).some((value) => String(value).includes(test.authority.certificatePem.trim())));
  });

  it('refuses what upstream refuses, in its words', async () => {
    const { code, json } = await call('POST', apiServices, {
      body: {
        metadata: { name: 'wrong' },
        spec: { group, version: 'v1alpha1', groupPriorityMinimum: 0, versionPriority: 1001, caBundle: 'AAAA' },
      },
    });
    assert.equal(code, 422);
    assert.deepEqual(
      json.details.causes.map((one: any) => `${one.field}: ${one.message}`),
      [
        'metadata.name: Invalid value: "wrong": must be `spec.version+"."+spec.group`: "v1alpha1.wardle.example.com"',
        'spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000',
        'spec.versionPriority: Invalid value: 1001: must be positive and less than 1000',
        'spec.caBundle: Invalid value: "3 bytes": local APIServices may not have a caBundle',
      ],
    );
  });

  it('says step by step why a server is not available, and when it is', async () => {
    const created = await call('POST', apiServices, { body: registration({}) });
    assert.equal(created.code, 201, created.text);
    await eventually(available, ({ reason }) => reason === 'ServiceNotFound');
    const unavailable = await call('GET', `${base}/namespaces/default/flunders`);
    assert.deepEqual([unavailable.code, unavailable.text], [503, 'service unavailable\n']);
    const stale = await call('GET', '/apis', { headers: { accept: aggregatedAccept } });
    const shown = stale.json.items.find((one: any) => one.metadata.name === group);
    assert.deepEqual([shown.versions[0].freshness, shown.versions[0].resources], ['Stale', []]);

    await addBackend(call, { namespace: 'default', name: 'wardle', port, servicePort: 443 });
    const state = await eventually(available, ({ status }) => status === 'True');
    assert.deepEqual(state, { status: 'True', reason: 'Passed', message: 'all checks passed' });
  });

  const aggregatedAccept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

  it('passes requests on in the name of their user', async () => {
    const answer = await call('POST', `/clusters/red${base}/namespaces/default/flunders?a=b`, {
      body: { kind: 'Flunder' },
      headers: {
        authorization: 'Bearer stolen',
        'x-remote-user': 'root',
        'impersonate-user': 'carol',
        'impersonate-group': 'system:masters',
      },
    });
    assert.equal(answer.code, 200, answer.text);
    const { url, body, method, headers } = answer.json;
    assert.deepEqual([method, url, body], ['POST', `${base}/namespaces/default/flunders?a=b`, '{"kind":"Flunder"}']);
    assert.equal(headers['x-remote-user'], 'carol');
    assert.equal(headers['authorization'], undefined);
    assert.equal(headers['impersonate-user'], undefined);
    const own = await call('GET', `${base}/namespaces/default/flunders/x`);
    assert.equal(own.json.headers['x-remote-user'], 'alice');
    assert.equal(own.json.peer, 'front-proxy-client:red');
    assert.match(own.json.headers['x-remote-group'], /devs/);
  });

  it('is asked for nothing but what was authorized', async () => {
    const rules = [{ apiGroups: [group], resources: ['flunders'], resourceNames: ['a'], verbs: ['get'] }];
    const name = 'reads-a';
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    await call('POST', `${rbac}/clusterroles`, { body: { metadata: { name }, rules } });
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name };
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'reader' }];
    await call('POST', `${rbac}/clusterrolebindings`, { body: { metadata: { name }, roleRef, subjects } });
    const reader = { as: await test.authority.issueTenantUser('red', 'reader', []) };
    const read = async (path: string) => (await call('GET', `${base}${path}`, reader)).code;
    assert.equal(await read('/namespaces/default/flunders/a'), 200);
    for (const path of ['//secrets', '//namespaces/default/secrets', '/namespaces//secrets']) {
      assert.equal(await read(path), 403, path);
    }
    const climbing = await call('GET', `${base}/namespaces/default/flunders/a%2F..%2Fb`);
    assert.equal(climbing.code, 400, climbing.text);
  });

  it('streams watches', async () => {
    const { request } = await import('node:https');
    const alice = await test.authority.issueTenantUser('red', 'alice', ['system:masters']);
    const { port: apiPort } = await test.server.listen({ host: '127.0.0.1', port: 0 });
    await new Promise<void>((resolve, reject) => {
      const outgoing = request({
        host: '127.0.0.1',
        port: apiPort,
        path: `${base}/namespaces/default/flunders?watch=true`,
        ca: test.authority.certificatePem,
        cert: alice.certificatePem,
        key: alice.keyPem,
        agent: false,
      });
      outgoing.on('response', (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
          if (text.split('\n').length < 4) return;
          outgoing.destroy();
          resolve();
        });
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  });

  it('joins connections that switch protocols, in the name of their user', async () => {
    const { request } = await import('node:https');
    const alice = await test.authority.issueTenantUser('red', 'alice', ['system:masters']);
    const { port: apiPort } = await test.server.listen({ host: '127.0.0.1', port: 0 });
    const echoed = await new Promise<string>((resolve, reject) => {
      const outgoing = request({
        host: '127.0.0.1',
        port: apiPort,
        path: `${base}/namespaces/default/flunders/x/exec`,
        ca: test.authority.certificatePem,
        cert: alice.certificatePem,
        key: alice.keyPem,
        agent: false,
        headers: { connection: 'Upgrade', upgrade: 'echo', 'x-remote-user': 'root' },
      });
      outgoing.on('upgrade', (response, socket) => {
        assert.equal(response.headers['x-seen-user'], 'alice');
        socket.write('ping');
        socket.once('data', (data) => {
          socket.destroy();
          resolve(data.toString());
        });
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
    assert.equal(echoed, 'ping');
  });

  it('shows its resources in every form of discovery, in the order of priorities', async () => {
    const groups = (await call('GET', '/apis')).json.groups.map((one: any) => one.name);
    assert.equal(groups[0], 'apiregistration.k8s.io');
    assert.ok(groups.indexOf(group) > groups.indexOf('flowcontrol.apiserver.k8s.io'));
    assert.ok(groups.indexOf(group) < groups.indexOf('metrics.k8s.io'));
    assert.equal((await call('GET', `/apis/${group}`)).json.preferredVersion.version, 'v1alpha1');
    assert.equal((await call('GET', base)).json.resources[0].name, 'flunders');
    const { json } = await call('GET', '/apis', { headers: { accept: aggregatedAccept } });
    const again = await call('GET', '/apis', { headers: { accept: aggregatedAccept } });
    const etag = String(again.headers['etag']);
    assert.match(etag, /^"[0-9A-F]{128}"$/);
    const unchanged = await call('GET', '/apis', { headers: { accept: aggregatedAccept, 'if-none-match': etag } });
    assert.deepEqual([unchanged.code, unchanged.text, unchanged.headers['etag']], [304, '', etag]);
    const others = await call('GET', '/apis', {
      headers: { accept: aggregatedAccept, 'if-none-match': etag },
      as: bob,
    });
    assert.equal(others.code, 200);
    const shown = json.items.find((one: any) => one.metadata.name === group);
    assert.deepEqual(shown.versions, [
      {
        version: 'v1alpha1',
        freshness: 'Current',
        resources: [
          {
            resource: 'flunders',
            responseKind: { group, version: 'v1alpha1', kind: 'Flunder' },
            scope: 'Namespaced',
            singularResource: 'flunder',
            verbs: ['get', 'list'],
            subresources: [
              { subresource: 'status', responseKind: { group, version: 'v1alpha1', kind: 'Flunder' }, verbs: ['get'] },
            ],
          },
        ],
      },
    ]);
  });

  it('puts its schemas beside our own', async () => {
    const { json } = await call('GET', '/openapi/v2');
    assert.ok(json.paths[`${base}/flunders`] !== undefined);
    assert.ok(json.paths['/api/v1/namespaces/{namespace}/pods'] !== undefined);
    assert.deepEqual(json.definitions['com.example.Flunder'], { type: 'object' });
    assert.equal(json.definitions['com.example.Other'], undefined, 'nothing refers to it');
    assert.deepEqual(json.parameters['wing-ABC'], { name: 'wing', in: 'query' });
    assert.equal(json.parameters['other-ABC'], undefined, 'nothing refers to it');
    const list = JSON.parse((await call('GET', '/openapi/v3')).text).paths;
    assert.equal(list[base.slice(1)].serverRelativeURL, `/openapi/v3${base}?hash=ABC`);
    assert.equal((await call('GET', `/openapi/v3${base}?hash=ABC`)).json.url, `/openapi/v3${base}?hash=ABC`);
  });

  it('notices that a server fails, that its endpoints go, and that another answers in its name', async () => {
    state.isWell = false;
    const poke = (text: string) =>
      call('PATCH', `${apiServices}/v1alpha1.${group}`, {
        body: { metadata: { annotations: { poke: text } } },
        headers: { 'content-type': 'application/merge-patch+json' },
      });
    await poke('1');
    const failed = await eventually(available, ({ reason }) => reason === 'FailedDiscoveryCheck');
    assert.match(failed.message, /bad status from https:\/\/wardle\.default\.svc:443\/apis\/.*: 500$/);
    state.isWell = true;
    await eventually(available, ({ status }) => status === 'True');

    const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/wardle-1';
    const ready = (isReady: boolean) =>
      call('PATCH', slices, {
        body: [{ op: 'replace', path: '/endpoints/0/conditions/ready', value: isReady }],
        headers: { 'content-type': 'application/json-patch+json' },
      });
    await ready(false);
    const missing = await eventually(available, ({ status }) => status === 'False');
    assert.deepEqual(missing, {
      status: 'False',
      reason: 'MissingEndpoints',
      message: 'endpointslices for service/wardle in "default" have no addresses with port name ""',
    });
    const operator = await test.authority.issuePlatformClient('operator');
    await eventually(
      async () => (await call('GET', '/metrics', { as: operator })).text,
      (text) => text.includes(`unavailable_apiservice_total{name="v1alpha1.${group}",reason="MissingEndpoints"} 1`),
    );
    await ready(true);
    await eventually(available, ({ status }) => status === 'True');

    const other = await CertificateAuthority.create('other');
    await call('PATCH', `${apiServices}/v1alpha1.${group}`, {
      body: { spec: { caBundle: Buffer.from(other.certificatePem).toString('base64') } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    await eventually(available, ({ reason }) => reason === 'FailedDiscoveryCheck');
    await call('PATCH', `${apiServices}/v1alpha1.${group}`, {
      body: { spec: { caBundle: null, insecureSkipTLSVerify: true } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    await eventually(available, ({ status }) => status === 'True');
  });

  it('is one tenant alone, and gone with its registration', async () => {
    assert.equal((await call('GET', base, { as: bob })).code, 404);
    assert.ok(!(await call('GET', '/apis', { as: bob })).text.includes(group));
    assert.ok(connector.dialled.every((one) => one.startsWith('red/')));
    assert.equal((await call('DELETE', `${apiServices}/v1alpha1.${group}`)).code, 200);
    await eventually(
      () => call('GET', `${base}/namespaces/default/flunders`),
      ({ code }) => code === 404,
    );
    assert.ok(!(await call('GET', '/apis')).text.includes(group));
  });

  it('sends no built-in group away', async () => {
    const service = { ...registration({ group: 'apps', version: 'v1' }), metadata: { name: 'v1.apps' } };
    const existing = (await call('GET', `${apiServices}/v1.apps`)).json;
    service.metadata = { ...existing.metadata };
    const put = await call('PUT', `${apiServices}/v1.apps`, { body: service });
    assert.equal(put.code, 200, put.text);
    const deployments = await call('GET', '/apis/apps/v1/deployments');
    assert.equal(deployments.json.kind, 'DeploymentList');
    await call('DELETE', `${apiServices}/v1.apps`);
    assert.deepEqual((await available('v1.apps')).reason, 'Local');
  });

  it('registers the groups of custom resources, as long as there are any', async () => {
    const crd = {
      metadata: { name: 'foos.stable.example.com' },
      spec: {
        group: 'stable.example.com',
        scope: 'Namespaced',
        names: { plural: 'foos', singular: 'foo', kind: 'Foo' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    };
    const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    assert.equal((await call('POST', crds, { body: crd })).code, 201);
    const found = await eventually(
      () => call('GET', `${apiServices}/v1.stable.example.com`),
      ({ code }) => code === 200,
    );
    const { spec, metadata, status } = found.json;
    assert.deepEqual(spec, {
      group: 'stable.example.com',
      version: 'v1',
      groupPriorityMinimum: 1000,
      versionPriority: 100,
    });
    assert.equal(metadata.labels['kube-aggregator.kubernetes.io/automanaged'], 'true');
    assert.equal(status.conditions[0].reason, 'Local');
    const own = `${apiServices}/v1.stable.example.com`;
    const merge = (body: object) =>
      call('PATCH', own, { body, headers: { 'content-type': 'application/merge-patch+json' } });
    assert.equal((await merge({ spec: { groupPriorityMinimum: 5 } })).code, 200);
    await eventually(
      () => call('GET', own),
      ({ json }) => json.spec.groupPriorityMinimum === 1000,
    );
    await call('DELETE', `${crds}/foos.stable.example.com`);
    await eventually(
      () => call('GET', `${apiServices}/v1.stable.example.com`),
      ({ code }) => code === 404,
    );
  });
});
