import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { after, before, test as check, describe, it } from 'node:test';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { ManualClock } from '../../base/clock.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { type ApiCaller, apiCaller } from '../testing/api-caller.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import type { PemPair } from './certificate-authority.ts';
import { fixedLengthSignature, ServiceAccountTokens, TokenRefused } from './service-account-tokens.ts';

const startMs = Date.UTC(2026, 0, 1);
const minuteMs = 60_000;

describe('tokens of service accounts', { timeout: 60_000 }, () => {
  let test: TestServer;
  let clock: ManualClock;
  let call: ApiCaller;
  let alice: PemPair;

  before(async () => {
    // Certificates look at the true time.
    clock = new ManualClock(Date.now());
    test = await startTestServer(openMemoryStore(), { tenants: ['red', 'blue'], clock });
    const { port } = await test.server.listen({ host: '127.0.0.1', port: 0 });
    alice = await test.authority.issueTenantUser('red', 'alice', ['system:masters']);
    call = apiCaller(port, test.authority.certificatePem, alice);
    await create('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'builder' } });
  });
  after(() => test.close());

  async function create(path: string, body: object) {
    const { code, json } = await call('POST', path, { body });
    assert.equal(code, 201, JSON.stringify(json));
    return json;
  }
  const ask = (spec: object, metadata: object = {}) =>
    call('POST', '/api/v1/namespaces/default/serviceaccounts/builder/token', {
      body: { kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1', metadata, spec },
    });
  const token = async (spec: object = {}) => (await ask(spec)).json.status.token as string;
  const review = async (of: string, audiences: string[] = [], as = alice) => {
    const body = {
      kind: 'TokenReview',
      apiVersion: 'authentication.k8s.io/v1',
      spec: { token: of, ...(audiences.length > 0 && { audiences }) },
    };
    return (await call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { body, as })).json.status;
  };
  const pod = (name: string) =>
    create('/api/v1/namespaces/default/pods', {
      metadata: { name },
      spec: { serviceAccountName: 'builder', nodeName: 'n1', containers: [{ name: 'a', image: 'a' }] },
    });
  const remove = (path: string) => call('DELETE', path, { body: { gracePeriodSeconds: 0 } });

  it('are good for their audiences, and say so', async () => {
    const own = 'https://kubernetes.default.svc.cluster.local/clusters/red';
    assert.deepEqual((await review(await token())).audiences, [own]);
    const vault = await token({ audiences: ['vault', 'db'] });
    assert.deepEqual((await review(vault, ['db', 'x'])).audiences, ['db']);
    assert.deepEqual(await review(vault), {
      user: {},
      error: `[invalid bearer token, token audiences ["vault" "db"] is invalid for the target audiences ["${own}" "https://kubernetes.default.svc"]]`,
    });
    const bearer = { authorization: `Bearer ${vault}` };
    const anonymous = apiCaller(
      (await test.server.listen({ host: '127.0.0.1', port: 0 })).port,
      test.authority.certificatePem,
      undefined,
    );
    assert.equal((await anonymous('GET', '/api/v1/pods', { headers: bearer })).code, 401);
  });

  it('tell other tenants nothing', async () => {
    const bob = await test.authority.issueTenantUser('blue', 'bob', ['system:masters']);
    const expected = { user: {}, error: 'invalid bearer token' };
    assert.deepEqual(await review(await token(), [], bob), expected);
    assert.deepEqual(await review(await token({ audiences: ['x'] }), ['x'], bob), expected);
  });

  it('end with the very object they are bound to', async () => {
    const gone = '[invalid bearer token, service account token has been invalidated]';
    const ends = async (kind: string, path: string, name: string, make: () => Promise<any>, uidError?: RegExp) => {
      const { metadata } = await make();
      const bound = await token({ boundObjectRef: { kind, apiVersion: 'v1', name, uid: metadata.uid } });
      assert.equal((await review(bound)).authenticated, true, kind);
      await remove(`${path}/${name}`);
      assert.deepEqual(await review(bound), { user: {}, error: gone }, kind);
      await make();
      assert.match((await review(bound)).error, uidError ?? /./, kind);
      const stale = await ask({ boundObjectRef: { kind, apiVersion: 'v1', name, uid: metadata.uid } });
      assert.equal(stale.code, 409);
      assert.match(stale.json.message, /does not match the UID in record/);
      // Any version of the core's kinds, as upstream.
      assert.equal((await ask({ boundObjectRef: { kind, apiVersion: 'v2', name } })).code, 201);
      assert.equal((await ask({ boundObjectRef: { kind, apiVersion: 'apps/v1', name } })).code, 400);
    };
    const uids = '[0-9a-f-]{36}';
    await ends(
      'Secret',
      '/api/v1/namespaces/default/secrets',
      's',
      () => create('/api/v1/namespaces/default/secrets', { metadata: { name: 's' } }),
      new RegExp(`secret UID \\(${uids}\\) does not match service account secret ref claim \\(${uids}\\)`),
    );
    await ends(
      'Node',
      '/api/v1/nodes',
      'own-node',
      () => create('/api/v1/nodes', { metadata: { name: 'own-node' } }),
      new RegExp(`node UID \\(${uids}\\) does not match service account node ref claim \\(${uids}\\)`),
    );
    await ends('Pod', '/api/v1/namespaces/default/pods', 'p', () => pod('p'), /pod UID .* pod ref claim/);
    await remove('/api/v1/namespaces/default/pods/p');
  });

  it('end with their account', async () => {
    const make = () => create('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'short' } });
    await make();
    const path = '/api/v1/namespaces/default/serviceaccounts/short';
    const { json } = await call('POST', `${path}/token`, { body: { spec: {} } });
    const held: string = json.status.token;
    assert.equal((await review(held)).authenticated, true);
    await remove(path);
    assert.equal((await review(held)).error, '[invalid bearer token, serviceaccounts "short" not found]');
    await make();
    assert.match(
      (await review(held)).error,
      /^\[invalid bearer token, service account UID \(.*\) does not match claim \(.*\)\]$/,
    );
  });

  it('are given for the account that was meant', async () => {
    const { json: account } = await call('GET', '/api/v1/namespaces/default/serviceaccounts/builder');
    const right = await ask({}, { uid: account.metadata.uid });
    assert.deepEqual([right.code, right.json.metadata.uid], [201, account.metadata.uid]);
    const wrong = await ask({}, { uid: 'another' });
    assert.equal(wrong.code, 409);
    assert.match(
      wrong.json.message,
      /the UID in the token request \(another\) does not match the UID of the service account/,
    );
    assert.equal((await ask({}, { namespace: 'kube-system' })).code, 400);
  });

  it('of pods live on for clients that never read theirs anew', async () => {
    const { metadata } = await pod('old');
    const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: 'old', uid: metadata.uid };
    const seconds = async (spec: object) => {
      const { json } = await ask(spec);
      const claims: any = decodeJwt(json.status.token);
      const told = (Date.parse(json.status.expirationTimestamp) - clock.now()) / 1000;
      return [claims.exp - claims.iat, (claims['kubernetes.io'].warnafter ?? claims.iat) - claims.iat, Math.ceil(told)];
    };
    assert.deepEqual(await seconds({ boundObjectRef, expirationSeconds: 3607 }), [365 * 24 * 3600, 3607, 3607]);
    assert.deepEqual(await seconds({ boundObjectRef, expirationSeconds: 3600 }), [3600, 0, 3600]);
    assert.deepEqual(await seconds({ expirationSeconds: 3607 }), [3607, 0, 3607]);
    const vault = { boundObjectRef, expirationSeconds: 3607, audiences: ['vault'] };
    assert.deepEqual(await seconds(vault), [3607, 0, 3607]);
  });

  it('end in time, with a minute for clocks that differ', async () => {
    const held = await token({ expirationSeconds: 600 });
    clock.advance(10 * minuteMs + 50_000);
    assert.equal((await review(held)).authenticated, true);
    clock.advance(20_000);
    assert.equal((await review(held)).error, '[invalid bearer token, service account token has expired]');
  });
});

describe('the key of tokens', () => {
  const claims = {
    tenant: 'red',
    namespace: 'a',
    serviceAccount: { name: 'b', uid: 'c' },
    audiences: [],
    expirationSeconds: 600,
  };

  it('can be changed while tokens of the former one are about', async () => {
    const clock = new ManualClock(startMs);
    const [formerPem, pem] = [await ServiceAccountTokens.generateKeyPem(), await ServiceAccountTokens.generateKeyPem()];
    const former = await ServiceAccountTokens.load(formerPem, clock);
    const { token } = await former.sign(claims);
    const publicPem = createPublicKey(formerPem).export({ type: 'spki', format: 'pem' }).toString();
    const both = await ServiceAccountTokens.load(pem, clock, [publicPem, pem]);
    assert.equal((await both.verify(token))?.serviceAccount.name, 'b');
    const { kid } = decodeProtectedHeader((await both.sign(claims)).token);
    assert.deepEqual(
      both.keySet.keys.map((key) => key.kid),
      [kid, decodeProtectedHeader(token).kid],
    );
    const alone = await ServiceAccountTokens.load(pem, clock);
    await assert.rejects(alone.verify(token), TokenRefused);
  });

  it('is not that of what only looks like a token', async () => {
    const tokens = await ServiceAccountTokens.load(
      await ServiceAccountTokens.generateKeyPem(),
      new ManualClock(startMs),
    );
    const { token } = await tokens.sign(claims);
    const [head = '', body = '', signature = ''] = token.split('.');
    const forged = (header: object, payload = body, by = signature) =>
      `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}.${by}`;
    const blue = Buffer.from(Buffer.from(body, 'base64url').toString().replaceAll('red', 'blue')).toString('base64url');
    for (const bad of [
      forged({ alg: 'none' }, body, ''),
      forged({ alg: 'HS256' }),
      `${head}.${blue}.${signature}`,
      `${head}.${body}.`,
    ]) {
      await assert.rejects(tokens.verify(bad), TokenRefused);
    }
    for (const other of ['', 'a.b', 'a.b.c', `${token}.x`, 'x'.repeat(100_000)]) {
      assert.equal(await tokens.verify(other), undefined);
    }
  });
});

check('signatures are written at their full length, numbers that begin with zeros too', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
  const lengths = new Set<number>();
  for (let index = 0; index < 2000; index++) {
    const text = Buffer.from(String(index));
    const der = sign('sha256', text, privateKey);
    lengths.add(der.length);
    assert.ok(verify('sha256', text, key, fixedLengthSignature(der)), der.toString('hex'));
  }
  assert.ok(lengths.size > 2, 'short and long ones were among them');
});
