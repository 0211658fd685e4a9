import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { listenLocally } from '../../src/base/testing/local-server.ts';
import { eventually } from '../lib/eventually.ts';
import { type Kubectl, kubectlWith, needsKubectl, newestKubectl } from '../lib/kubectl.ts';
import { type Skypod, startSkypod } from '../lib/skypod.ts';

/** The operator's own ways to say who somebody is and what they may do, with a real server of the operator's. */
describe('skypod up with authorizers and tokens of the operator’s', { timeout: 180_000 }, () => {
  let directory: string;
  let skypod: Skypod;
  let elsewhere: Server;
  const asked: any[] = [];
  const file = (name: string, text: string) => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'skypod-access-'));
    elsewhere = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        const review = JSON.parse(Buffer.concat(chunks).toString());
        asked.push(review);
        const isToken = review.kind === 'TokenReview';
        const attributes = review.spec.resourceAttributes;
        const status = isToken
          ? { authenticated: review.spec.token === 'from-elsewhere', user: { username: 'kim', groups: ['elsewhere'] } }
          : { allowed: attributes?.resource === 'configmaps', denied: attributes?.resource === 'secrets' };
        response.writeHead(201, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ ...review, status }));
      });
    });
    const port = await listenLocally(elsewhere);
    const kubeconfig = file(
      'webhook.kubeconfig',
      `clusters: [{name: c, cluster: {server: "http://127.0.0.1:${port}/"}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`,
    );
    const authorization = file(
      'authorization.yaml',
      `apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- type: Webhook
  name: elsewhere
  webhook:
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: NoOpinion
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: ${kubeconfig}}
    matchConditions: [{expression: "'elsewhere' in request.groups"}]
- {type: RBAC, name: roles}
`,
    );
    const args = ['--authorization-config', authorization];
    args.push('--token-auth-file', file('tokens.csv', 'fixed-token,fred,7,"team,ops"\n'));
    args.push('--authentication-token-webhook-config-file', kubeconfig);
    args.push('--authentication-token-webhook-version', 'v1');
    skypod = await startSkypod({ runtime: 'simulated', args });
  });
  after(async () => {
    await skypod?.destroy();
    elsewhere.closeAllConnections();
    elsewhere.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const as = (token: string): Kubectl => {
    const kubeconfig = file(
      `${token.slice(-16)}.kubeconfig`,
      `clusters: [{name: c, cluster: {server: "${skypod.url}/clusters/default", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: ${token}}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`,
    );
    return kubectlWith(newestKubectl(), kubeconfig);
  };

  it('auth whoami knows tokens of a file and of a server elsewhere', { skip: needsKubectl(28) }, async () => {
    const fred = await as('fixed-token').json('auth', 'whoami');
    assert.deepEqual(fred.status.userInfo, {
      username: 'fred',
      uid: '7',
      groups: ['team', 'ops', 'system:authenticated'],
    });
    const kim = await as('from-elsewhere').json('auth', 'whoami');
    assert.deepEqual(kim.status.userInfo, { username: 'kim', groups: ['elsewhere', 'system:authenticated'] });
    const nobody = await as('unknown').try('auth', 'whoami');
    assert.match(nobody.stderr, /must be logged in|Unauthorized/);
  });

  it('auth can-i asks the authorizers in turn', async () => {
    const kim = as('from-elsewhere');
    assert.equal((await kim('auth', 'can-i', 'list', 'configmaps')).trim(), 'yes');
    assert.match((await kim.try('auth', 'can-i', 'list', 'secrets')).stdout, /^no/);
    assert.equal((await kim('get', 'configmaps', '-o', 'name', '-l', 'app in (a,b)')).trim(), '');
    const review = asked.findLast((one) => one.spec.resourceAttributes?.labelSelector !== undefined);
    assert.deepEqual(review.spec.resourceAttributes.labelSelector.requirements, [
      { key: 'app', operator: 'In', values: ['a', 'b'] },
    ]);
    assert.deepEqual(review.spec.extra['tenancy.skypod.io/tenant'], ['default']);
    await skypod.kubectl('create', 'clusterrolebinding', 'elsewhere', '--clusterrole=edit', '--group=elsewhere');
    await eventually('a role gives what nobody denies', async () => {
      return (await kim.try('auth', 'can-i', 'create', 'pods')).stdout.trim() === 'yes';
    });
    assert.match((await kim.try('get', 'secrets')).stderr, /Forbidden/);
    const list = await kim.try('auth', 'can-i', '--list');
    assert.match(list.stdout, /pods/);
    assert.match(list.stderr, /webhook authorizer does not support user rule resolution/);
  });

  it('create token gives one that is good, and says for whom', { skip: needsKubectl(28) }, async () => {
    const token = (await skypod.kubectl('create', 'token', 'default', '--duration=10m')).trim();
    const me = await as(token).json('auth', 'whoami');
    assert.equal(me.status.userInfo.username, 'system:serviceaccount:default:default');
    assert.match(me.status.userInfo.extra['authentication.kubernetes.io/credential-id'][0], /^JTI=/);
  });
});
