import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { JwtAuthenticator } from '../../../api/authentication/configuration.ts';
import { openMemoryStore } from '../../../store/memory/memory-store.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';
import { type Issuer, startIssuer } from './testing/issuer.ts';

/** What a TokenReview says of a token of an issuer that a tenant trusts: upstream's cases, by upstream's words. */
interface Case {
  name: string;
  claims?: Record<string, unknown>;
  sign?: Parameters<Issuer['sign']>[1];
  audiences?: string[];
  mappings?: Partial<JwtAuthenticator['claimMappings']>;
  rules?: JwtAuthenticator['claimValidationRules'];
  userRules?: JwtAuthenticator['userValidationRules'];
  /** The issuer the token names; the one that signs when absent. */
  iss?: string;
  user?: { username?: string; groups?: string[]; uid?: string; extra?: Record<string, string[]> };
  error?: string | RegExp;
}

const username = { claim: 'username', prefix: '' };
const groups = { claim: 'groups', prefix: '' };
const jane = { username: 'jane' };
const nested = { claims: { 'a.b': [{ 'c-d': { 'e/f': 'deep', namespace: 'reserved', x__y: 'under' } }] } };

const cases: Case[] = [
  { name: 'a token', claims: jane, user: { username: 'jane', groups: ['system:authenticated'] } },
  {
    name: 'a subject that is no text',
    claims: { ...jane, sub: 5 },
    error:
      'oidc: verify token: oidc: failed to unmarshal claims: json: cannot unmarshal number into Go struct field idToken.sub of type string',
  },
  { name: 'no user name', claims: {}, error: 'oidc: parse username claims "username": claim not present' },
  {
    name: 'a user name of another type',
    claims: { username: 7 },
    error: 'oidc: parse username claims "username": json: cannot unmarshal number into Go value of type string',
  },
  { name: 'an empty user name, out of a claim', claims: { username: '' }, user: { username: '' } },
  {
    name: 'an empty user name, out of an expression',
    claims: { username: '' },
    mappings: { username: { expression: 'claims.username' } },
    error: 'oidc: empty username via CEL expression is not allowed',
  },
  {
    name: 'an e-mail address nobody has verified',
    claims: { email: 'j@x', email_verified: false },
    mappings: { username: { claim: 'email', prefix: '' } },
    error: 'oidc: email not verified',
  },
  {
    name: 'an e-mail address verified by a word',
    claims: { email: 'j@x', email_verified: 'true' },
    mappings: { username: { claim: 'email', prefix: '' } },
    error: "oidc: parse 'email_verified' claim: json: cannot unmarshal string into Go value of type bool",
  },
  {
    name: 'an e-mail address of which nothing is said',
    claims: { email: 'j@x' },
    mappings: { username: { claim: 'email', prefix: '' } },
    user: { username: 'j@x' },
  },
  {
    name: 'groups that are numbers',
    claims: { ...jane, groups: 42 },
    mappings: { groups },
    error: 'oidc: parse groups claim "groups": json: cannot unmarshal number into Go value of type string',
  },
  {
    name: 'one group as text',
    claims: { ...jane, groups: 'team' },
    mappings: { groups: { claim: 'groups', prefix: 'g:' } },
    user: { ...jane, groups: ['g:team', 'system:authenticated'] },
  },
  {
    name: 'groups that are null',
    claims: { ...jane, groups: null },
    mappings: { groups },
    user: { ...jane, groups: ['system:authenticated'] },
  },
  {
    name: 'a required claim that is missing',
    claims: jane,
    rules: [{ claim: 'hd', requiredValue: 'example.com' }],
    error: 'oidc: required claim hd not present in ID token',
  },
  {
    name: 'a required claim of another value',
    claims: { ...jane, hd: 'example.org' },
    rules: [{ claim: 'hd', requiredValue: 'example.com' }],
    error: 'oidc: required claim hd value does not match. Got = example.org, want = example.com',
  },
  {
    name: 'a required claim of another type',
    claims: { ...jane, hd: true },
    rules: [{ claim: 'hd', requiredValue: 'true' }],
    error: 'oidc: parse claim hd: json: cannot unmarshal bool into Go value of type string',
  },
  {
    name: 'another audience',
    claims: jane,
    sign: { audience: 'other' },
    error: 'oidc: verify token: oidc: expected audience "skypod" got ["other"]',
  },
  {
    name: 'none of several audiences',
    claims: jane,
    audiences: ['z', 'a'],
    sign: { audience: ['other', 'more'] },
    error: 'oidc: verify token: oidc: expected audience in ["a" "z"] got ["other" "more"]',
  },
  { name: 'one of several audiences', claims: jane, audiences: ['z', 'skypod'], user: jane },
  {
    name: 'a token that is over',
    claims: jane,
    sign: { expiresIn: -5 },
    error: /^oidc: verify token: oidc: token is expired \(Token Expiry: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC\)$/,
  },
  {
    name: 'a claim that stands nowhere',
    claims: { ...jane, _claim_names: { groups: 'src1' } },
    mappings: { groups },
    error: 'oidc: verify token: oidc: source does not exist',
  },
  {
    name: 'an aggregated claim, which is not taken',
    claims: { ...jane, _claim_names: { groups: 'src1' }, _claim_sources: { src1: { JWT: 'x.y.z' } } },
    mappings: { groups },
    user: { ...jane, groups: ['system:authenticated'] },
  },
  {
    name: 'a rule for audiences',
    claims: jane,
    sign: { audience: ['skypod', 'x'] },
    rules: [{ expression: 'sets.equivalent(claims.aud, ["skypod"])', message: 'only skypod' }],
    error: `oidc: error evaluating claim validation expression: validation expression 'sets.equivalent(claims.aud, ["skypod"])' failed: only skypod`,
  },
  {
    name: 'a rule about a claim that is not there',
    claims: jane,
    rules: [{ expression: 'claims.hd == "x"' }],
    error: `oidc: error evaluating claim validation expression: expression 'claims.hd == "x"' resulted in error: no such key: hd`,
  },
  {
    name: 'a rule about users',
    claims: { username: 'system:jane' },
    userRules: [{ expression: "!user.username.startsWith('system:')", message: 'reserved prefix' }],
    error: `oidc: error evaluating user info validation rule: validation expression '!user.username.startsWith('system:')' failed: reserved prefix`,
  },
  {
    name: 'a rule about what the token is called',
    claims: { ...jane, jti: 'j1' },
    userRules: [
      {
        expression: `!(user.extra[?'authentication.kubernetes.io/credential-id'][0].orValue('') in ["JTI=j1"])`,
        message: 'credential is revoked',
      },
    ],
    error: /failed: credential is revoked$/,
  },
  {
    name: 'rules about fields that are empty',
    claims: jane,
    userRules: [
      { expression: "user.username == 'jane'" },
      { expression: "user.uid == ''" },
      { expression: 'size(user.groups) == 0 && size(user.extra) == 0' },
    ],
    user: jane,
  },
  {
    name: 'numbers are doubles',
    claims: { ...jane, level: 3 },
    rules: [{ expression: 'type(claims.level) == double && claims.level >= 3 && claims.level + 0.5 == 3.5' }],
    user: jane,
  },
  {
    name: 'names that are no identifiers',
    claims: { ...jane, ...nested },
    mappings: {
      username: { expression: 'claims.claims.a__dot__b[0].c__dash__d.e__slash__f' },
      uid: { expression: 'claims.claims["a.b"][0].c__dash__d.__namespace__' },
      groups: { expression: '[claims.claims.a__dot__b[0]["c-d"].x__underscores__y]' },
    },
    user: { username: 'deep', uid: 'reserved', groups: ['under', 'system:authenticated'] },
  },
  {
    name: 'a deep claim that is not there',
    claims: { ...jane, a: { b: {} } },
    mappings: { groups: { expression: 'claims.a.b.c.d' } },
    error: `oidc: error evaluating group claim expression: expression 'claims.a.b.c.d' resulted in error: no such key: c`,
  },
  {
    name: 'groups by an expression that is null, empty, or of numbers',
    claims: { ...jane, none: null },
    mappings: { groups: { expression: 'claims.none' } },
    user: { ...jane, groups: ['system:authenticated'] },
  },
  {
    name: 'groups by an expression of numbers',
    claims: { ...jane, list: [1] },
    mappings: { groups: { expression: 'claims.list' } },
    error: 'oidc: error evaluating group claim expression: expression must return a string or a list of strings',
  },
  {
    name: 'a uid that is no string',
    claims: { ...jane, n: 1 },
    mappings: { uid: { expression: 'claims.n' } },
    error: 'oidc: error evaluating uid claim expression: uid claim expression must return a string',
  },
  {
    name: 'extra',
    claims: { ...jane, jti: 7, empty: '', list: ['a', ''] },
    mappings: {
      extra: [
        { key: 'example.org/empty', valueExpression: 'claims.empty' },
        { key: 'example.org/list', valueExpression: 'claims.list' },
        { key: 'example.org/fixed', valueExpression: '"x"' },
      ],
    },
    user: { ...jane, extra: { 'example.org/list': ['a'], 'example.org/fixed': ['x'] } },
  },
  {
    name: 'extra of numbers',
    claims: { ...jane, n: 1 },
    mappings: { extra: [{ key: 'example.org/n', valueExpression: 'claims.n' }] },
    error:
      'oidc: error evaluating extra claim expression: claims.n: expression must return a string or a list of strings',
  },
  { name: 'another issuer', claims: jane, iss: 'https://elsewhere', error: 'invalid bearer token' },
];

