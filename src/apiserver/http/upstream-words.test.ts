import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { type ApiCaller, apiCaller } from '../testing/api-caller.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';

/** What test/peers/differential.ts found kube-apiserver to say. */
describe('routes, forms and words as kube-apiserver’s', { timeout: 60_000 }, () => {
  let test: TestServer;
  let call: ApiCaller;
  before(async () => {
    test = await startTestServer(openMemoryStore(), { tenants: ['red'] });
    const { port } = await test.server.listen({ host: '127.0.0.1', port: 0 });
    const alice = await test.authority.issueTenantUser('red', 'alice', ['system:masters']);
    call = apiCaller(port, test.authority.certificatePem, alice);
    await call('POST', maps, { body: { metadata: { name: 'a' }, data: { a: '1' } } });
  });
  after(() => test.close());

  it('answers where no API is as a router does, and within an API with a Status', async () => {
    const nowhere = await call('GET', '/apis/none/v1/things');
    assert.deepEqual([nowhere.code, nowhere.text], [404, '404 page not found\n']);
    assert.equal(nowhere.headers['x-content-type-options'], 'nosniff');
    assert.equal((await call('GET', '/api/v1/nothings')).json.kind, 'Status');
  });

  it('has no routes for HEAD, for creating by name and for replacing collections', async () => {
    assert.equal((await call('HEAD', `${maps}/a`)).code, 405);
    assert.equal((await call('POST', `${maps}/a`, { body: {} })).code, 405);
    assert.equal((await call('PUT', maps, { body: {} })).code, 405);
    assert.equal((await call('PUT', `${maps}/a`, { body: { data: {} } })).code, 400);
  });

  it('says in lists once what their items are', async () => {
    const [item] = (await call('GET', `${maps}?fieldSelector=metadata.name%3Da`)).json.items;
    assert.deepEqual(Object.keys(item), ['metadata', 'data']);
    assert.equal((await call('GET', `${maps}/a`)).json.kind, 'ConfigMap');
  });

  it('takes only media types its router knows', async () => {
    const refused = await call('GET', maps, { headers: { accept: 'application/*' } });
    assert.equal(refused.code, 406);
    assert.match(refused.json.message, /^406: Not Acceptable\n\nAvailable representations: application\/json, /);
    const partial = { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' };
    assert.match((await call('GET', maps, { headers: partial })).json.message, /is a list \(\*core.ConfigMapList\)$/);
    const events = await call('GET', '/apis/events.k8s.io/v1/events', { headers: partial });
    assert.match(events.json.message, /is a list \(\*core.EventList\)$/);
  });

  it('hashes the version that is stored', async () => {
    const { resources } = (await call('GET', '/apis/autoscaling/v1')).json;
    assert.equal(resources[0].storageVersionHash, 'qwQve8ut294=');
  });

  it('orphans what a job leaves, unless told otherwise', async () => {
    const jobs = '/apis/batch/v1/namespaces/default/jobs';
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } };
    await call('POST', jobs, { body: { metadata: { name: 'j' }, spec: { template } } });
    const deleted = await call('DELETE', `${jobs}/j`);
    assert.ok(deleted.json.metadata.finalizers.includes('orphan'), deleted.text);
  });

  it('hears duplicate members of patches, unknown ones of operations, and owners named twice', async () => {
    const patch = (type: string, body: string, query = '') =>
      call('PATCH', `${maps}/a${query}`, { body, headers: { 'content-type': type } });
    const merge = 'application/merge-patch+json';
    assert.equal((await patch(merge, '{"data":{"b":"1","b":"2"}}', '?fieldValidation=Strict')).code, 422);
    const operation = '[{"op":"add","path":"/data/c","value":"1","other":1}]';
    const warned = await patch('application/json-patch+json', operation);
    assert.match(String(warned.headers['warning']), /json patch unknown field/);
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid: '1' };
    const body = { metadata: { name: 'owned', ownerReferences: [owner, owner] } };
    const owned = await call('POST', `${maps}?dryRun=All`, { body });
    assert.equal(owned.json.metadata.ownerReferences.length, 1);
    assert.match(String(owned.headers['warning']), /duplicate UID\(s\) observed: 1/);
    assert.equal((await patch('text/plain', '{}')).json.message, '415: Unsupported Media Type');
  });
});
