import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { listenLocally } from '../../base/testing/local-server.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { PemPair } from '../identity/certificate-authority.ts';
import { type ApiCaller, apiCaller } from '../testing/api-caller.ts';
import { addBackend, localConnector } from '../testing/local-network.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const page = '<html><a href="/there?a=1&amp;b=2">x</a><a href="relative">y</a></html>';

/** Says what it was asked, or what the path tells it to. */
function backend(): Server {
  const server = createServer((request, response) => {
    const url = request.url ?? '';
    if (url.startsWith('/page')) {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      if (!url.includes('gzip')) return response.end(page);
      response.setHeader('content-encoding', 'gzip');
      return response.end(gzipSync(page));
    }
    if (url.startsWith('/cut')) {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half');
      setTimeout(() => response.socket?.resetAndDestroy(), 20);
      return;
    }
    if (url.startsWith('/redirect')) {
      response.writeHead(302, { location: '/elsewhere', 'set-cookie': ['a=1', 'b=2'] });
      return response.end();
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      const body = Buffer.concat(chunks);
      const { method, headers } = request;
      response.end(JSON.stringify({ method, url, headers, length: body.length, body: body.toString().slice(0, 100) }));
    });
    return undefined;
  });
  server.on('upgrade', (request, socket) => {
    if (request.url?.startsWith('/reset')) {
      (socket as import('node:net').Socket).resetAndDestroy();
      return;
    }
    if (request.url?.startsWith('/refuse')) {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
      return;
    }
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Own: 1\r\n\r\n');
    socket.pipe(socket);
  });
  return server;
}

