import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { Agent, request as httpsRequest } from 'node:https';
import { connect as tcpConnect } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { ManualClock } from '../../base/clock.ts';
import { until } from '../../base/testing/until.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store } from '../../store/store.ts';
import type { PemPair } from '../identity/certificate-authority.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import type { DepartureOptions } from './departure.ts';

const path = '/api/v1/namespaces/default/configmaps';
const body = JSON.stringify({ metadata: { generateName: 'x-' } });

describe('a server that is left', { timeout: 60_000 }, () => {
  const undo: (() => unknown)[] = [];
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step();
  });

  async function start(departure: DepartureOptions = {}, store: Store = openMemoryStore()) {
    const server = await startTestServer(store, { tenants: ['a'], departure });
    const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
    undo.push(() => server.close());
    const alice = await server.authority.issueTenantUser('a', 'alice', ['system:masters']);
    return { server: server.server, test: server, port, alice };
  }

  function session({ test, port, alice }: { test: TestServer; port: number; alice: PemPair }): ClientHttp2Session {
    const made = connect(`https://127.0.0.1:${port}`, {
      ca: test.authority.certificatePem,
      cert: alice.certificatePem,
      key: alice.keyPem,
    });
    made.on('error', () => {});
    undo.push(() => made.destroy());
    return made;
  }

  async function read(stream: ClientHttp2Stream): Promise<{ code: number; headers: any; text: string }> {
    let text = '';
    stream.on('data', (chunk) => (text += chunk));
    const [headers] = await once(stream, 'response');
    if (!stream.closed) await once(stream, 'close');
    return { code: Number(headers[':status']), headers, text };
  }

  interface Answer {
    code: number;
    headers: NodeJS.Dict<string | string[]>;
    text: string;
    /** The connection had been used before. */
    reused: boolean;
  }
  /** Over one kept-alive HTTP/1.1 connection. */
  function plain(at: { test: TestServer; port: number; alice: PemPair }) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    undo.push(() => agent.destroy());
    return (wanted: string, method = 'GET', sent?: string): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const outgoing = httpsRequest(
          {
            ...{ host: '127.0.0.1', port: at.port, path: wanted, method, agent, ca: at.test.authority.certificatePem },
            ...{ cert: at.alice.certificatePem, key: at.alice.keyPem },
            headers: { 'content-type': 'application/json' },
          },
          (response) => {
            let text = '';
            response.on('data', (chunk) => (text += chunk));
            response.on('end', () =>
              resolve({
                code: response.statusCode!,
                headers: response.headers,
                text,
                reused: outgoing.reusedSocket,
              }),
            );
          },
        );
        outgoing.on('error', reject);
        outgoing.end(sent);
      });
  }

  const isListening = (port: number) =>
    new Promise<boolean>((resolve) => {
      const socket = tcpConnect(port, '127.0.0.1');
      socket.on('connect', () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });

  /** Its commits wait for `open`, once they are told to. */
  function gated() {
    const store = openMemoryStore();
    let gate: PromiseWithResolvers<void> | undefined;
    let waiting = 0;
    const proxy = new Proxy(store, {
      get(target, name) {
        const value = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        if (name !== 'commit') return value.bind(target);
        return async (transaction: never) => {
          if (gate !== undefined) {
            waiting++;
            await gate.promise;
          }
          return target.commit(transaction);
        };
      },
    });
    return {
      store: proxy,
      shut: () => void (gate = Promise.withResolvers()),
      open: () => gate!.resolve(),
      waiting: () => waiting,
    };
  }

  it('serves on while /readyz fails, asks its clients to go, and waits for what is under way', async () => {
    const gate = gated();
    const clock = new ManualClock();
    const at = await start({ clock }, gate.store);
    const get = plain(at);
    const client = session(at);
    const watch = client.request({ ':path': `${path}?watch=true` });
    await once(watch, 'response');
    watch.resume();
    const watchEnded = once(watch, 'end');
    assert.equal((await get('/readyz')).text, 'ok');
    assert.equal((await get('/readyz/shutdown')).text, 'ok');

    let goneAway = false;
    client.on('goaway', () => (goneAway = true));
    const leaving = at.server.leave({ delayMs: 10_000, drainMs: 30_000 });
    assert.equal((await get('/readyz')).code, 500);
    assert.match((await get('/readyz?verbose')).text, /^\[-\]shutdown failed: reason withheld$/m);
    assert.equal((await get('/livez')).code, 200);
    const during = await get(path);
    assert.deepEqual([during.code, during.headers['connection'], goneAway], [200, 'keep-alive', false]);
    gate.shut();
    const creating = client.request({ ':path': path, ':method': 'POST', 'content-type': 'application/json' });
    creating.end(body);
    const created = read(creating);
    await until(() => gate.waiting() === 1);
    clock.advance(8_999);
    assert.equal((await get(path)).headers['connection'], 'keep-alive');

    clock.advance(1);
    await until(() => goneAway);
    const parting = await get(path);
    assert.deepEqual([parting.code, parting.headers['connection']], [200, 'close']);
    assert.equal(watch.closed, false, 'watches stay until it takes nothing new');
    clock.advance(1_000);
    await watchEnded;
    await until(async () => !(await isListening(at.port)));
    gate.open();
    assert.equal((await created).code, 201);
    await leaving;
  });

  it('ends watches one after the other, if it is to, and takes none meanwhile', async () => {
    const clock = new ManualClock();
    const at = await start({ clock, watchGraceMs: 10_000 });
    const client = session(at);
    let open = 0;
    const count = 30;
    const ended: Promise<unknown>[] = [];
    for (let index = 0; index < count; index++) {
      const watch = client.request({ ':path': `${path}?watch=true` });
      await once(watch, 'response');
      watch.resume();
      open++;
      ended.push(once(watch, 'end').then(() => open--));
    }
    const left = client.request({ ':path': `${path}?watch=true` });
    await once(left, 'response');
    left.destroy();
    await once(left, 'close');
    const leaving = at.server.leave({ delayMs: 0, drainMs: 30_000 });
    // 200 a second, a step each 50 ms.
    await until(() => open === count - 10);
    const late = await read(session(at).request({ ':path': `${path}?watch=true` }));
    assert.equal(late.code, 503);
    assert.equal(open, count - 10);
    clock.advance(50);
    await until(() => open === count - 20);
    clock.advance(50);
    await Promise.all(ended);
    clock.advance(50);
    await leaving;
    assert.equal(await isListening(at.port), false);
  });

  it('gives up on what takes too long', async () => {
    const gate = gated();
    const at = await start({}, gate.store);
    gate.shut();
    const creating = session(at).request({ ':path': path, ':method': 'POST', 'content-type': 'application/json' });
    creating.on('error', () => {});
    creating.end(body);
    await until(() => gate.waiting() === 1);
    await at.server.leave({ delayMs: 0, drainMs: 50 });
    await until(() => creating.destroyed);
    gate.open();
  });

  it('tells who comes too late to try again, if it is to', async () => {
    const gate = gated();
    const at = await start({ sendRetryAfter: true }, gate.store);
    const get = plain(at);
    gate.shut();
    const creating = session(at).request({ ':path': path, ':method': 'POST', 'content-type': 'application/json' });
    creating.end(body);
    const created = read(creating);
    await until(() => gate.waiting() === 1);
    const leaving = at.server.leave({ delayMs: 0, drainMs: 30_000 });
    const late = await get(path);
    assert.deepEqual(
      [late.code, late.text, late.headers['retry-after'], late.headers['connection'], late.headers['content-type']],
      [429, 'The apiserver is shutting down, please try again later.\n', '5', 'close', 'text/plain; charset=utf-8'],
    );
    assert.equal((await get('/livez')).code, 200, 'health goes on');
    gate.open();
    assert.equal((await created).code, 201);
    await leaving;
    assert.equal(await isListening(at.port), false);
  });

  it('whose store is silent ends its watches, begins no new ones, and ends connections with their answers', async () => {
    const at = await start();
    const get = plain(at);
    await get(path);
    const client = session(at);
    const watch = client.request({ ':path': `${path}?watch=true` });
    await once(watch, 'response');
    watch.resume();
    const ended = Promise.all([once(watch, 'end'), once(client, 'goaway'), once(client, 'close')]);
    at.server.storeIsSilent(true);
    await ended;
    const refused = await read(session(at).request({ ':path': `${path}?watch=true` }));
    assert.deepEqual([refused.code, refused.headers['retry-after']], [503, '1']);
    assert.equal(JSON.parse(refused.text).reason, 'ServiceUnavailable');
    const silent = await get(path);
    assert.deepEqual([silent.reused, silent.headers['connection']], [true, 'close']);

    at.server.storeIsSilent(false);
    await get(path);
    const heard = await get(path);
    assert.deepEqual([heard.code, heard.reused, heard.headers['connection']], [200, true, 'keep-alive']);
    const again = session(at).request({ ':path': `${path}?watch=true` });
    const [{ ':status': code }] = (await once(again, 'response')) as [{ ':status': number }];
    assert.equal(code, 200);
  });

  it('sends a GOAWAY by chance, over HTTP/2 alone, and lets what is under way go on', async () => {
    let next = 1;
    const at = await start({ goawayChance: 0.02, random: () => next });
    const client = session(at);
    assert.equal((await read(client.request({ ':path': path }))).code, 200);
    assert.equal(client.closed, false);
    const watch = client.request({ ':path': `${path}?watch=true` });
    await once(watch, 'response');
    next = 0.01;
    const goaway = once(client, 'goaway');
    assert.equal((await read(client.request({ ':path': path }))).code, 200);
    await goaway;
    const get = plain(at);
    assert.equal((await get(path, 'POST', body)).headers['connection'], 'keep-alive');
    const [event] = (await once(watch, 'data')) as [Buffer];
    assert.match(event.toString(), /"type":"ADDED"/);
  });
});