describe('tokens of OpenID Connect issuers, as reviews tell of them', { timeout: 60_000 }, () => {
  let test: TestServer;
  let issuer: Issuer;
  before(async () => {
    issuer = await startIssuer();
    test = await startTestServer(openMemoryStore(), {
      tenants: ['red'],
      authentication: { egress: { allowPrivateAddresses: true } },
    });
  });
  after(async () => {
    issuer.close();
    await test.close();
  });

  const trust = async ({ audiences = ['skypod'], mappings, rules, userRules }: Partial<Case>) => {
    const jwt: JwtAuthenticator = {
      issuer: {
        url: issuer.url,
        certificateAuthority: issuer.caPem,
        audiences,
        ...(audiences.length > 1 && { audienceMatchPolicy: 'MatchAny' }),
      },
      claimMappings: { username, ...mappings },
      ...(rules !== undefined && { claimValidationRules: rules }),
      ...(userRules !== undefined && { userValidationRules: userRules }),
    };
    await test.transport.request({
      method: 'PATCH',
      path: '/clusters/system/apis/tenancy.skypod.io/v1alpha1/tenants/red',
      body: { spec: { authentication: { jwt: [jwt] } } },
      contentType: 'application/merge-patch+json',
    });
  };
  const review = async (token: string) => {
    const answer = await test.transport.request({
      method: 'POST',
      path: '/clusters/red/apis/authentication.k8s.io/v1/tokenreviews',
      body: { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', metadata: {}, spec: { token } },
    });
    const { status } = answer as any;
    // Every refusal begins with what kube-apiserver's own loopback token says.
    const error: string | undefined = status.error?.replace(/^\[invalid bearer token, (.*)\]$/s, '$1');
    return error === undefined ? status : { ...status, error };
  };

  for (const one of cases) {
    it(one.name, async () => {
      await trust(one);
      const claims = { ...one.claims, ...(one.iss !== undefined && { iss: one.iss }) };
      const status = await review(await issuer.sign(claims, one.sign));
      if (one.error === undefined) {
        assert.deepEqual([status.authenticated, status.error], [true, undefined]);
        for (const [field, value] of Object.entries(one.user ?? {})) assert.deepEqual(status.user[field], value, field);
        if (one.user?.extra === undefined) assert.equal(status.user.extra, undefined);
        return;
      }
      assert.notEqual(status.authenticated, true);
      if (one.error instanceof RegExp) assert.match(status.error, one.error);
      else assert.equal(status.error, one.error);
    });
  }

  it('groups that another server tells of', async () => {
    await trust({ mappings: { groups: { claim: 'groups', prefix: 'g:' } } });
    const sources = (path: string) => ({
      _claim_names: { groups: 'src1' },
      _claim_sources: { src1: { endpoint: `${issuer.url}${path}`, access_token: 'key' } },
    });
    let answer = await issuer.sign({ groups: ['team1', 'team2'] });
    const heard: (string | undefined)[] = [];
    issuer.pages.set('/groups', (authorization) => {
      heard.push(authorization);
      return answer;
    });
    const status = await review(await issuer.sign({ ...jane, ...sources('/groups') }));
    assert.deepEqual(status.user?.groups, ['g:team1', 'g:team2', 'system:authenticated']);
    assert.deepEqual(heard, ['Bearer key']);

    const own = await review(await issuer.sign({ ...jane, groups: ['mine'], ...sources('/groups') }));
    assert.deepEqual(own.user.groups, ['g:mine', 'system:authenticated'], 'one in the token itself wins');
    const error = async (more: object) => (await review(await issuer.sign({ ...jane, ...more }))).error;
    const could = 'oidc: could not expand distributed claims: ';
    answer = await issuer.sign({ other: [] });
    assert.equal(
      await error({ ...sources('/groups'), n: 1 }),
      `${could}jwt returned by distributed claim endpoint "${issuer.url}/groups" did not contain claim: groups`,
    );
    answer = await issuer.sign({ groups: ['x'] }, { audience: 'another' });
    assert.equal(
      await error({ ...sources('/groups'), n: 2 }),
      `${could}verify distributed claim token: oidc: expected audience "skypod" got ["another"]`,
    );
    answer = await issuer.sign({ groups: ['x'] }, { expiresIn: -5 });
    assert.match(
      await error({ ...sources('/groups'), n: 3 }),
      /verify distributed claim token: oidc: token is expired/,
    );
    answer = 'nonsense';
    assert.match(await error({ ...sources('/groups'), n: 4 }), /getting untrusted issuer from endpoint .* failed/);
    assert.match(await error(sources('/nowhere')), /while getting distributed claim "groups": Get ".*\/nowhere"/);
    assert.match(
      await error({ ...sources('/groups'), _claim_sources: { src1: { endpoint: 'http://169.254.169.254/' } } }),
      /while getting distributed claim/,
    );
  });

  it('a crowd of strangers makes nobody ask elsewhere more than so often', async () => {
    await trust({ mappings: { groups: { claim: 'groups', prefix: '' } } });
    let open = 0;
    let most = 0;
    const answers: (() => void)[] = [];
    issuer.slowPages.set('/slow', async () => {
      most = Math.max(most, ++open);
      await new Promise<void>((done) => answers.push(done));
      open--;
      return 'nothing';
    });
    const reviews = Array.from({ length: 30 }, async (_, index) =>
      review(
        await issuer.sign({
          ...jane,
          index,
          _claim_names: { groups: 'src1' },
          _claim_sources: { src1: { endpoint: `${issuer.url}/slow` } },
        }),
      ),
    );
    const release = setInterval(() => {
      for (const done of answers.splice(0)) done();
    }, 200);
    const statuses = await Promise.all(reviews);
    clearInterval(release);
    assert.ok(most <= 8, `${most} at once`);
    assert.ok(statuses.some(({ error }) => error.endsWith('too many are under way')));
  });
});
