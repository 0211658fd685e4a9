import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import type { StatusError } from '../../api/status.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { startTestServer } from '../testing/test-server.ts';
import { TokenIssuers } from './token-issuers.ts';

test('each tenant has issuers of its own: the first signs, all are known', () => {
  const byDefault = new TokenIssuers();
  const [issuer] = byDefault.of('a');
  assert.equal(byDefault.tenantOf(issuer), 'a');
  assert.deepEqual(byDefault.defaultAudiences('a'), [issuer]);
  assert.deepEqual(byDefault.apiAudiences('a'), [issuer, 'https://kubernetes.default.svc']);
  assert.equal(byDefault.discovery('a')!.jwksUri, `${issuer}/openid/v1/jwks`);

  const own = new TokenIssuers({ serviceAccountIssuers: ['https://new.example/', 'old'] });
  assert.deepEqual(own.of('a'), ['https://new.example/clusters/a', 'old/clusters/a']);
  assert.equal(own.tenantOf('https://new.example/clusters/a'), 'a');
  assert.equal(own.tenantOf('old/clusters/b'), 'b');
  for (const other of [issuer, 'https://new.example', 'https://new.example/clusters/', 'old/clusters/a/clusters/b']) {
    assert.equal(own.tenantOf(other), undefined, other);
  }
  assert.deepEqual(own.defaultAudiences('a'), own.of('a'));
});

test('where keys are found is the operator’s word; an issuer that is no URL is not told of', () => {
  const jwksUri = 'https://keys.example/all';
  const elsewhere = new TokenIssuers({ serviceAccountIssuers: ['https://api.example'], jwksUri });
  assert.deepEqual(elsewhere.discovery('a'), { issuer: 'https://api.example/clusters/a', jwksUri });
  for (const odd of ['plain', 'http://api.example']) {
    assert.equal(new TokenIssuers({ serviceAccountIssuers: [odd] }).discovery('a'), undefined, odd);
  }
});

async function serve(tokenIssuers: object, store = openMemoryStore()) {
  const test = await startTestServer(store, { tenants: ['a'], tokenIssuers });
  const ask = <T = any>(method: 'GET' | 'POST', path: string, body?: object) =>
    test.transport.request<T>({ method, path: `/clusters/a${path}`, body });
  const tokens = '/api/v1/namespaces/default/serviceaccounts/default/token';
  const token = async (spec: object = {}) => (await ask('POST', tokens, { spec })).status.token as string;
  const review = async (of: string) =>
    (await ask('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: of } })).status;
  return { ...test, ask, token, tokens, review };
}

test('tokens carry the first issuer and all audiences of the API', async (t) => {
  const one = await serve({ serviceAccountIssuers: ['https://new.example', 'https://old.example'] });
  t.after(() => one.close());
  const token = await one.token();
  const { iss, aud } = decodeJwt(token);
  assert.equal(iss, 'https://new.example/clusters/a');
  assert.deepEqual(aud, ['https://new.example/clusters/a', 'https://old.example/clusters/a']);
  assert.equal((await one.review(token)).authenticated, true);
  assert.deepEqual((await one.review(await one.token({ audiences: ['https://kubernetes.default.svc'] }))).audiences, [
    'https://kubernetes.default.svc',
  ]);
});

test('audiences of the API are what the operator says', async (t) => {
  const one = await serve({ apiAudiences: ['api', 'also'] });
  t.after(() => one.close());
  const token = await one.token();
  assert.deepEqual(decodeJwt(token).aud, ['api', 'also']);
  assert.deepEqual((await one.review(token)).audiences, ['api', 'also']);
  assert.match((await one.review(await one.token({ audiences: ['https://kubernetes.default.svc'] }))).error, /invalid/);
});

test('no token is given for longer than the operator wants', async (t) => {
  const one = await serve({ maxExpirationSeconds: 3600 });
  t.after(() => one.close());
  const { spec, status } = await one.ask('POST', one.tokens, { spec: { expirationSeconds: 86_400 } });
  assert.equal(spec.expirationSeconds, 3600);
  const { exp, iat } = decodeJwt(status.token);
  assert.equal(exp! - iat!, 3600);
});

test('tokens of pods outlive their time, unless the operator says no', async (t) => {
  for (const [extendExpiration, seconds] of [
    [true, 365 * 24 * 3600],
    [false, 3607],
  ] as const) {
    const one = await serve({ extendExpiration });
    t.after(() => one.close());
    await one.ask('POST', '/api/v1/namespaces/default/pods', {
      metadata: { name: 'p' },
      spec: { containers: [{ name: 'a', image: 'a' }] },
    });
    const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: 'p' };
    const { exp, iat } = decodeJwt(await one.token({ expirationSeconds: 3607, boundObjectRef }));
    assert.equal(exp! - iat!, seconds);
  }
});

test('an issuer that cannot be found has no document', async (t) => {
  const one = await serve({ serviceAccountIssuers: ['plain'] });
  t.after(() => one.close());
  await assert.rejects(one.ask('GET', '/.well-known/openid-configuration'), ({ code }: StatusError) => code === 404);
  await assert.rejects(one.ask('GET', '/openid/v1/jwks'), ({ code }: StatusError) => code === 404);
});
