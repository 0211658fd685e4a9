import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { kubectlWith, waitForDeletion } from '../../../test/lib/kubectl.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { CertificateAuthority, type PemPair } from '../identity/certificate-authority.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const run = promisify(execFile);

describe('the API over TLS', { timeout: 120_000 }, () => {
  let server: TestServer;
  let port: number;
  let alice: PemPair;
  let bob: PemPair;
  let host: PemPair;
  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a', 'b'] });
    ({ port } = await server.server.listen({ host: '127.0.0.1', port: 0 }));
    alice = await server.authority.issueTenantUser('a', 'alice', ['system:masters']);
    bob = await server.authority.issueTenantUser('b', 'bob', ['system:masters']);
    host = await server.authority.issueHost('h1', ['127.0.0.1']);
  });
  after(() => server.close());

  interface Answer {
    code: number;
    headers: Record<string, string | string[] | undefined>;
    text: string;
    json: any;
  }
  function send(
    who: PemPair | undefined,
    method: string,
    path: string,
    body?: string | object,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const options: RequestOptions = {
      host: '127.0.0.1',
      port,
      method,
      path,
      ca: server.authority.certificatePem,
      cert: who?.certificatePem,
      key: who?.keyPem,
      agent: false,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    };
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = response.headers['content-type'] === 'application/json' && !path.includes('watch=');
          const json = isJson ? JSON.parse(text) : undefined;
          resolve({ code: response.statusCode ?? 0, headers: response.headers, text, json });
        });
      });
      outgoing.on('error', reject);
      outgoing.end(typeof body === 'object' ? JSON.stringify(body) : body);
    });
  }

  it('knows who asks', async () => {
    const strange = await send(undefined, 'GET', '/api/v1/namespaces');
    assert.equal(strange.code, 403);
    assert.match(strange.json.message, /^namespaces is forbidden: User "system:anonymous" cannot list resource/);
    assert.equal((await send(undefined, 'GET', '/healthz')).text, 'ok');
    assert.equal((await send(undefined, 'GET', '/version')).json.gitVersion, 'v1.36.0+skypod');
    const stranger = await (await CertificateAuthority.create()).issueTenantUser('a', 'alice', []);
    assert.equal((await send(stranger, 'GET', '/api/v1/namespaces')).code, 401);
    const review = await send(alice, 'POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {});
    assert.equal(review.json.status.userInfo.username, 'alice');
    assert.equal((await send(undefined, 'GET', '/api', undefined, { authorization: 'Bearer x.y.z' })).code, 401);
  });

  it('takes long requests: commands to run stand in the query', async () => {
    const pod = '/api/v1/namespaces/default/pods/none';
    const answer = await send(alice, 'GET', `${pod}?command=${'x'.repeat(100_000)}`);
    assert.equal(answer.code, 404);
    await assert.rejects(send(alice, 'GET', `${pod}?command=${'x'.repeat(300_000)}`));
  });

  it('keeps tenants apart', async () => {
    const path = '/api/v1/namespaces/default/configmaps';
    assert.equal((await send(alice, 'POST', path, { metadata: { name: 'same' }, data: { of: 'a' } })).code, 201);
    assert.equal((await send(bob, 'POST', path, { metadata: { name: 'same' }, data: { of: 'b' } })).code, 201);
    const own = await send(alice, 'GET', `/clusters/a${path}/same`);
    assert.equal(own.json.data.of, 'a');
    assert.equal(own.json.metadata.clusterName, undefined);
    for (const foreign of [
      `/clusters/b${path}`,
      `/clusters/*${path}`,
      `/clusters/system${path}`,
      `/clusters/none${path}`,
    ]) {
      assert.equal((await send(alice, 'GET', foreign)).code, 403, foreign);
    }
    for (const resource of ['pool.skypod.io/v1alpha1/hosts', 'pool.skypod.io/v1alpha1/containerinstances']) {
      assert.equal((await send(alice, 'GET', `/apis/${resource}`)).code, 403, resource);
    }
    assert.equal((await send(alice, 'GET', '/apis/tenancy.skypod.io/v1alpha1/tenants')).code, 403);
  });

  it('shows a host its own instances only', async () => {
    const instances = '/apis/pool.skypod.io/v1alpha1/containerinstances';
    assert.equal((await send(host, 'GET', instances)).code, 403);
    assert.equal((await send(host, 'GET', `${instances}?fieldSelector=spec.hostName%3Dh2`)).code, 403);
    assert.equal((await send(host, 'GET', `${instances}?fieldSelector=spec.hostName%3Dh1`)).code, 200);
    assert.equal((await send(host, 'GET', '/clusters/a/api/v1/secrets')).code, 403);
    const hosts = '/apis/pool.skypod.io/v1alpha1/hosts';
    assert.equal((await send(host, 'POST', hosts, { metadata: { name: 'h2' }, spec: { zone: 'z' } })).code, 403);
    assert.equal((await send(host, 'POST', hosts, { metadata: { name: 'h1' }, spec: { zone: 'z' } })).code, 201);
    assert.equal((await send(host, 'GET', `${hosts}/h1`)).code, 200);
  });

  it('takes a service account’s token as long as the account is there', async () => {
    const accounts = '/api/v1/namespaces/default/serviceaccounts';
    await send(alice, 'POST', accounts, { metadata: { name: 'robot' } });
    const answer = await send(alice, 'POST', `${accounts}/robot/token`, { spec: { expirationSeconds: 600 } });
    assert.equal(answer.code, 201);
    const authorization = { authorization: `Bearer ${answer.json.status.token}` };
    const list = () => send(undefined, 'GET', '/api/v1/namespaces', undefined, authorization);
    assert.equal((await list()).code, 403);
    await send(alice, 'POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'robot-sees' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'ServiceAccount', name: 'robot', namespace: 'default' }],
    });
    assert.equal((await list()).code, 200);
    assert.equal((await send(undefined, 'GET', '/clusters/b/api/v1/pods', undefined, authorization)).code, 403);
    const spec = { token: answer.json.status.token };
    const review = await send(alice, 'POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec });
    assert.equal(review.json.status.user.username, 'system:serviceaccount:default:robot');
    const foreign = await send(bob, 'POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec });
    assert.equal(foreign.json.status.authenticated, undefined);
    await send(alice, 'DELETE', `${accounts}/robot`);
    assert.equal((await send(undefined, 'GET', '/api/v1/namespaces', undefined, authorization)).code, 401);
  });

  it('says what is wrong with a body in upstream’s words', async () => {
    const path = '/api/v1/namespaces/default/pods';
    const broken = await send(alice, 'POST', path, '{"a": b}');
    assert.equal(broken.code, 400);
    assert.equal(
      broken.json.message,
      `the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: invalid character 'b' looking for beginning of value ({"a": b})`,
    );
    const wrongType = await send(alice, 'POST', path, { spec: { containers: 'x' } });
    assert.equal(wrongType.code, 400);
    assert.match(
      wrongType.json.message,
      /^Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string/,
    );
    const spec = { containers: [{ name: 'a', image: 'b', bogus: 1 }] };
    const strict = await send(alice, 'POST', `${path}?fieldValidation=Strict`, { metadata: { name: 'x' }, spec });
    assert.equal(
      strict.json.message,
      'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.containers[0].bogus"',
    );
    const warned = await send(alice, 'POST', `${path}?dryRun=All`, { metadata: { name: 'x' }, spec });
    assert.equal(warned.headers['warning'], '299 - "unknown field \\"spec.containers[0].bogus\\""');
    const missing = await send(alice, 'POST', path, { metadata: { name: 'Bad_Name' }, spec: { containers: [] } });
    assert.equal(missing.code, 422);
    assert.equal(missing.json.reason, 'Invalid');
    const large = await send(alice, 'POST', path, 'x'.repeat(3 * 1024 * 1024 + 1));
    assert.equal(large.code, 413);
    assert.equal(large.json.message, 'Request entity too large: limit is 3145728');
    const form = await send(alice, 'POST', path, 'a=b', { 'content-type': 'application/x-www-form-urlencoded' });
    assert.equal(form.code, 415);
    const yaml = 'metadata: {name: from-yaml}\ndata: {a: b}\n';
    const type = { 'content-type': 'application/yaml' };
    assert.equal((await send(alice, 'POST', '/api/v1/namespaces/default/configmaps', yaml, type)).json.data.a, 'b');
  });

  it('answers in the form asked for', async () => {
    const table = await send(alice, 'GET', '/api/v1/namespaces', undefined, {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
    });
    assert.equal(table.json.kind, 'Table');
    assert.equal(table.json.columnDefinitions[0].name, 'Name');
    assert.equal(table.json.rows[0].object.kind, 'PartialObjectMetadata');
    assert.equal(table.json.rows[0].object.metadata.clusterName, undefined);
    const partial = await send(alice, 'GET', '/api/v1/namespaces/default', undefined, {
      accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
    });
    assert.deepEqual(Object.keys(partial.json), ['kind', 'apiVersion', 'metadata']);
    assert.equal((await send(alice, 'GET', '/api/v1/namespaces', undefined, { accept: 'image/png' })).code, 406);
    const aggregated = await send(alice, 'GET', '/apis', undefined, {
      accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json',
    });
    assert.ok(JSON.parse(aggregated.text).items.some((group: any) => group.metadata.name === 'apps'));
  });

  it('ends a streamed list in the form of Tables with one that says so', async () => {
    const path = '/api/v1/namespaces?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const streamed = await send(alice, 'GET', `${path}&allowWatchBookmarks=true&timeoutSeconds=1`, undefined, {
      accept,
    });
    const events = streamed.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const last = events.at(-1);
    assert.equal(last.type, 'BOOKMARK');
    assert.equal(last.object.rows.length, 1);
    assert.equal(last.object.rows[0].object.metadata.annotations['k8s.io/initial-events-end'], 'true');
    assert.equal(last.object.rows[0].cells.length, events[0].object.columnDefinitions.length);
  });

  it('reports a port in use in one line', async () => {
    await assert.rejects(server.server.listen({ host: '127.0.0.1', port }), {
      message: `cannot listen on 127.0.0.1:${port}: the port is in use by another process`,
    });
  });

  it('serves kubectl', async (context) => {
    const found = await run('kubectl', ['version', '--client']).then(
      () => true,
      () => false,
    );
    if (!found) return context.skip('kubectl is not on PATH');
    const directory = await mkdtemp(join(tmpdir(), 'skypod-kubectl-'));
    context.after(() => rm(directory, { recursive: true, force: true }));
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const kubeconfig = join(directory, 'kubeconfig');
    const cluster = {
      server: `https://127.0.0.1:${port}/clusters/a`,
      'certificate-authority-data': base64(server.authority.certificatePem),
    };
    const user = {
      'client-certificate-data': base64(alice.certificatePem),
      'client-key-data': base64(alice.keyPem),
    };
    await writeFile(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'x',
        contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
        clusters: [{ name: 'x', cluster }],
        users: [{ name: 'x', user }],
      }),
    );
    const kubectl = async (...parameters: string[]) => {
      const cache = ['--kubeconfig', kubeconfig, '--cache-dir', join(directory, 'cache')];
      const { stdout } = await run('kubectl', [...cache, ...parameters]);
      return stdout.trim();
    };
    assert.equal(await kubectl('create', 'configmap', 'k', '--from-literal=a=b'), 'configmap/k created');
    assert.equal(await kubectl('get', 'configmap', 'k', '-o', 'jsonpath={.data.a}'), 'b');
    const file = join(directory, 'c.json');
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data: { a: '1' } };
    await writeFile(file, JSON.stringify(object));
    assert.equal(await kubectl('apply', '-f', file), 'configmap/applied created');
    await writeFile(file, JSON.stringify({ ...object, data: { a: '2' } }));
    assert.equal(await kubectl('apply', '-f', file), 'configmap/applied configured');
    assert.equal(await kubectl('apply', '-f', file), 'configmap/applied unchanged');
    await kubectl('patch', 'configmap', 'applied', '-p', '{"data":{"b":"3"}}');
    assert.equal(await kubectl('get', 'configmap', 'applied', '-o', 'jsonpath={.data.b}'), '3');
    await kubectl('create', 'deployment', 'd', '--image=x', '--replicas=2');
    await kubectl('scale', 'deployment', 'd', '--replicas=4');
    assert.equal(await kubectl('get', 'deployment', 'd', '-o', 'jsonpath={.spec.replicas}'), '4');
    // Words that every kubectl since 1.20 knows: Debian 12 has no newer one.
    const gone = await waitForDeletion(kubectlWith('kubectl', kubeconfig), 'configmap/k');
    assert.equal(await kubectl('delete', 'configmap', 'k'), 'configmap "k" deleted');
    assert.match(await gone(), /configmap\/k condition met|^$/);
    assert.match(await kubectl('explain', 'pod.spec.nodeName'), /nodeName <string>/);
    assert.equal(await kubectl('delete', 'configmap', 'applied'), 'configmap "applied" deleted');
    await assert.rejects(kubectl('get', 'configmap', 'k'), /Error from server \(NotFound\): configmaps "k" not found/);
  });
});
