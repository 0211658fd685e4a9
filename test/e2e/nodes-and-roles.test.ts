import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../lib/eventually.ts';
import { kubectlWith, needsKubectl, newestKubectl, waitForDeletion } from '../lib/kubectl.ts';
import { type Skypod, startSkypod } from '../lib/skypod.ts';

/** kubectl and openssl as a kubelet that joins, an administrator who clears up, and a pod that asks for a token. */
describe('skypod up for nodes, default roles and tokens', { timeout: 300_000 }, () => {
  let directory: string;
  let skypod: Skypod;
  const args = [
    '--service-account-issuer=https://new.example',
    '--service-account-issuer=https://old.example',
    '--service-account-max-token-expiration=1h',
  ];

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'skypod-nodes-'));
    skypod = await startSkypod({ runtime: 'simulated', args });
  });
  after(async () => {
    await skypod?.destroy();
    rmSync(directory, { recursive: true, force: true });
  });

  it('a node’s certificate is approved and signed, and is good for the node’s own', {
    skip: needsKubectl(28),
  }, async () => {
    const { kubectl } = skypod;
    const node = (await kubectl.json('get', 'nodes')).items[0].metadata.name as string;
    const key = join(directory, 'node.key');
    const asked = join(directory, 'node.csr');
    execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key]);
    const subject = `/O=system:nodes/CN=system:node:${node}`;
    execFileSync('openssl', ['req', '-new', '-key', key, '-subj', subject, '-out', asked]);
    const request = readFileSync(asked).toString('base64');
    const role = 'system:certificates.k8s.io:certificatesigningrequests:nodeclient';
    await kubectl('create', 'clusterrolebinding', 'joining', `--clusterrole=${role}`, '--user=joiner');
    await kubectl('create', 'clusterrolebinding', 'asking', '--clusterrole=system:node-bootstrapper', '--user=joiner');
    const manifest = `apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: joining}
spec:
  request: ${request}
  signerName: kubernetes.io/kube-apiserver-client-kubelet
  usages: [digital signature, client auth]
`;
    await kubectl.input(manifest, '--as=joiner', 'create', '-f', '-');
    const { status } = await eventually('the certificate', async () => {
      const found = await kubectl.json('get', 'csr', 'joining');
      return found.status?.certificate !== undefined && found;
    });
    assert.equal(status.conditions[0].reason, 'AutoApproved');
    const kubeconfig = join(directory, 'node.kubeconfig');
    const admin = readFileSync(kubectl.kubeconfig, 'utf8');
    const own = admin
      .replace(/client-certificate-data: .*/, `client-certificate-data: ${status.certificate}`)
      .replace(/client-key-data: .*/, `client-key-data: ${readFileSync(key).toString('base64')}`);
    execFileSync('sh', ['-c', `cat > ${kubeconfig}`], { input: own });
    const asNode = kubectlWith(newestKubectl(), kubeconfig);
    assert.match(await asNode('auth', 'whoami'), new RegExp(`system:node:${node}`));
    assert.match(await asNode('get', 'node', node), new RegExp(node));
    assert.match((await asNode.try('get', 'nodes')).stderr, /cannot read all nodes, only its own Node object/);
    assert.match((await asNode.try('get', 'secrets', '-A')).stderr, /can only read namespaced object of this type/);
    const labelled = await asNode.try('label', 'node', node, 'node-role.kubernetes.io/control-plane=');
    assert.match(labelled.stderr, /is not allowed to modify labels: node-role.kubernetes.io\/control-plane/);
  });

  it('a default role that is deleted is gone until the next start', async () => {
    const { kubectl } = skypod;
    const gone = await waitForDeletion(kubectl, 'clusterrole/view');
    await kubectl('delete', 'clusterrole', 'view');
    await gone();
    assert.match((await kubectl.try('get', 'clusterrole', 'view')).stderr, /NotFound/);
    await kubectl('create', 'clusterrole', 'view', '--verb=get', '--resource=pods');
    await kubectl('delete', 'clusterrole', 'view');
    const binding = 'clusterrolebinding/system:basic-user';
    await kubectl('patch', binding, '--type=merge', '-p', '{"subjects":null}');
    const { dataDir, port } = skypod;
    await skypod.stop();
    skypod = await startSkypod({ runtime: 'simulated', args, dataDir, port });
    assert.match(await skypod.kubectl('get', 'clusterrole', 'view'), /view/);
    const { subjects } = await skypod.kubectl.json('get', binding);
    assert.equal(subjects[0].name, 'system:authenticated');
  });

  it('tokens have the operator’s issuer, and end when the operator wants', { skip: needsKubectl(28) }, async () => {
    const { kubectl } = skypod;
    const { stdout, stderr } = await kubectl.try('create', 'token', 'default', '--duration=48h');
    assert.match(stderr, /requested expiration of 172800 seconds shortened to 3600 seconds/);
    const claims = JSON.parse(Buffer.from(stdout.split('.')[1]!, 'base64url').toString());
    assert.equal(claims.iss, 'https://new.example/clusters/default');
    assert.equal(claims.exp - claims.iat, 3600);
    const document = JSON.parse(await kubectl('get', '--raw', '/.well-known/openid-configuration'));
    assert.equal(document.jwks_uri, 'https://new.example/clusters/default/openid/v1/jwks');
    const who = await kubectl('--token', stdout.trim(), 'auth', 'whoami', '--client-certificate=', '--client-key=');
    assert.match(who, /system:serviceaccount:default:default|admin/);
  });
});
