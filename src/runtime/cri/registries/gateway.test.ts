import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { listenLocally } from '../../../base/testing/local-server.ts';
import { RegistryGateway } from './gateway.ts';
import { leadsElsewhere } from './inspect-manifest.ts';
import { addressOfRegistry, parseRegistries, registryOf } from './policy.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

interface Fake {
  server: Server;
  address: string;
  asked: IncomingMessage[];
  handle: Handler;
}

async function startFake(): Promise<Fake> {
  const fake = { asked: [] as IncomingMessage[], handle: (_, response) => void response.end() } as Fake;
  fake.server = createServer((request, response) => {
    fake.asked.push(request);
    fake.handle(request, response);
  });
  fake.address = `127.0.0.1:${await listenLocally(fake.server)}`;
  return fake;
}

describe('the way of images', { timeout: 30_000 }, () => {
  let directory: string;
  let registry: Fake;
  let secret: Fake;
  let gateway: RegistryGateway;
  let origin: string;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'registries-'));
    registry = await startFake();
    secret = await startFake();
    gateway = new RegistryGateway(parseRegistries(`public,${registry.address}`), directory);
    await gateway.start();
    origin = /server = "(.*)"/.exec(readFileSync(join(directory, '_default/hosts.toml'), 'utf8'))![1]!;
  });
  after(() => {
    gateway.close();
    for (const { server } of [registry, secret]) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => {
    registry.asked.length = 0;
    secret.asked.length = 0;
  });

  const ask = async (path: string, ns = registry.address, init: RequestInit = {}) => {
    const response = await fetch(`${origin}${path}?ns=${encodeURIComponent(ns)}`, init);
    return { code: response.status, headers: response.headers, text: await response.text() };
  };

  it('leads to what the operator lists', async () => {
    registry.handle = (request, response) => {
      response.setHeader('docker-content-digest', 'sha256:1');
      response.setHeader('content-type', 'application/vnd.oci.image.manifest.v1+json');
      response.end(JSON.stringify({ path: request.url, by: request.headers.authorization }));
    };
    const { code, headers, text } = await ask('/v2/a/manifests/1', registry.address, {
      headers: { authorization: 'Basic x' },
    });
    assert.deepEqual([code, text], [200, '{"path":"/v2/a/manifests/1","by":"Basic x"}']);
    assert.equal(headers.get('docker-content-digest'), 'sha256:1');
    assert.equal(gateway.refusal(registry.address), undefined);
  });

  it('leads nowhere else by a name', async () => {
    for (const name of [secret.address, 'localhost:1', '10.0.0.1', '169.254.169.254', '[::1]:5000', 'x'.repeat(3)]) {
      const { code } = await ask('/v2/a/manifests/1', name);
      assert.ok(code === 403 || code === 502, name);
    }
    assert.equal(secret.asked.length, 0);
    assert.match(gateway.refusal(secret.address)!, /is at no public address, and not among those that the operator/);
    assert.equal(gateway.refusal('registry.example.com'), undefined);
    const strict = new RegistryGateway(parseRegistries('docker.io:443,registry-1.docker.io'), directory);
    assert.match(strict.refusal('quay.io')!, /is not among those that the operator allows/);
    assert.equal(strict.refusal('docker.io'), undefined);
  });

  it('leads nowhere else by a redirection', async () => {
    registry.handle = (_, response) => response.writeHead(307, { location: `http://${secret.address}/private` }).end();
    const { code, text } = await ask('/v2/a/blobs/sha256:1');
    assert.equal(code, 403);
    assert.match(text, /is not taken/);
    assert.equal(secret.asked.length, 0);
    registry.handle = (_, response) => response.writeHead(302, { location: 'https://169.254.169.254/' }).end();
    assert.equal((await ask('/v2/a/blobs/sha256:1')).code, 403);
    let hops = 0;
    registry.handle = (request, response) => {
      if (hops++ === 0) return response.writeHead(302, { location: '/v2/a/blobs/moved' }).end();
      return response.end(String(request.headers.authorization));
    };
    const moved = await ask('/v2/a/blobs/sha256:1', registry.address, { headers: { authorization: 'Bearer t' } });
    assert.equal(moved.text, 'Bearer t', 'on the same server');
  });

  it('leads nowhere else for tokens', async () => {
    const challenged = async (challenge: string) => {
      registry.handle = (_, response) => response.writeHead(401, { 'www-authenticate': challenge }).end();
      return (await ask('/v2/a/manifests/1')).headers.get('www-authenticate')!;
    };
    for (const challenge of [
      `Bearer realm="http://${secret.address}/token",service="s",scope="x"`,
      `bearer   Realm=http://${secret.address}/token , service=s`,
      `Basic realm="b", Bearer realm="http://${secret.address}/token",service="s"`,
    ]) {
      const given = await challenged(challenge);
      const realm = /realm="([^"]*)"/.exec(given)![1]!;
      assert.ok(realm.startsWith(`${origin}/token/`), given);
      assert.equal((await fetch(`${realm}?service=s`)).status, 403);
    }
    assert.equal(await challenged(`Basic realm="http://${secret.address}"`), 'Basic realm="registry"');
    assert.equal(await challenged('Digest realm="x"'), null);
    assert.equal(secret.asked.length, 0);

    const given = await challenged(`Bearer realm="http://${registry.address}/token?own=1",service="s"`);
    registry.handle = (request, response) => response.end(JSON.stringify({ token: request.url }));
    const realm = /realm="([^"]*)"/.exec(given)![1]!;
    const ofOthers = realm.replace(
      /token\/[\w-]+/,
      `token/${Buffer.from('registry.example.com').toString('base64url')}`,
    );
    assert.equal((await fetch(ofOthers)).status, 403, 'what is listed is for who is listed');
    const answer = await fetch(`${realm}?service=s&scope=x`, { headers: { authorization: 'Basic x' } });
    assert.deepEqual(await answer.json(), { token: '/token?own=1&service=s&scope=x' });
    assert.equal(registry.asked.at(-1)!.headers.authorization, 'Basic x');
  });

  it('lets no manifest name other places, however it writes them', async () => {
    for (const text of [
      '{"layers":[{"urls":["http://x"]}]}',
      '{"layers":[{"\\u0075rls" : [ "http://x"]}]}',
      '{"layers":[{"URLs":["http://x"]}]}',
      '{"layers":[{"url\u017f":["http://x"]}]}',
      '{"config":{"urls":["http://x"]},"config":{}}',
    ]) {
      assert.equal(leadsElsewhere(text), true, text);
    }
    for (const text of ['{"layers":[{"urls":[]}]}', '{"label":"\\"urls\\":[\\"x\\"]"}', '{"url":["x"]}']) {
      assert.equal(leadsElsewhere(text), false, text);
    }
    const answers = async (body: string | Buffer, more: Record<string, string> = {}) => {
      registry.handle = (_, response) => response.writeHead(200, more).end(body);
      return (await ask('/v2/a/blobs/sha256:1')).code;
    };
    assert.equal(await answers(' \n{"layers":[{"urls":["http://x"]}]}'), 403, 'as a blob too');
    assert.equal(await answers('{"layers":[{"ur'), 403, 'half of one');
    assert.equal(await answers('  '), 403);
    assert.equal(await answers('{"a":1}', { 'content-encoding': 'gzip' }), 502);
    assert.equal(await answers(`{"a":"${'x'.repeat(9 * 1024 * 1024)}"}`), 403, 'longer than any');
    assert.equal(await answers('{"a":1}'), 200);
    assert.equal(await answers(''), 200);
  });

  it('carries what is large, whole', async () => {
    const blob = Buffer.alloc(20 * 1024 * 1024, 7);
    registry.handle = (request, response) => {
      assert.equal(request.headers.range, undefined);
      response.writeHead(200, { 'content-length': blob.length }).end(blob);
    };
    const { code, headers, text } = await ask('/v2/a/blobs/sha256:1', registry.address, {
      headers: { range: 'bytes=1-' },
    });
    assert.deepEqual([code, headers.get('content-length'), text.length], [200, String(blob.length), blob.length]);
  });

  it('explains failures as if it were not there', async () => {
    const { port } = registry.server.address() as AddressInfo;
    const closed = `127.0.0.1:${port}`;
    registry.handle = (request) => request.socket.destroy();
    assert.equal((await ask('/v2/a/manifests/1')).code, 502);
    const told = gateway.explain(
      `failed to resolve reference "${closed}/a:1": unexpected status from HEAD request to ${origin}/v2/a/manifests/1?ns=127.0.0.1%3A${port}: 502 Bad Gateway`,
      closed,
    );
    assert.equal(
      told,
      `failed to resolve reference "${closed}/a:1": failed to do request: Head "https://${closed}/v2/": socket hang up`,
    );
  });
});

