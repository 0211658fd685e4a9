// A webhook is a server of a tenant's: whatever it does, the call ends in its time, with an error, and holds no more than it may.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { until } from '../../base/testing/until.ts';
import { conduct, type HostileServer, startHostileServer } from './testing/hostile-server.ts';
import { createWebhookClient, type WebhookClient } from './webhook-client.ts';

const review = '{"response":{"allowed":true}}';

describe('a webhook that means harm', { timeout: 60_000 }, () => {
  let server: HostileServer;
  let client: WebhookClient;

  before(async () => {
    server = await startHostileServer('hook.shop.svc', () => review);
    client = createWebhookClient({ dialService: async () => connect(server.port, '127.0.0.1') });
  });
  after(async () => {
    client.close();
    await server.close();
  });

  const ask = (path: string, timeoutMs = 300) =>
    client.post(
      { tenant: 'red', service: { namespace: 'shop', name: 'hook', path, port: 443 }, caBundle: server.caBundle },
      {},
      { timeoutMs },
    );

  for (const [path, [, message]] of Object.entries(conduct)) {
    it(`ends a call of ${path.slice(1)}`, async () => {
      // What sends without end is cut off by what it sends; the time is for a busy machine.
      const timeoutMs = ['/endless-body', '/endless-continue', '/endless-headers', '/deep-json'].includes(path)
        ? 20_000
        : 300;
      await assert.rejects(ask(path, timeoutMs), { name: 'WebhookCallError', message });
    });
  }

  it('leaves no connection behind, and the next call well', async () => {
    assert.deepEqual(await ask('/well', 5000), JSON.parse(review));
    await until(() => server.connections() <= 1);
  });
});
