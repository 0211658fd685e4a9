// Users, roles and certificates of tenants, with kubectl, over real TLS.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { eventually } from '../lib/eventually.ts';
import { type Kubectl, kubectlWith, needsKubectl, newestKubectl } from '../lib/kubectl.ts';
import { type Skypod, startSkypod } from '../lib/skypod.ts';

describe('roles and users of tenants', { timeout: 300_000, skip: needsKubectl(28) }, () => {
  let skypod: Skypod;
  let red: Kubectl;
  let blue: Kubectl;
  before(async () => {
    skypod = await startSkypod({ runtime: 'simulated' });
    for (const tenant of ['red', 'blue']) await skypod.run('tenant', 'create', tenant);
    red = skypod.kubectlOf('red');
    blue = skypod.kubectlOf('blue');
  });
  after(async () => {
    await skypod?.destroy();
  });

  const base64 = (text: string) => Buffer.from(text).toString('base64');
  /** A kubectl of someone else, on the server and CA of the tenant's admin. */
  function kubectlAs(admin: Kubectl, name: string, user: object): Kubectl {
    const { clusters } = parse(readFileSync(admin.kubeconfig, 'utf8'));
    const directory = join(skypod.dataDir, 'users', name);
    mkdirSync(directory, { recursive: true });
    const path = join(directory, 'kubeconfig');
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: clusters[0].cluster }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    writeFileSync(path, JSON.stringify(config));
    return kubectlWith(newestKubectl(), path);
  }

  /** A key, and a CSR object for it. */
  function certificateRequest(name: string, subject: string): { key: string; manifest: object } {
    const directory = join(skypod.dataDir, 'users');
    mkdirSync(directory, { recursive: true });
    const key = join(directory, `${name}.key`);
    const args = ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const pem = execFileSync('openssl', [...args, '-keyout', key, '-subj', subject], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const manifest = {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name },
      spec: {
        request: base64(pem),
        signerName: 'kubernetes.io/kube-apiserver-client',
        usages: ['client auth'],
        expirationSeconds: 3600,
      },
    };
    return { key: readFileSync(key, 'utf8'), manifest };
  }

  async function userByCertificate(admin: Kubectl, name: string, subject: string): Promise<Kubectl> {
    const { key, manifest } = certificateRequest(name, subject);
    await admin.input(JSON.stringify(manifest), 'create', '-f', '-');
    assert.match(await admin('get', 'csr', name), /Pending/);
    await admin('certificate', 'approve', name);
    const certificate = await eventually(`the certificate of ${name}`, async () => {
      return (await admin.json('get', 'csr', name)).status.certificate;
    });
    return kubectlAs(admin, name, { 'client-certificate-data': certificate, 'client-key-data': base64(key) });
  }

  it('makes a user by a certificate request, who may do what roles give', async () => {
    const alice = await userByCertificate(red, 'alice', '/O=devs/OU=tenant:blue/CN=alice');
    const who = await alice.json('auth', 'whoami');
    assert.deepEqual(who.status.userInfo.username, 'alice');
    assert.deepEqual(who.status.userInfo.groups, ['devs', 'system:authenticated']);
    const refused = await alice.try('get', 'pods');
    assert.equal(
      refused.stderr,
      'Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"\n',
    );
    await red('create', 'role', 'reads', '--verb=get,list,watch', '--resource=pods,pods/log');
    await red('create', 'rolebinding', 'devs-read', '--role=reads', '--group=devs');
    await alice('get', 'pods');
    assert.equal((await alice.try('get', 'pods', '-n', 'kube-system')).code, 1);
    assert.match((await alice.try('run', 'x', '--image=x')).stderr, /User "alice" cannot create resource "pods"/);
    assert.equal((await alice('auth', 'can-i', 'list', 'pods')).trim(), 'yes');
    assert.equal((await alice.try('auth', 'can-i', 'delete', 'pods')).stdout.trim(), 'no');
    const list = await alice('auth', 'can-i', '--list');
    assert.match(list, /^pods +\[\] +\[\] +\[get list watch\]$/m);
    assert.match(list, /^selfsubjectaccessreviews\.authorization\.k8s\.io +\[\] +\[\] +\[create\]$/m);
    assert.match(list, /^ +\[\/healthz\] +\[\] +\[get\]$/m);
  });

  it('keeps such a user in the tenant', async () => {
    const mallory = await userByCertificate(red, 'mallory', '/OU=tenant:blue/CN=mallory');
    await red('create', 'clusterrolebinding', 'mallory', '--clusterrole=cluster-admin', '--user=mallory');
    await mallory('get', 'secrets', '-A');
    for (const path of ['/clusters/blue/api/v1/pods', '/clusters/*/api/v1/pods', '/clusters/system/api/v1/pods']) {
      assert.match((await mallory.try('get', '--raw', path)).stderr, /Forbidden/, path);
    }
    for (const [name, subject] of [
      ['platform', '/O=skypod:platform/CN=mallory'],
      ['hosts', '/O=skypod:hosts/CN=host:local'],
      ['masters', '/O=system:masters/CN=mallory'],
    ] as const) {
      const { manifest } = certificateRequest(name, subject);
      const answer = await mallory.tryInput(JSON.stringify(manifest), 'create', '-f', '-');
      assert.match(answer.stderr, /group is not allowed/, subject);
    }
  });

  it('gives service accounts nothing but what roles give', async () => {
    await red('create', 'serviceaccount', 'robot');
    const token = (await red('create', 'token', 'robot')).trim();
    const robot = kubectlAs(red, 'robot', { token });
    assert.match(
      (await robot.try('get', 'configmaps')).stderr,
      /User "system:serviceaccount:default:robot" cannot list/,
    );
    await red('create', 'rolebinding', 'robot-edits', '--clusterrole=edit', '--serviceaccount=default:robot');
    await robot('create', 'configmap', 'made', '--from-literal=a=b');
    assert.match((await robot.try('get', 'nodes')).stderr, /at the cluster scope/);
    assert.match((await robot.try('get', '--raw', '/clusters/blue/api/v1/pods')).stderr, /Forbidden/);
  });

  it('fills a token secret, which ends with its account', async () => {
    await red('create', 'serviceaccount', 'legacy');
    const manifest = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'legacy-token', annotations: { 'kubernetes.io/service-account.name': 'legacy' } },
      type: 'kubernetes.io/service-account-token',
    };
    await red.input(JSON.stringify(manifest), 'create', '-f', '-');
    const data = await eventually('the token in the secret', async () => {
      const secret = await red.json('get', 'secret', 'legacy-token');
      return secret.data?.token !== undefined && secret.data;
    });
    assert.match(Buffer.from(data['ca.crt'], 'base64').toString(), /BEGIN CERTIFICATE/);
    assert.equal(Buffer.from(data.namespace, 'base64').toString(), 'default');
    const legacy = kubectlAs(red, 'legacy', { token: Buffer.from(data.token, 'base64').toString() });
    const who = await legacy.json('auth', 'whoami');
    assert.equal(who.status.userInfo.username, 'system:serviceaccount:default:legacy');
    await red('delete', 'serviceaccount', 'legacy');
    await eventually('the secret goes with its account', async () => {
      return (await red.try('get', 'secret', 'legacy-token')).stderr.includes('NotFound');
    });
    assert.match((await legacy.try('get', 'pods')).stderr, /Unauthorized|must be logged in/);
  });

  it('takes a bootstrap token where the path names its tenant', async () => {
    const stringData = {
      'token-id': 'abcdef',
      'token-secret': '0123456789abcdef',
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': 'system:bootstrappers:workers',
    };
    const metadata = { name: 'bootstrap-token-abcdef', namespace: 'kube-system' };
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'bootstrap.kubernetes.io/token', stringData };
    await red.input(JSON.stringify(secret), 'create', '-f', '-');
    const { clusters } = parse(readFileSync(red.kubeconfig, 'utf8'));
    const named = (tenant: string) => [
      '--server',
      `${String(clusters[0].cluster.server).replace(/\/clusters\/.*$/, '')}/clusters/${tenant}`,
    ];
    const token = 'abcdef.0123456789abcdef';
    const joining = kubectlAs(red, 'joining', { token });
    const who = await joining.json('auth', 'whoami', ...named('red'));
    assert.equal(who.status.userInfo.username, 'system:bootstrap:abcdef');
    assert.deepEqual(who.status.userInfo.groups, [
      'system:bootstrappers',
      'system:bootstrappers:workers',
      'system:authenticated',
    ]);
    assert.equal((await joining.try('auth', 'whoami', ...named('blue'))).code, 1);
  });

  it('lets an admin act as others, within the tenant', async () => {
    assert.equal((await red('auth', 'can-i', 'list', 'pods', '--as=carol', '--as-group=devs')).trim(), 'yes');
    assert.equal((await red.try('auth', 'can-i', 'list', 'pods', '--as=carol')).stdout.trim(), 'no');
    const who = await red.json('auth', 'whoami', '--as=system:serviceaccount:default:robot');
    assert.ok(who.status.userInfo.groups.includes('system:serviceaccounts:default'));
    const refused = await red.try(
      'get',
      '--raw',
      '/clusters/blue/api/v1/pods',
      '--as=admin',
      '--as-group=system:masters',
    );
    assert.match(refused.stderr, /Forbidden/);
    const robot = kubectlAs(red, 'robot-again', { token: (await red('create', 'token', 'robot')).trim() });
    const stopped = await robot.try('get', '--raw', '/api/v1/namespaces/default/pods', '--as=admin');
    assert.match(
      stopped.stderr,
      /pods is forbidden: User "system:serviceaccount:default:robot" cannot impersonate-on:user-info:list resource "pods"/,
    );
    const operator = await skypod.systemKubectl.json('auth', 'whoami', '--as=dave', '--as-group=skypod:platform');
    assert.equal(operator.status.userInfo.username, 'dave');
    const platform = ['--as=dave', '--as-group=skypod:platform', '--as-group=system:masters'];
    assert.match((await skypod.systemKubectl.try('get', 'tenants', ...platform)).stderr, /Forbidden/);
  });

  it('aggregates cluster roles', async () => {
    const rules = [{ apiGroups: ['example.com'], resources: ['widgets'], verbs: ['list'] }];
    const metadata = { name: 'widgets', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } };
    const manifest = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata, rules };
    await red.input(JSON.stringify(manifest), 'create', '-f', '-');
    for (const role of ['view', 'edit', 'admin']) {
      await eventually(`${role} has the widgets`, async () => {
        const text = JSON.stringify((await red.json('get', 'clusterrole', role)).rules);
        return text.includes('widgets') && text.includes('deployments');
      });
    }
    assert.doesNotMatch(JSON.stringify((await blue.json('get', 'clusterrole', 'view')).rules), /widgets/);
    await red('delete', 'clusterrole', 'widgets');
    await eventually('admin has them no more', async () => {
      return !JSON.stringify((await red.json('get', 'clusterrole', 'admin')).rules).includes('widgets');
    });
  });

  it('tells strangers its health and nothing else', async () => {
    const { clusters } = parse(readFileSync(red.kubeconfig, 'utf8'));
    const ca = Buffer.from(clusters[0].cluster['certificate-authority-data'], 'base64');
    const ask = (path: string) =>
      new Promise<string>((resolve, reject) => {
        const asking = get(`${skypod.url}${path}`, { ca }, (response) => {
          let text = '';
          response.on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => resolve(`${response.statusCode} ${text}`));
        });
        asking.on('error', reject);
      });
    assert.equal(await ask('/readyz'), '200 ok');
    assert.match(await ask('/version'), /^200 .*v1\.36/s);
    for (const path of ['/api', '/clusters/red/api', '/clusters/nobody/api', '/clusters/red/openid/v1/jwks']) {
      assert.match(await ask(path), /^403 .*User \\"system:anonymous\\" cannot get path/, path);
    }
    const group = '--group=system:unauthenticated';
    await red('create', 'clusterrolebinding', 'keys', '--clusterrole=system:service-account-issuer-discovery', group);
    assert.match(await ask('/clusters/red/openid/v1/jwks'), /^200 .*"kty":"EC"/);
    const { issuer } = JSON.parse((await ask('/clusters/red/.well-known/openid-configuration')).slice(4));
    assert.match(issuer, /\/clusters\/red$/);
    assert.match(await ask('/clusters/blue/openid/v1/jwks'), /^403 /);
  });
});
