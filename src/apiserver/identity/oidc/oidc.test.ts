import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { JwtAuthenticator } from '../../../api/authentication/configuration.ts';
import { validateAuthentication } from '../../../api/authentication/validate.ts';
import { Findings } from '../../../api/validation/findings.ts';
import { openMemoryStore } from '../../../store/memory/memory-store.ts';
import { type ApiCaller, apiCaller } from '../../testing/api-caller.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';
import { TokenIssuers } from '../token-issuers.ts';
import { parseAuthenticationConfiguration } from './configuration-file.ts';
import { type Issuer, startIssuer } from './testing/issuer.ts';

describe('OpenID Connect', { timeout: 60_000 }, () => {
  let test: TestServer;
  let call: ApiCaller;
  let own: Issuer;
  let operators: Issuer;

  const authenticator = (issuer: Issuer, more: Partial<JwtAuthenticator> = {}): JwtAuthenticator => ({
    issuer: { url: issuer.url, certificateAuthority: issuer.caPem, audiences: ['skypod'] },
    claimMappings: { username: { claim: 'sub', prefix: 'oidc:' }, groups: { claim: 'roles', prefix: 'oidc:' } },
    ...more,
  });
  const setTenant = (name: string, jwt: object[]) =>
    test.transport.request({
      method: 'PATCH',
      path: `/clusters/system/apis/tenancy.skypod.io/v1alpha1/tenants/${name}`,
      body: { spec: { authentication: { jwt } } },
      contentType: 'application/merge-patch+json',
    });
  /** Who the API takes the bearer of a token for; the code when for nobody. */
  async function whoIs(token: string, tenant: string) {
    const { code, json } = await call('POST', `/clusters/${tenant}/apis/authentication.k8s.io/v1/selfsubjectreviews`, {
      body: { kind: 'SelfSubjectReview', apiVersion: 'authentication.k8s.io/v1' },
      headers: { authorization: `Bearer ${token}` },
    });
    return code === 201 ? json.status.userInfo : code;
  }

  before(async () => {
    own = await startIssuer();
    operators = await startIssuer();
    test = await startTestServer(openMemoryStore(), {
      tenants: ['red', 'blue', 'green'],
      authentication: {
        configuration: {
          jwt: [authenticator(operators)],
          anonymous: { enabled: true, conditions: [{ path: '/livez' }] },
        },
        egress: { allowPrivateAddresses: true },
      },
    });
    const { port } = await test.server.listen({ host: '127.0.0.1', port: 0 });
    call = apiCaller(port, test.authority.certificatePem, undefined);
  });
  after(async () => {
    own.close();
    operators.close();
    await test.close();
  });

  it('takes the tokens of a tenant’s issuer in that tenant alone', async () => {
    await setTenant('red', [authenticator(own)]);
    const token = await own.sign({ sub: 'ann', roles: ['dev', 'ops'], jti: 'j1' });
    assert.deepEqual(await whoIs(token, 'red'), {
      username: 'oidc:ann',
      groups: ['oidc:dev', 'oidc:ops', 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/credential-id': ['JTI=j1'] },
    });
    assert.equal(await whoIs(token, 'blue'), 401);
    assert.equal(await whoIs(token, 'nobody'), 401);
    assert.equal((await call('GET', '/api', { headers: { authorization: `Bearer ${token}` } })).code, 401);
    await whoIs(token, 'red');
    assert.deepEqual(own.asked, ['/.well-known/openid-configuration', '/keys'], 'asked once');
  });

  it('takes the tokens of the operator’s issuers everywhere', async () => {
    const token = await operators.sign({ sub: 'root', roles: 'admins' });
    for (const tenant of ['red', 'blue']) {
      assert.deepEqual((await whoIs(token, tenant)).groups, ['oidc:admins', 'system:authenticated']);
    }
    const roles = await call('GET', '/clusters/blue/api/v1/pods', { headers: { authorization: `Bearer ${token}` } });
    assert.equal(roles.code, 403, 'what they may do is up to roles');
  });

  it('refuses what is not signed, not meant for us, too old or too young', async () => {
    assert.equal(await whoIs(await own.sign({ sub: 'a' }, { audience: 'another' }), 'red'), 401);
    assert.equal(await whoIs(await own.sign({ sub: 'a' }, { expiresIn: -1 }), 'red'), 401);
    assert.equal(await whoIs(await own.sign({ sub: 'a', nbf: Math.floor(Date.now() / 1000) + 900 }), 'red'), 401);
    assert.equal(await whoIs(await own.sign({ sub: 'a', iss: operators.url }), 'red'), 401);
    assert.equal(await whoIs(await own.sign({ roles: [] }), 'red'), 401, 'nobody');
    const token = await own.sign({ sub: 'a' });
    const [head, body] = token.split('.');
    assert.equal(await whoIs(`${head}.${body}.${'A'.repeat(342)}`, 'red'), 401);
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`;
    assert.equal(await whoIs(unsigned, 'red'), 401);
  });

  it('maps claims by expressions, and holds users to rules', async () => {
    const jwt = authenticator(own, {
      claimMappings: {
        username: { expression: "claims.email_verified ? claims.email : 'nobody'" },
        groups: { expression: "claims.roles.split(',').map(role, 'r:' + role)" },
        uid: { expression: 'claims.sub' },
        extra: [{ key: 'example.com/dept', valueExpression: "claims.?dept.orValue('')" }],
      },
      claimValidationRules: [
        { claim: 'hd', requiredValue: 'example.com' },
        { expression: 'claims.exp - claims.nbf <= 3600', message: 'token lives too long' },
      ],
      userValidationRules: [{ expression: "!user.username.startsWith('system:')", message: 'reserved' }],
    });
    await setTenant('green', [jwt]);
    const claims = { sub: '42', email: 'ann@example.com', email_verified: true, roles: 'a,b', hd: 'example.com' };
    assert.deepEqual(await whoIs(await own.sign({ ...claims, dept: 'x' }), 'green'), {
      username: 'ann@example.com',
      uid: '42',
      groups: ['r:a', 'r:b', 'system:authenticated'],
      extra: { 'example.com/dept': ['x'] },
    });
    assert.equal((await whoIs(await own.sign({ ...claims, email_verified: false }), 'green')).username, 'nobody');
    assert.equal(await whoIs(await own.sign({ ...claims, hd: 'other.com' }), 'green'), 401);
    assert.equal(await whoIs(await own.sign(claims, { expiresIn: 7200 }), 'green'), 401);
    assert.equal(await whoIs(await own.sign({ ...claims, email: 'system:admin' }), 'green'), 401);
    assert.equal(await whoIs(await own.sign({ ...claims, roles: 7 }), 'green'), 401);
  });

  it('knows them in token reviews too', async () => {
    const token = await own.sign({ sub: 'ann', roles: [] });
    const alice = await test.authority.issueTenantUser('red', 'alice', ['system:masters']);
    const review = { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', spec: { token } };
    const path = '/apis/authentication.k8s.io/v1/tokenreviews';
    const { json } = await call('POST', path, { body: review, as: alice });
    assert.deepEqual([json.status.authenticated, json.status.user.username], [true, 'oidc:ann']);
    const bob = await test.authority.issueTenantUser('blue', 'bob', ['system:masters']);
    assert.notEqual((await call('POST', path, { body: review, as: bob })).json.status.authenticated, true);
  });

  it('forgets an issuer that its tenant no longer names', async () => {
    const token = await own.sign({ sub: 'ann' });
    assert.equal((await whoIs(token, 'red')).username, 'oidc:ann');
    await setTenant('red', []);
    assert.equal(await whoIs(token, 'red'), 401);
  });

  it('takes strangers where the operator says so', async () => {
    assert.equal((await call('GET', '/livez')).code, 200);
    assert.equal((await call('GET', '/version')).code, 401);
  });

  it('refuses settings of tenants in upstream’s words', async () => {
    const bad = {
      issuer: { url: 'http://x?y', audiences: ['a', 'b'] },
      claimMappings: { username: { expression: 'claims.email' } },
      userValidationRules: [{ expression: 'user.name == 1' }],
    };
    const error: any = await setTenant('blue', [bad]).then(
      () => undefined,
      (refused) => refused,
    );
    assert.equal(error.code, 422);
    const causes = error.details.causes.map((one: any) => `${one.field}: ${one.message}`);
    assert.deepEqual(causes.slice(0, 4), [
      'spec.authentication.jwt[0].issuer.url: Invalid value: "http://x?y": URL scheme must be https',
      'spec.authentication.jwt[0].issuer.url: Invalid value: "http://x?y": URL must not contain a query',
      'spec.authentication.jwt[0].issuer.audienceMatchPolicy: Invalid value: "": audienceMatchPolicy must be MatchAny for multiple audiences',
      'spec.authentication.jwt[0].claimMappings.username.expression: Invalid value: "claims.email": claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression',
    ]);
    assert.match(
      causes[4],
      /^spec\.authentication\.jwt\[0\]\.userValidationRules\[0\]\.expression: .*compilation failed: .*undefined field 'name'/s,
    );
  });

  it('finds every contradiction of a configuration', () => {
    const findings = new Findings();
    const issuer = { url: 'https://a', audiences: ['x'] };
    validateAuthentication(
      {
        jwt: [
          { issuer, claimMappings: { username: { claim: 'sub' }, extra: [{ key: 'k8s.io/A', valueExpression: '' }] } },
          {
            issuer: { url: 'https://a', discoveryURL: 'https://a/', audiences: [] },
            claimValidationRules: [{}, { expression: '1' }],
            claimMappings: { username: { claim: 'a', expression: 'b' } },
          },
        ],
        anonymous: { enabled: false, conditions: [{ path: '/' }] },
      },
      findings,
    );
    assert.deepEqual(
      findings.list.map(({ field }) => field),
      [
        'jwt[0].claimMappings.username.prefix',
        'jwt[0].claimMappings.extra[0].key',
        'jwt[0].claimMappings.extra[0].key',
        'jwt[0].claimMappings.extra[0].valueExpression',
        'jwt[1].issuer.discoveryURL',
        'jwt[1].issuer.audiences',
        'jwt[1].claimValidationRules[0]',
        'jwt[1].claimValidationRules[1].expression',
        'jwt[1].claimMappings.username',
        'jwt[1].issuer.url',
        'anonymous.conditions',
      ],
    );
  });
});

describe('--authentication-config', () => {
  const read = (text: string) => parseAuthenticationConfiguration(text);
  const head = 'apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n';

  it('reads what upstream reads', () => {
    const jwt =
      'jwt:\n- issuer: {url: "https://a", audiences: [x]}\n  claimMappings: {username: {claim: sub, prefix: ""}}\n';
    const configuration = read(`${head}${jwt}anonymous: {enabled: true, conditions: [{path: /livez}]}\n`);
    assert.deepEqual(configuration.jwt?.[0]?.claimMappings.username, { claim: 'sub', prefix: '' });
    assert.deepEqual(configuration.anonymous, { enabled: true, conditions: [{ path: '/livez' }] });
  });

  it('names no issuer of service accounts’ tokens, whatever those are called', () => {
    const named = (url: string, serviceAccountIssuers?: string[]) =>
      parseAuthenticationConfiguration(
        `${head}jwt:\n- issuer: {url: "${url}", audiences: [x]}\n  claimMappings: {username: {claim: sub, prefix: ""}}\n`,
        new TokenIssuers({ ...(serviceAccountIssuers !== undefined && { serviceAccountIssuers }) }),
      );
    const byDefault = 'https://kubernetes.default.svc.cluster.local/clusters/red';
    assert.throws(() => named(byDefault), /jwt\[0\]\.issuer\.url: .*must not overlap with those of service accounts/);
    const own = ['https://new.example', 'https://old.example/'];
    for (const url of ['https://new.example/clusters/red', 'https://old.example/clusters/red'])
      assert.throws(() => named(url, own), /must not overlap/, url);
    named('https://new.example/elsewhere', own);
  });

  it('says everything that is wrong', () => {
    assert.throws(() => read('kind: Other'), /must be an AuthenticationConfiguration/);
    assert.throws(() => read(`${head}jwtt: []\nanonymous: {enable: true}`), /unknown field "jwtt".*anonymous\.enable"/);
    assert.throws(
      () => read(`${head}jwt:\n- issuer: {url: "http://a", audiences: [x]}\n  claimMappings: {usernam: {claim: a}}`),
      /unknown field "jwt\[0\]\.claimMappings\.usernam"/,
    );
    assert.throws(
      () => read(`${head}jwt:\n- issuer: {url: "http://a", audiences: [x]}\n  claimMappings: {username: {claim: a}}`),
      /jwt\[0\]\.issuer\.url: Invalid value: "http:\/\/a": URL scheme must be https, .*prefix is required/,
    );
    const conditions = 'anonymous: {enabled: false, conditions: [{path: /livez}]}';
    assert.throws(() => read(`${head}${conditions}`), /enabled should be set to true when conditions are defined/);
    // A claim is whatever a token holds: `dyn` says that one is to be taken for a list.
    const groups = (expression: string) =>
      read(
        `${head}jwt:\n- issuer: {url: "https://a", audiences: [x]}\n  claimMappings: {username: {claim: sub, prefix: ""}, groups: {expression: '${expression}'}}\n`,
      );
    assert.throws(
      () => groups('claims.roles.map(r, r)'),
      /expression of type 'any' cannot be range of a comprehension/,
    );
    assert.equal(groups('dyn(claims.roles).map(r, string(r))').jwt?.length, 1);
  });
});

describe('issuers and the platform’s network', () => {
  it('are strangers to each other', async () => {
    const issuer = await startIssuer();
    const test = await startTestServer(openMemoryStore(), { tenants: ['red'] });
    try {
      const { port } = await test.server.listen({ host: '127.0.0.1', port: 0 });
      const spec = {
        authentication: {
          jwt: [
            {
              issuer: { url: issuer.url, certificateAuthority: issuer.caPem, audiences: ['skypod'] },
              claimMappings: { username: { claim: 'sub', prefix: '' } },
            },
          ],
        },
      };
      await test.transport.request({
        method: 'PATCH',
        path: '/clusters/system/apis/tenancy.skypod.io/v1alpha1/tenants/red',
        body: { spec },
        contentType: 'application/merge-patch+json',
      });
      const call = apiCaller(port, test.authority.certificatePem, undefined);
      const authorization = `Bearer ${await issuer.sign({ sub: 'ann' })}`;
      assert.equal((await call('GET', '/clusters/red/api', { headers: { authorization } })).code, 401);
      assert.deepEqual(issuer.asked, [], 'nobody called');
    } finally {
      issuer.close();
      await test.close();
    }
  });
});
