import assert from 'node:assert/strict';
import http from 'node:http';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { listenLocally } from '../base/testing/local-server.ts';
import { until } from '../base/testing/until.ts';
import { type BatchedRequest, RequestBatches } from './request-batches.ts';

function batchesTo(t: TestContext, port: number, timeoutMs = 60_000, maxConnections = 2): RequestBatches {
  const batches = new RequestBatches({
    server: new URL(`http://127.0.0.1:${port}`),
    tls: {},
    timeoutMs,
    maxConnections,
  });
  t.after(() => batches.close());
  return batches;
}

const requestOf = (path: string, signal?: AbortSignal): BatchedRequest => {
  const payload = Buffer.from(JSON.stringify({ path }));
  return { method: 'PATCH', path, headers: { 'Content-Length': String(payload.length) }, payload, signal };
};

test('what is sent together shares a connection, and everybody gets the answer to what was asked', async (t) => {
  const connections = new Set<Socket>();
  const server = http.createServer(async (request, response) => {
    connections.add(request.socket);
    let body = '';
    for await (const chunk of request) body += chunk;
    // Later ones are ready sooner: they are answered in their order all the same.
    const delayMs = request.url === '/0' ? 20 : 0;
    setTimeout(() => {
      response.statusCode = request.url === '/3' ? 409 : 200;
      if (request.url === '/4') response.write('in ');
      response.end(`${request.method} ${request.url} ${body}`);
    }, delayMs);
  });
  const batches = batchesTo(t, await listenLocally(server));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  for (let round = 0; round < 3; round++) {
    const paths = Array.from({ length: 50 }, (_, index) => `/${index}`);
    const answers = await Promise.all(paths.map((path) => batches.send(requestOf(path))));
    answers.forEach(({ code, text }, index) => {
      assert.equal(code, index === 3 ? 409 : 200);
      assert.equal(text, `${index === 4 ? 'in ' : ''}PATCH /${index} {"path":"/${index}"}`);
    });
  }
  assert.equal(connections.size, 2);
});

test('what is unanswered when a connection ends fails, the rest and what comes later does not', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const count = bytes.toString().split('PATCH ').length - 1;
      if (sockets.length > 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'.repeat(count));
      else socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const batches = batchesTo(t, await listenLocally(server));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const results = await Promise.allSettled([1, 2, 3].map((index) => batches.send(requestOf(`/${index}`))));
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  );
  assert.match(String((results[1] as PromiseRejectedResult).reason), /closed before an answer/);
  const again = await Promise.all([4, 5].map((index) => batches.send(requestOf(`/${index}`))));
  assert.deepEqual(
    again.map(({ text }) => text),
    ['ok', 'ok'],
  );
  // An idle connection that the server ended is not used again.
  sockets[1]!.destroy();
  await until(async () => {
    const answer = await batches.send(requestOf('/6')).catch(() => undefined);
    return answer?.code === 200;
  });
  assert.equal(sockets.length, 3);
});

test('nobody to talk to, an abort, silence and an end are told to those who wait', async (t) => {
  const server = createServer(() => {});
  const sockets: Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket.on('error', () => {})));
  const port = await listenLocally(server);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await assert.rejects(batchesTo(t, 1).send(requestOf('/')), { code: 'ECONNREFUSED' });
  await assert.rejects(batchesTo(t, port, 20).send(requestOf('/')), /did not answer in time/);
  const silent = batchesTo(t, port);
  const stop = new AbortController();
  const aborted = assert.rejects(silent.send(requestOf('/', stop.signal)), { name: 'AbortError' });
  stop.abort();
  await aborted;
  const closed = assert.rejects(silent.send(requestOf('/')), /closed/);
  silent.close();
  await closed;
  await assert.rejects(batchesTo(t, port).send(requestOf('/a b')), /unescaped/);
  const smuggled = { ...requestOf('/'), headers: { A: 'b\r\nC: d' } };
  await assert.rejects(batchesTo(t, port).send(smuggled), /Invalid character/);
});