describe('lists of registries', () => {
  it('are read', () => {
    assert.deepEqual(parseRegistries('public, 127.0.0.1:* ,http://10.0.0.5:5000,*.Example.com,[::1]:5000'), {
      any: false,
      public: true,
      listed: [
        { host: '127.0.0.1', port: undefined, isPlain: true },
        { host: '10.0.0.5', port: 5000, isPlain: true },
        { host: '*.example.com', port: 443, isPlain: false },
        { host: '::1', port: 5000, isPlain: true },
      ],
    });
    for (const bad of ['ftp://x', 'a b', 'x:99999999', 'user@x'])
      assert.throws(() => parseRegistries(bad), /is no registry/);
  });

  it('know whom a name means', () => {
    const policy = parseRegistries('http://plain.example.com:5000');
    assert.deepEqual(addressOfRegistry('docker.io', policy), {
      host: 'registry-1.docker.io',
      port: 443,
      isPlain: false,
    });
    assert.deepEqual(addressOfRegistry('plain.example.com:5000', policy)!.isPlain, true);
    assert.deepEqual(addressOfRegistry('127.0.0.1:5055', policy), { host: '127.0.0.1', port: 5055, isPlain: true });
    for (const bad of ['', 'a/b', 'a@b', 'a b', 'a:b']) assert.equal(addressOfRegistry(bad, policy), undefined, bad);
    assert.deepEqual(
      ['nginx', 'library/nginx:1', 'quay.io/a/b', 'localhost/a', 'host:5000/a', 'index.docker.io/library/a'].map(
        registryOf,
      ),
      ['docker.io', 'docker.io', 'quay.io', 'localhost', 'host:5000', 'docker.io'],
    );
  });
});
