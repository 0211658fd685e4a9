import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { ManualClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { ReviewClient } from '../webhooks/review-client.ts';
import { AuditWebhook } from './webhook-backend.ts';

describe('audit events that are posted', () => {
  const backendFor = (post: (list: any) => Promise<any>) => {
    const clock = new ManualClock();
    const client = { post, close: () => {} };
    return { clock, backend: new AuditWebhook({ client, maxWaitMs: 30_000, clock, logger: silentLogger }) };
  };

  it('arrive in lists, at a server that says nothing', async (t) => {
    const lists: any[] = [];
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      lists.push(JSON.parse(Buffer.concat(chunks).toString()));
      response.end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/audit`);
    const client = new ReviewClient({ url }, { timeoutMs: 10_000, ignoresAnswer: true });
    const backend = new AuditWebhook({ client, maxWaitMs: 30_000, clock: new ManualClock(), logger: silentLogger });
    const event = { stage: 'RequestReceived' };
    backend.write(event);
    event.stage = 'ResponseComplete';
    backend.write(event, 'red');
    await backend.close();
    assert.deepEqual(lists, [
      {
        kind: 'EventList',
        apiVersion: 'audit.k8s.io/v1',
        metadata: {},
        items: [{ stage: 'RequestReceived' }, { stage: 'ResponseComplete' }],
      },
    ]);
    assert.equal(backend.dropped, 0);
  });

  it('wait for others, but not for long, and not when they are many', async () => {
    const sizes: number[] = [];
    const { clock, backend } = backendFor(async ({ items }) => void sizes.push(items.length));
    backend.write({ a: 1 });
    assert.deepEqual(sizes, []);
    clock.advance(30_000);
    assert.deepEqual(sizes, [1]);
    await backend.flush();
    for (let index = 0; index < 401; index++) backend.write({ index });
    assert.deepEqual(sizes, [1, 400]);
    await backend.flush();
    assert.deepEqual(sizes, [1, 400, 1]);
  });

  it('are lost, and counted, where nobody takes them; a flood loses its own', async () => {
    let release = () => {};
    const held = new Promise<void>((done) => (release = done));
    let posted = 0;
    const { clock, backend } = backendFor(async ({ items }) => {
      if (posted === 0) await held;
      posted += items.length;
    });
    backend.write({ first: true });
    clock.advance(30_000);
    const large = { text: 'x'.repeat(1024 * 1024) };
    for (let index = 0; index < 10; index++) backend.write(large, 'red');
    const lost = backend.dropped;
    assert.ok(lost >= 2, String(lost));
    backend.write({ of: 'another' }, 'blue');
    assert.equal(backend.dropped, lost);
    release();
    await backend.flush();
    assert.equal(posted, 12 - lost);

    const silent = backendFor(() => new Promise(() => {}));
    silent.backend.write({});
    const closing = silent.backend.close();
    silent.clock.advance(5_000);
    await closing;

    const refused = backendFor(() => Promise.reject(new Error('gone')));
    refused.backend.write({});
    await refused.backend.flush();
    assert.equal(refused.backend.dropped, 1);
  });
});
