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

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A server whose n-th connection answers a piece of so many requests with what `answer` says. */
async function answering(t: TestContext, answer: (socket: Socket, connection: number, requests: number) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const connection = sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => answer(socket, connection, bytes.toString().split('PATCH ').length - 1));
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: await listenLocally(server), sockets };
}

const outcomesOf = async (batches: RequestBatches, ...paths: string[]) => {
  const results = await Promise.allSettled(paths.map((path) => batches.send(requestOf(path))));
  return results.map((result) => (result.status === 'fulfilled' ? result.value.text : String(result.reason)));
};

test('what is next to be answered when a connection ends fails, the rest is sent again', async (t) => {
  const { port, sockets } = await answering(t, (socket, connection, requests) => {
    if (connection > 1) socket.write(ok.repeat(requests));
    else socket.end(ok);
  });
  const batches = batchesTo(t, port, 60_000, 1);
  assert.deepEqual(await outcomesOf(batches, '/1', '/2', '/3'), ['ok', 'SocketError: other side closed', 'ok']);
  assert.deepEqual(await outcomesOf(batches, '/4', '/5'), ['ok', 'ok']);
  // An idle connection that the server ended is not used again.
  sockets[1]!.destroy();
  await until(async () => (await outcomesOf(batches, '/6'))[0] === 'ok');
  assert.equal(sockets.length, 3);
});

test('what a server says it will not hear is sent again', async (t) => {
  const last = ok.replace('200 OK', '200 OK\r\nConnection: close');
  const { port, sockets } = await answering(t, (socket, connection, requests) => {
    if (connection === 1) socket.end(last);
    else socket.write(ok.repeat(requests));
  });
  const batches = batchesTo(t, port, 60_000, 1);
  assert.deepEqual(await outcomesOf(batches, '/1', '/2', '/3'), ['ok', 'ok', 'ok']);
  assert.equal(sockets.length, 2);
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
  await assert.rejects(batchesTo(t, port, 20).send(requestOf('/')), { name: 'HeadersTimeoutError' });
  const silent = batchesTo(t, port);
  const stop = new AbortController();
  const aborted = assert.rejects(silent.send(requestOf('/', stop.signal)), { name: 'AbortError' });
  stop.abort();
  await aborted;
  const closed = assert.rejects(silent.send(requestOf('/')), /closed/);
  silent.close();
  await closed;
  await assert.rejects(batchesTo(t, port).send(requestOf('/a b')), /invalid request path/);
  const smuggled = { ...requestOf('/'), headers: { A: 'b\r\nC: d' } };
  await assert.rejects(batchesTo(t, port).send(smuggled), /invalid A header/);
});
