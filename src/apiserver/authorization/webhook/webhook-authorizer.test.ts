import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { ManualClock } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/log.ts';
import { listenLocally } from '../../../base/testing/local-server.ts';
import { openMemoryStore } from '../../../store/memory/memory-store.ts';
import { FileTokens } from '../../identity/token-file.ts';
import { WebhookTokens } from '../../identity/webhook-tokens.ts';
import { type ApiCaller, apiCaller } from '../../testing/api-caller.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';
import { ReviewClient, readReviewServer } from '../../webhooks/review-client.ts';
import { parseAuthorizationConfiguration } from './configuration-file.ts';

/** A real server of the operator's that answers both kinds of reviews. */
interface ReviewServer {
  asked: any[];
  answer: (review: any) => { code?: number; status?: object };
  kubeconfig: string;
  close(): void;
}

async function startReviewServer(directory: string): Promise<ReviewServer> {
  const asked: any[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(chunks).toString());
      asked.push({ ...review, path: request.url, authorization: request.headers.authorization });
      const { code = 201, status = {} } = reviewServer.answer(review);
      response.writeHead(code, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ ...review, status }));
    });
  });
  const kubeconfig = join(directory, 'webhook.kubeconfig');
  const port = await listenLocally(server);
  writeFileSync(
    kubeconfig,
    `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:${port}/decide"}}]
users: [{name: u, user: {token: secret}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`,
  );
  const reviewServer: ReviewServer = {
    asked,
    answer: () => ({ status: { allowed: false } }),
    kubeconfig,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return reviewServer;
}

const configuration = (kubeconfig: string, more = '') => `
apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- type: Webhook
  name: first
  webhook:
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: Deny
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: ${kubeconfig}}
    matchConditions:
    - expression: has(request.resourceAttributes)
    - expression: "!('system:masters' in request.groups)"
${more}- type: RBAC
  name: roles
`;

