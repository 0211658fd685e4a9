import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { StatusError } from '../api/status.ts';
import type { WatchEvent } from '../api/transport.ts';
import { listenLocally } from '../base/testing/local-server.ts';
import { until } from '../base/testing/until.ts';
import { HttpTransport, type HttpTransportOptions } from './http-transport.ts';
import { transportFromKubeconfig } from './kubeconfig.ts';
import { LineSplitter } from './line-splitter.ts';

async function serve(t: TestContext, listener: http.RequestListener): Promise<string> {
  const server = http.createServer(listener);
  const port = await listenLocally(server);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${port}`;
}
function transportTo(t: TestContext, server: string, options: Partial<HttpTransportOptions> = {}): HttpTransport {
  const transport = new HttpTransport({ server, ...options });
  t.after(() => transport.close());
  return transport;
}

test('sends method, path, query, token and body; reads the answer', async (t) => {
  const seen: string[] = [];
  const server = await serve(t, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push(
      [
        request.method,
        request.url,
        request.headers.authorization,
        request.headers['content-type'],
        Buffer.concat(chunks),
      ].join(' '),
    );
    response.end(JSON.stringify({ metadata: { name: 'é' } }));
  });
  const transport = transportTo(t, `${server}/base/`, { token: 'secret' });
  const answer = await transport.request<any>({
    method: 'PATCH',
    path: '/clusters/a/api/v1/pods',
    query: { labelSelector: 'a=b' },
    body: { x: 1 },
    contentType: 'application/merge-patch+json',
  });
  assert.equal(answer.metadata.name, 'é');
  assert.deepEqual(seen, [
    'PATCH /base/clusters/a/api/v1/pods?labelSelector=a%3Db Bearer secret application/merge-patch+json {"x":1}',
  ]);
  const plain = transportTo(t, server, { tenantPrefix: 'drop' });
  await plain.request({ method: 'GET', path: '/clusters/*/api/v1/pods' });
  assert.match(seen[1]!, /^GET \/api\/v1\/pods /);
});

test('errors are Status, whatever the body says', async (t) => {
  const server = await serve(t, (request, response) => {
    response.statusCode = request.url === '/html' ? 502 : 409;
    const status = { kind: 'Status', code: 409, reason: 'AlreadyExists', message: 'pods "a" already exists' };
    response.end(request.url === '/html' ? '<html>' : JSON.stringify(status));
  });
  const transport = transportTo(t, server);
  const failureOf = (path: string) =>
    transport.request({ method: 'GET', path }).then(
      () => assert.fail('it must fail'),
      (error: StatusError) => error,
    );
  const exists = await failureOf('/status');
  assert.ok(exists instanceof StatusError);
  assert.equal(exists.reason, 'AlreadyExists');
  assert.equal((await failureOf('/html')).code, 502);
  const dead = transportTo(t, 'http://127.0.0.1:1');
  await assert.rejects(dead.request({ method: 'GET', path: '/' }), /ECONNREFUSED/);
});

test('a watch is read line by line, ends with its signal, and says why it failed', async (t) => {
  const server = await serve(t, (request, response) => {
    if (request.url?.includes('resourceVersion=1&')) {
      response.statusCode = 410;
      response.end(JSON.stringify({ kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }));
      return;
    }
    const line = `${JSON.stringify({ type: 'ADDED', object: { metadata: { name: 'ü'.repeat(1000) } } })}\n`;
    // Cut amid a character.
    const bytes = Buffer.from(line + line);
    response.write(bytes.subarray(0, 601));
    setImmediate(() => response.write(bytes.subarray(601)));
    if (request.url?.includes('end=late')) {
      const gone = { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } };
      setTimeout(() => response.end(`${JSON.stringify(gone)}\n`), 10);
    }
  });
  const transport = transportTo(t, server);
  const stop = new AbortController();
  const events: WatchEvent[] = [];
  const watching = transport.watch({ path: '/w', signal: stop.signal, onEvents: (some) => events.push(...some) });
  await until(() => events.length === 2);
  assert.equal(events[1]!.object.metadata.name, 'ü'.repeat(1000));
  stop.abort();
  await watching;
  const isExpired = (error: StatusError) => error.code === 410;
  const again = { signal: new AbortController().signal, onEvents() {} };
  await assert.rejects(transport.watch({ path: '/w', query: { resourceVersion: '1' }, ...again }), isExpired);
  await assert.rejects(transport.watch({ path: '/w', query: { end: 'late' }, ...again }), isExpired);
});

test('a line in a thousand pieces is joined once', () => {
  const lines = new LineSplitter();
  const found: string[] = [];
  for (let index = 0; index < 1000; index++) found.push(...lines.push(Buffer.from('x'.repeat(100))));
  found.push(...lines.push(Buffer.from('\n\na\nb')), ...lines.push(Buffer.from('c\n')));
  assert.deepEqual(
    found.map((line) => line.length),
    [100_000, 1, 2],
  );
});

test('a kubeconfig becomes a transport', async (t) => {
  const server = await serve(t, (request, response) => {
    response.end(JSON.stringify({ token: request.headers.authorization }));
  });
  const directory = mkdtempSync(join(tmpdir(), 'skypod-kubeconfig-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'config');
  writeFileSync(
    path,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      clusters: [{ name: 'c', cluster: { server } }],
      users: [{ name: 'u', user: { token: 'from-file' } }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    }),
  );
  const transport = transportFromKubeconfig(path);
  t.after(() => transport.close());
  const answer = await transport.request<any>({ method: 'GET', path: '/' });
  assert.equal(answer.token, 'Bearer from-file');
});

test('goes to the next server when one is gone, and does nothing twice', async (t) => {
  const seen: string[] = [];
  const answering = (name: string) =>
    serve(t, (request, response) => {
      seen.push(`${name} ${request.method}`);
      response.end('{}');
    });
  const refused = 'http://127.0.0.1:1';
  const cutting = await serve(t, (request) => {
    seen.push(`cutting ${request.method}`);
    request.socket.destroy();
  });
  const good = await answering('good');
  const transport = new HttpTransport({ server: [refused, cutting, good] });
  t.after(() => transport.close());
  await assert.rejects(transport.request({ method: 'POST', path: '/api/v1/pods', body: {} }));
  assert.deepEqual(seen, ['cutting POST'], 'sent once, since it may have been done');
  await transport.request({ method: 'POST', path: '/api/v1/pods', body: {} });
  assert.deepEqual(seen.splice(0), ['cutting POST', 'good POST']);

  const reader = new HttpTransport({ server: [refused, cutting, good] });
  t.after(() => reader.close());
  await reader.request({ method: 'GET', path: '/api/v1/pods' });
  assert.deepEqual(seen.splice(0), ['cutting GET', 'good GET']);
  await reader.watch({ path: '/api/v1/pods', signal: AbortSignal.timeout(10_000), onEvents: () => {} });
  assert.deepEqual(seen, ['good GET']);
});

const ways: [string, (request: http.IncomingMessage, response: http.ServerResponse) => void][] = [
  ['that hangs with its connections open', (request) => request.socket.destroy()],
  ['that says it is not well', (_request, response) => response.writeHead(500).end('livez check failed')],
];
for (const [which, fail] of ways)
  test(`leaves a server ${which}`, async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    let isIll = false;
    const asked: string[] = [];
    const ill = await serve(t, (request, response) => {
      asked.push(request.url!);
      if (request.url!.includes('watch=true')) response.write('{"type":"BOOKMARK","object":{}}\n');
      else if (isIll) fail(request, response);
      else response.end('ok');
    });
    const good = await serve(t, (_request, response) => response.end('{}'));
    const transport = new HttpTransport({ server: [ill, good] });
    t.after(() => transport.close());
    let heard = 0;
    const signal = AbortSignal.timeout(30_000);
    const watching = transport.watch({ path: '/api/v1/pods', signal, onEvents: () => heard++ });
    watching.catch(() => {});
    await until(() => heard === 1);
    t.mock.timers.tick(10_000);
    await until(() => asked.length === 2);
    assert.equal(asked[1], '/livez');
    isIll = true;
    t.mock.timers.tick(10_000);
    await assert.rejects(watching);
    await transport.request({ method: 'POST', path: '/api/v1/pods', body: {} });
    assert.equal(asked.length, 3, 'the other was asked');
  });