describe('the proxy subresources', { timeout: 60_000 }, () => {
  let test: TestServer;
  let call: ApiCaller;
  let alice: PemPair;
  let http: Server;
  let port: number;
  let apiPort: number;
  const connector = localConnector();

  before(async () => {
    http = backend();
    port = await listenLocally(http);
    test = await startTestServer(openMemoryStore(), { tenants: ['red', 'blue'] });
    test.server.setConnector(connector);
    ({ port: apiPort } = await test.server.listen({ host: '127.0.0.1', port: 0 }));
    alice = await test.authority.issueTenantUser('red', 'alice', ['system:masters']);
    call = apiCaller(apiPort, test.authority.certificatePem, alice);
    await addBackend(call, { namespace: 'default', name: 'web', port });
  });
  after(async () => {
    http.closeAllConnections();
    http.close();
    await test.close();
  });

  const pod = '/api/v1/namespaces/default/pods/web/proxy';
  const service = '/api/v1/namespaces/default/services/web:80/proxy';

  it('takes every method with its body, to pods and services', async () => {
    for (const path of [pod, service]) {
      for (const method of ['DELETE', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'GET', 'HEAD']) {
        const body = ['PATCH', 'POST', 'PUT', 'DELETE'].includes(method) ? 'hello' : undefined;
        const answer = await call(method, `${path}/some/path?q=1&q=2`, {
          body,
          headers: { authorization: 'Bearer x' },
        });
        assert.equal(answer.code, 200, `${method} ${path}: ${answer.text}`);
        if (method === 'HEAD') continue;
        assert.equal(answer.json.method, method);
        assert.equal(answer.json.url, '/some/path?q=1&q=2');
        assert.equal(answer.json.body, body ?? '');
        assert.equal(answer.json.headers.authorization, undefined, 'credentials stay here');
        assert.equal(answer.json.headers['x-forwarded-uri'], `${path}/some/path`);
      }
    }
  });

  it('passes a body larger than any object', async () => {
    const body = Buffer.alloc(8 * 1024 * 1024, 'x');
    const answer = await call('POST', `${pod}/upload`, { body });
    assert.equal(answer.json.length, body.length);
  });

  it('drops headers that say who somebody is', async () => {
    const headers = { 'x-remote-user': 'root', 'x-remote-extra-a': 'b', 'x-kept': 'yes' };
    const answer = await call('GET', `${pod}/`, { headers });
    assert.deepEqual(
      Object.keys(answer.json.headers).filter((name) => name.startsWith('x-')),
      ['x-kept', 'x-forwarded-uri', 'x-forwarded-for'],
    );
    assert.equal(answer.json.headers['x-forwarded-for'], '127.0.0.1');
  });

  it('leads links and redirects back through the proxy', async () => {
    const plain = await call('GET', `${pod}/page`);
    assert.match(plain.text, new RegExp(`href="${pod}/there\\?a=1&amp;b=2"`));
    assert.match(plain.text, /href="relative"/);
    const zipped = await call('GET', `${pod}/page?gzip`, { headers: { 'accept-encoding': 'gzip' } });
    assert.equal(gunzipSync(zipped.bytes).toString(), plain.text);
    const prefixed = await call('GET', `/clusters/red${pod}/page`);
    assert.match(prefixed.text, new RegExp(`href="/clusters/red${pod}/there`));
    const redirect = await call('GET', `${service}/redirect`);
    assert.equal(redirect.code, 302);
    assert.equal(redirect.headers['location'], `${service}/elsewhere`);
    assert.deepEqual(redirect.headers['set-cookie'], ['a=1', 'b=2']);
    const slash = await call('GET', `${pod}?a=b`);
    assert.deepEqual([slash.code, slash.headers['location']], [301, `${pod}/?a=b`]);
  });

  it('finds ports by name, and says what is wrong in upstream words', async () => {
    const code = async (path: string) => {
      const { code, json } = await call('GET', path);
      return [code, json?.message];
    };
    assert.equal((await call('GET', '/api/v1/namespaces/default/pods/http:web:web/proxy/')).code, 200);
    assert.deepEqual(await code('/api/v1/namespaces/default/services/web:81/proxy/'), [
      503,
      'no service port 81 found for service "web"',
    ]);
    assert.deepEqual(await code('/api/v1/namespaces/default/services/web:nope/proxy/'), [
      503,
      'no endpoints available for service "web"',
    ]);
    assert.deepEqual(await code('/api/v1/namespaces/default/services/a:b:c:d/proxy/'), [
      400,
      'invalid service request "a:b:c:d"',
    ]);
    const [status, message] = await code('/api/v1/namespaces/default/pods/web:1/proxy/');
    assert.equal(status, 503);
    assert.match(message, /^error trying to reach service: /);
  });

  function upgrade(path: string): Promise<{ response: IncomingMessage; echoed?: string; body?: string }> {
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest({
        host: '127.0.0.1',
        port: apiPort,
        path,
        ca: test.authority.certificatePem,
        cert: alice.certificatePem,
        key: alice.keyPem,
        agent: false,
        headers: { connection: 'Upgrade', upgrade: 'echo' },
      });
      outgoing.on('upgrade', (response, socket) => {
        socket.write('ping');
        socket.once('data', (data) => {
          socket.destroy();
          resolve({ response, echoed: data.toString() });
        });
      });
      outgoing.on('response', (response) => {
        let body = '';
        response.on('data', (chunk) => (body += chunk));
        response.on('end', () => resolve({ response, body }));
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  it('joins connections that switch protocols, and ends those that do not', async () => {
    const joined = await upgrade(`${service}/socket`);
    assert.deepEqual([joined.response.statusCode, joined.response.headers['x-own'], joined.echoed], [101, '1', 'ping']);
    const refused = await upgrade(`${pod}/refuse`);
    assert.deepEqual([refused.response.statusCode, refused.body], [403, 'no']);
    assert.equal(refused.response.headers['connection'], 'close');
    for (const method of ['GET', 'HEAD', 'POST']) {
      const cut = await call(method, `${pod}/cut`, { body: method === 'POST' ? 'x' : undefined }).catch(
        () => undefined,
      );
      assert.ok(cut === undefined || cut.code === 503 || cut.code === 200, `${method}: ${cut?.code}`);
    }
    const reset = await upgrade(`${pod}/reset`);
    assert.equal(reset.response.statusCode, 503);
    const unreachable = await upgrade('/api/v1/namespaces/default/pods/web:1/proxy/socket');
    assert.equal(unreachable.response.statusCode, 503);
    assert.match(JSON.parse(unreachable.body!).message, /^error trying to reach service: /);
  });

  it('answers what a virtual node knows, and nothing of other tenants', async () => {
    await test.transport.request({
      method: 'POST',
      path: '/clusters/red/api/v1/nodes',
      body: { metadata: { name: 'zone-a' } },
    });
    const node = '/api/v1/nodes/zone-a/proxy';
    assert.equal((await call('GET', `${node}/healthz`)).text, 'ok');
    const pods = await call('GET', `/api/v1/nodes/http:zone-a:10250/proxy/pods`);
    assert.deepEqual(
      pods.json.items.map((one: any) => one.metadata.name),
      ['web'],
    );
    assert.equal(pods.text.includes('clusterName'), false);
    assert.match((await call('GET', `${node}/metrics`)).text, /^kubelet_running_pods 1$/m);
    assert.equal((await call('GET', `${node}/containerLogs/default/web/c`)).text, 'log of c\n');
    assert.equal((await call('GET', `${node}/configz`)).code, 404);
    assert.match((await call('POST', `${node}/run/default/web/c`)).json.message, /no kubelet stands behind/);
  });

  it('reaches nothing outside the tenant', async () => {
    const bob = await test.authority.issueTenantUser('blue', 'bob', ['system:masters']);
    assert.equal((await call('GET', `${pod}/`, { as: bob })).code, 404);
    assert.equal((await call('GET', `/clusters/red${pod}/`, { as: bob })).code, 403);
    assert.ok(connector.dialled.every((one) => one.startsWith('red/default/web:')));
  });
});