describe('the operator’s authorizers', { timeout: 60_000 }, () => {
  let directory: string;
  let elsewhere: ReviewServer;
  let test: TestServer;
  let clock: ManualClock;
  let ann: ApiCaller;
  let boss: ApiCaller;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'authorizers-'));
    elsewhere = await startReviewServer(directory);
    clock = new ManualClock(Date.now());
    test = await startTestServer(openMemoryStore(), {
      tenants: ['red'],
      clock,
      authorizers: parseAuthorizationConfiguration(configuration(elsewhere.kubeconfig)),
      authentication: {
        tokens: {
          file: FileTokens.parse('# people\nt0ken,fred,7,"team, ops"\n"with ""quotes""",guest,8\n'),
          webhook: new WebhookTokens({
            client: new ReviewClient(readReviewServer(elsewhere.kubeconfig), { timeoutMs: 3000 }),
            version: 'v1',
            cacheTtlMs: 120_000,
            clock,
            logger: silentLogger,
          }),
        },
      },
    });
    const { port } = await test.server.listen({ host: '127.0.0.1', port: 0 });
    const ca = test.authority.certificatePem;
    ann = apiCaller(port, ca, await test.authority.issueTenantUser('red', 'ann', ['team']));
    boss = apiCaller(port, ca, await test.authority.issueTenantUser('red', 'boss', ['system:masters']));
  });
  after(async () => {
    await test.close();
    elsewhere.close();
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => {
    elsewhere.asked.length = 0;
    elsewhere.answer = () => ({ status: { allowed: false } });
    // What was answered before is forgotten.
    clock.advance(6 * 60_000);
  });

  it('hear who wants what, of which tenant, and how it is narrowed', async () => {
    elsewhere.answer = () => ({ status: { allowed: true } });
    const query = 'labelSelector=app%20in%20(a,b),!old&fieldSelector=status.phase!=Running';
    assert.equal((await ann('GET', `/api/v1/namespaces/default/pods?${query}`)).code, 200);
    const [review] = elsewhere.asked;
    assert.equal(review.path, '/decide');
    assert.equal(review.authorization, 'Bearer secret');
    assert.deepEqual(
      [review.kind, review.apiVersion, review.spec.user, review.spec.groups],
      ['SubjectAccessReview', 'authorization.k8s.io/v1', 'ann', ['team', 'system:authenticated']],
    );
    assert.deepEqual(review.spec.extra['tenancy.skypod.io/tenant'], ['red']);
    assert.deepEqual(review.spec.resourceAttributes, {
      namespace: 'default',
      verb: 'list',
      group: '',
      version: 'v1',
      resource: 'pods',
      subresource: '',
      name: '',
      fieldSelector: { requirements: [{ key: 'status.phase', operator: 'NotIn', values: ['Running'] }] },
      labelSelector: {
        requirements: [
          { key: 'app', operator: 'In', values: ['a', 'b'] },
          { key: 'old', operator: 'DoesNotExist' },
        ],
      },
    });
  });

  it('are asked again only after a while', async () => {
    elsewhere.answer = () => ({ status: { allowed: true } });
    const list = () => ann('GET', '/api/v1/namespaces/default/configmaps');
    await list();
    await list();
    assert.equal(elsewhere.asked.length, 1);
    clock.advance(5 * 60_000 + 1);
    elsewhere.answer = () => ({ status: { allowed: false, reason: 'not today' } });
    const refused = await list();
    assert.equal(refused.code, 403);
    assert.match(refused.json.message, /at the cluster scope|in the namespace "default": not today$/);
    clock.advance(29_000);
    await list();
    assert.equal(elsewhere.asked.length, 2);
    clock.advance(2000);
    await list();
    assert.equal(elsewhere.asked.length, 3);
  });

  it('leave to the next what they have no opinion about, and nothing that they deny', async () => {
    await boss('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      body: {
        metadata: { name: 'ann' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'ann' }],
      },
    });
    assert.equal((await ann('GET', '/api/v1/namespaces/default/services')).code, 200);
    elsewhere.answer = () => ({ status: { allowed: false, denied: true, reason: 'locked' } });
    const denied = await ann('GET', '/api/v1/namespaces/kube-system/services');
    assert.match(denied.json.message, /: locked$/);
    elsewhere.answer = () => ({ status: { allowed: true, denied: true } });
    assert.equal((await ann('GET', '/api/v1/namespaces/kube-public/services')).code, 500);
  });

  it('are not asked where a condition is false, nor for masters or the platform', async () => {
    elsewhere.answer = () => ({ status: { denied: true } });
    assert.equal((await ann('GET', '/version')).code, 200);
    assert.equal((await boss('GET', '/api/v1/pods')).code, 200);
    await test.transport.request({ method: 'GET', path: '/clusters/red/api/v1/pods' });
    assert.deepEqual(elsewhere.asked, []);
  });

  it('that fail are an error, and tell nobody where they are', async () => {
    elsewhere.answer = () => ({ code: 403 });
    const { code, json } = await ann('GET', '/api/v1/namespaces/default/secrets');
    assert.equal(code, 500);
    assert.equal(
      json.message,
      'Internal Server Error: "/api/v1/namespaces/default/secrets": authorizer "first" does not answer',
    );
    const review = await boss('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      body: { spec: { user: 'ann', resourceAttributes: { verb: 'get', resource: 'secrets' } } },
    });
    assert.deepEqual(review.json.status, {
      allowed: false,
      denied: true,
      evaluationError: 'authorizer "first" does not answer',
    });
  });

  it('are tried again when a failure may pass', async () => {
    let left = 1;
    elsewhere.answer = () => (left-- > 0 ? { code: 500 } : { status: { allowed: true } });
    assert.equal((await ann('GET', '/api/v1/namespaces/default/endpoints')).code, 200);
    assert.equal(elsewhere.asked.length, 2);
  });

  it('cannot list what they allow', async () => {
    const { json } = await ann('POST', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {
      body: { spec: { namespace: 'default' } },
    });
    assert.equal(json.status.incomplete, true);
    assert.equal(json.status.evaluationError, 'webhook authorizer does not support user rule resolution');
    assert.ok(json.status.nonResourceRules.length > 0);
  });

  it('nobody names another tenant to them', async () => {
    elsewhere.answer = () => ({ status: { allowed: true } });
    await boss('GET', '/api/v1/namespaces/default/limitranges', {
      headers: {
        'impersonate-user': 'x',
        'impersonate-group': 'none',
        'impersonate-extra-tenancy.skypod.io%2ftenant': 'blue',
      },
    });
    assert.deepEqual(elsewhere.asked.at(-1).spec.extra['tenancy.skypod.io/tenant'], ['red']);
  });

  describe('tokens', () => {
    const who = async (token: string, tenant = 'red') => {
      const { code, json } = await boss('POST', `/clusters/${tenant}/apis/authentication.k8s.io/v1/tokenreviews`, {
        body: { spec: { token } },
      });
      return code === 201 ? json.status : code;
    };

    it('of a file', async () => {
      assert.deepEqual((await who('t0ken')).user, {
        username: 'fred',
        uid: '7',
        groups: ['team', 'ops', 'system:authenticated'],
      });
      assert.equal((await who('with "quotes"')).user.username, 'guest');
      assert.equal((await who('t0ke')).authenticated, undefined);
      assert.throws(() => FileTokens.parse('a,b'), /line 1 must have at least 3 columns/);
      assert.throws(() => FileTokens.parse('a,b,c\na,d,e'), /line 2 has a token that another line has/);
    });

    it('that a server elsewhere knows', async () => {
      elsewhere.answer = ({ kind, spec }) =>
        kind === 'TokenReview' && spec.token === 'known'
          ? { status: { authenticated: true, user: { username: 'kim', uid: 'u', groups: ['g'], extra: { k: ['v'] } } } }
          : { status: { error: 'never heard of' } };
      const status = await who('known');
      assert.deepEqual(status.user, {
        username: 'kim',
        uid: 'u',
        groups: ['g', 'system:authenticated'],
        extra: { k: ['v'] },
      });
      const [{ spec }] = elsewhere.asked;
      assert.match(spec.audiences[0], /\/clusters\/red$/);
      await who('known');
      assert.equal(elsewhere.asked.length, 1, 'it is remembered');
      assert.deepEqual(await who('other'), { user: {}, error: '[invalid bearer token, never heard of]' });
      elsewhere.answer = () => ({ code: 403 });
      assert.deepEqual(await who('third'), {
        user: {},
        error: '[invalid bearer token, the token webhook does not answer]',
      });
    });

    it('for other audiences alone are no identity', async () => {
      elsewhere.answer = () => ({ status: { authenticated: true, audiences: ['vault'], user: { username: 'kim' } } });
      assert.deepEqual(await who('vaults'), { user: {}, error: 'invalid bearer token' });
    });
  });
});

