import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { notFound } from '../../api/status.ts';
import { isPublic } from '../../base/public-address.ts';
import { listenLocally } from '../../base/testing/local-server.ts';
import { RawAnswer, startWebhookServer, type WebhookServer } from './testing/webhook-server.ts';
import { createWebhookClient, type WebhookClient } from './webhook-client.ts';

describe('the webhook client', () => {
  let server: WebhookServer;
  let client: WebhookClient;
  const toClose: (() => unknown)[] = [];
  before(async () => {
    server = await startWebhookServer(['hook.shop.svc']);
    server.handlers['/echo'] = ({ body }) => ({ got: body });
    client = createWebhookClient({
      async dialService({ name, namespace, tenant, port }) {
        assert.equal(tenant, 'red');
        if (name === 'gone') throw notFound({ group: '', resource: 'services' }, name);
        assert.equal(`${namespace}:${port}`, 'shop:443');
        return connect(server.port, '127.0.0.1');
      },
    });
  });
  after(async () => {
    client.close();
    await server.close();
    for (const close of toClose) await close();
  });

  const target = (more: object = {}, name = 'hook') => ({
    tenant: 'red',
    service: { namespace: 'shop', name, path: '/echo', port: 443, ...more },
    caBundle: server.caBundle,
  });
  const fails = (given: Parameters<WebhookClient['post']>[0], message: string | RegExp, timeoutMs = 5000) =>
    assert.rejects(client.post(given, {}, { timeoutMs }), { name: 'WebhookCallError', message });

  it('posts JSON to a service, over connections that stay', async () => {
    const before = server.connections();
    for (let n = 0; n < 5; n++)
      assert.deepEqual(await client.post(target(), { n }, { timeoutMs: 2500 }), { got: { n } });
    assert.equal(server.connections(), before + 1);
    const { path, headers } = server.calls.at(-1)!;
    assert.equal(path, '/echo?timeout=3s');
    assert.equal(headers['host'], 'hook.shop.svc:443');
    assert.equal(headers['content-type'], 'application/json');
  });

  it('shares no connection with another tenant or authority', async () => {
    const other = await startWebhookServer([]);
    toClose.push(other.close);
    await fails(
      { ...target(), caBundle: other.caBundle },
      'Post "https://hook.shop.svc:443/echo?timeout=5s": tls: failed to verify certificate: x509: certificate signed by unknown authority',
    );
  });

  it('says what went wrong as Go would', async () => {
    const at = 'Post "https://hook.shop.svc:443';
    await fails(target({}, 'gone'), 'Post "https://gone.shop.svc:443/echo?timeout=5s": service "gone" not found');
    await fails(
      target({}, 'other'),
      /^Post "https:\/\/other.shop.svc:443\/echo\?timeout=5s": tls: failed to verify certificate: x509: certificate is valid for .*hook.shop.svc, not other.shop.svc$/,
    );
    await fails({ ...target(), caBundle: undefined } as never, /certificate signed by unknown authority$/);
    await fails(target({ path: '/nowhere' }), 'the server could not find the requested resource');
    server.handlers['/broken'] = () => new RawAnswer(500, 'kaputt');
    await fails(
      target({ path: '/broken' }),
      'an error on the server ("kaputt") has prevented the request from succeeding',
    );
    server.handlers['/text'] = () => new RawAnswer(200, 'hello');
    await fails(target({ path: '/text' }), /^couldn't get version\/kind; json parse error: /);
    server.handlers['/slow'] = () => new Promise(() => {});
    await fails(target({ path: '/slow' }), `${at}/slow?timeout=1s": context deadline exceeded`, 50);
  });

  it('reads no more of an answer than it allows', async () => {
    server.handlers['/large'] = () => ({ text: 'x'.repeat(10_000) });
    const large = client.post(target({ path: '/large' }), {}, { timeoutMs: 5000, responseLimitBytes: 5000 });
    await assert.rejects(large, /the response is larger than 5000 bytes/);
  });

  it('tries again when an idle connection was closed just then', async () => {
    const alone = await startWebhookServer(['hook.shop.svc']);
    toClose.push(alone.close);
    const own = createWebhookClient({ dialService: async () => connect(alone.port, '127.0.0.1') });
    const given = { ...target(), caBundle: alone.caBundle };
    alone.handlers['/echo'] = (call) => {
      if (alone.calls.length === 2) call.cut();
      return { ok: alone.calls.length };
    };
    await own.post(given, {}, { timeoutMs: 5000 });
    assert.deepEqual(await own.post(given, {}, { timeoutMs: 5000 }), { ok: 3 });
    assert.equal(alone.connections(), 2);
    // A fresh connection that is cut is an answer of its own.
    alone.handlers['/echo'] = (call) => call.cut();
    await assert.rejects(own.post(given, {}, { timeoutMs: 5000 }), /EOF$/);
    own.close();
  });

  it('waits no longer for a handshake than it may', async () => {
    let hungUp: (() => void) | undefined;
    const left = new Promise<void>((resolve) => (hungUp = resolve));
    const silent = createServer((socket) => void socket.on('close', () => hungUp!()).resume());
    const silentPort = await listenLocally(silent);
    const own = createWebhookClient({
      dialService: async () => connect(silentPort, '127.0.0.1'),
    });
    await assert.rejects(own.post(target(), {}, { timeoutMs: 50 }), /context deadline exceeded$/);
    own.close();
    await left;
    silent.close();
  });

  it('leads no URL into the platform’s own network', async () => {
    for (const host of [
      '127.0.0.1',
      '10.1.2.3',
      '169.254.169.254',
      '[::1]',
      '[fd00::1]',
      '[::ffff:10.0.0.1]',
      '0.0.0.0',
    ]) {
      await fails(
        { tenant: 'red', url: `https://${host}:${server.port}/echo`, caBundle: server.caBundle },
        /is no address of the Internet/,
      );
    }
    for (const address of ['8.8.8.8', '2606:4700:4700::1111', '192.0.3.1'])
      assert.equal(isPublic(address), true, address);
    for (const address of [
      '100.64.0.1',
      '224.0.0.1',
      '255.255.255.255',
      '64:ff9b::a00:1',
      '2002:a00:1::',
      'fe80::1',
      'x',
    ]) {
      assert.equal(isPublic(address), false, address);
    }
  });

  it('follows a URL where the operator allows private addresses', async () => {
    const own = createWebhookClient({
      dialService: () => assert.fail('no service is meant'),
      egress: { allowPrivateAddresses: true },
    });
    const given = { tenant: 'red', url: `https://127.0.0.1:${server.port}/echo`, caBundle: server.caBundle };
    assert.deepEqual(await own.post(given, { a: 1 }, { timeoutMs: 5000 }), { got: { a: 1 } });
    own.close();
  });
});