describe('--authorization-config', () => {
  const problems = (text: string): string => {
    try {
      parseAuthorizationConfiguration(text);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  const head = 'apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n';

  it('is held to upstream’s rules', () => {
    assert.equal(
      problems(`${head}authorizers: []`),
      'authorizers: Required value: at least one authorization mode must be defined',
    );
    assert.equal(
      problems(`${head}authorizers: [{type: RBAC, name: a}, {type: RBAC, name: b}, {type: X, name: c}, {name: d}]`),
      'authorizers[1].type: Duplicate value: "RBAC", authorizers[2].type: Unsupported value: "X": supported values: "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook", authorizers[3].type: Required value',
    );
    assert.match(
      problems(`${head}authorizers: [{type: RBAC, name: A_b}]`),
      /authorizer name is invalid: a lowercase RFC 1123/,
    );
    assert.match(
      problems(`${head}authorizers: [{type: RBAC, name: a, webhook: {}}]`),
      /Invalid value: "non-null": may only be/,
    );
    assert.match(
      problems(`${head}authorizers: [{type: Webhook, name: a}]`),
      /webhook: Required value: required when type=Webhook/,
    );
    const webhook = (fields: string) =>
      problems(`${head}authorizers: [{type: Webhook, name: a, webhook: {${fields}}}]`);
    assert.equal(
      webhook(''),
      [
        'authorizers[0].timeout: Required value',
        'authorizers[0].subjectAccessReviewVersion: Required value',
        'authorizers[0].failurePolicy: Required value',
        'authorizers[0].connectionInfo.type: Required value',
      ].join(', '),
    );
    const odd = webhook(
      'timeout: 31s, authorizedTTL: -1s, unauthorizedTTL: -1s, subjectAccessReviewVersion: v2, failurePolicy: Maybe, matchConditions: [{expression: "request.user"}, {expression: "foo"}, {expression: ""}], connectionInfo: {type: KubeConfigFile, kubeConfigFile: rel}, more: 1',
    );
    for (const part of [
      'authorizers[0].webhook.more: Invalid value: unknown field',
      'authorizers[0].timeout: Invalid value: "31s": must be > 0s and <= 30s',
      'authorizers[0].authorizedTTL: Invalid value: "-1s": must be > 0s',
      'authorizers[0].unauthorizedTTL: Invalid value: "-1s": must be > 0s',
      'authorizers[0].subjectAccessReviewVersion: Unsupported value: "v2": supported values: "v1", "v1beta1"',
      'authorizers[0].matchConditionSubjectAccessReviewVersion: Required value: required if match conditions are specified',
      'authorizers[0].failurePolicy: Unsupported value: "Maybe": supported values: "NoOpinion", "Deny"',
      'authorizers[0].connectionInfo.kubeConfigFile: Invalid value: "rel": must be an absolute path',
      'authorizers[0].matchConditions[0].expression: Invalid value: "request.user": must evaluate to bool but got string',
      'authorizers[0].matchConditions[1].expression: Invalid value: "foo": compilation failed: ERROR: <input>:1:1: undeclared reference',
      'authorizers[0].matchConditions[2].expression: Required value',
    ]) {
      assert.ok(odd.includes(part), `${part} in ${odd}`);
    }
    const gone = webhook(
      'timeout: 3s, subjectAccessReviewVersion: v1, failurePolicy: Deny, connectionInfo: {type: KubeConfigFile, kubeConfigFile: /nowhere}',
    );
    assert.match(gone, /"\/nowhere": error loading file: stat \/nowhere: no such file or directory$/);
  });
});
