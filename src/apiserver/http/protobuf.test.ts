import assert from 'node:assert/strict';
import { request } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { PemPair } from '../identity/certificate-authority.ts';
import { decodeProtobuf } from '../protobuf/decode-protobuf.ts';
import { encodeObject, protobufSchema } from '../protobuf/encode-protobuf.ts';
import { type ApiCaller, apiCaller } from '../testing/api-caller.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const protobuf = 'application/vnd.kubernetes.protobuf';
const maps = '/api/v1/namespaces/default/configmaps';

describe('answers in protobuf', { timeout: 60_000 }, () => {
  let test: TestServer;
  let call: ApiCaller;
  let alice: PemPair;
  let port: number;
  before(async () => {
    test = await startTestServer(openMemoryStore(), { tenants: ['red'] });
    ({ port } = await test.server.listen({ host: '127.0.0.1', port: 0 }));
    alice = await test.authority.issueTenantUser('red', 'alice', ['system:masters']);
    call = apiCaller(port, test.authority.certificatePem, alice);
    const crd = {
      metadata: { name: 'foos.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'foos', singular: 'foo', kind: 'Foo' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    };
    await call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { body: crd });
    for (;;) if ((await call('GET', '/apis/example.com/v1/foos')).code === 200) break;
    await call('POST', '/apis/example.com/v1/namespaces/default/foos', {
      body: { kind: 'Foo', apiVersion: 'example.com/v1', metadata: { name: 'f' } },
    });
  });
  after(() => test.close());

  const get = (path: string, accept = protobuf) => call('GET', path, { headers: { accept } });

  it('takes and gives objects, lists and statuses', async () => {
    const sent = encodeObject({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a' }, data: { k: 'v' } })!;
    const headers = { accept: `${protobuf},application/json`, 'content-type': protobuf };
    const created = await call('POST', maps, { body: sent, headers });
    assert.deepEqual([created.code, created.headers['content-type']], [201, protobuf]);
    const object = decodeProtobuf(created.bytes, undefined);
    assert.deepEqual([object['kind'], object['metadata'].name, object['data']], ['ConfigMap', 'a', { k: 'v' }]);
    const read = await get(`${maps}/a`);
    assert.ok(read.bytes.equals(created.bytes));
    const list = decodeProtobuf((await get(maps)).bytes, undefined);
    assert.deepEqual(
      [list['kind'], list['items'].map((one: any) => one.metadata.name)],
      ['ConfigMapList', ['a', 'kube-root-ca.crt']],
    );
    const missing = await get(`${maps}/nope`);
    const status = decodeProtobuf(missing.bytes, protobufSchema('Status', 'v1'));
    assert.deepEqual([missing.code, missing.headers['content-type'], status['reason']], [404, protobuf, 'NotFound']);
    assert.equal(status['details'].name, 'nope');
  });

  it('sends lists of many objects in parts, zipped when asked', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `many-${String(index).padStart(3, '0')}`);
    for (const name of names) {
      const body = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name, labels: { many: 'yes' } }, data: { name } };
      assert.equal((await call('POST', maps, { body })).code, 201);
    }
    const path = `${maps}?labelSelector=many%3Dyes`;
    const list = await get(path);
    assert.equal(list.headers['content-type'], protobuf);
    const read = (bytes: Buffer) => decodeProtobuf(bytes, undefined)['items'].map((one: any) => one.data.name);
    assert.deepEqual(read(list.bytes), names);
    const again = await get(path);
    const json = (await call('GET', path)).json;
    assert.ok(
      again.bytes.equals(encodeObject({ ...json, metadata: json.metadata })!),
      'the same bytes as in one piece',
    );
    const zipped = await call('GET', path, { headers: { accept: protobuf, 'accept-encoding': 'gzip' } });
    assert.equal(zipped.headers['content-encoding'], 'gzip');
    assert.deepEqual(read(gunzipSync(zipped.bytes)), names);
    const partial = await get(path, `${protobuf};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1`);
    assert.equal(decodeProtobuf(partial.bytes, undefined)['items'].length, 300);
    await call('DELETE', path);
  });

  it('gives partial metadata, of custom resources too', async () => {
    const accept = `${protobuf};as=PartialObjectMetadata;g=meta.k8s.io;v=v1`;
    const one = decodeProtobuf((await get('/apis/example.com/v1/namespaces/default/foos/f', accept)).bytes, undefined);
    assert.deepEqual(
      [one['kind'], one['apiVersion'], one['metadata'].name],
      ['PartialObjectMetadata', 'meta.k8s.io/v1', 'f'],
    );
    const list = decodeProtobuf((await get(maps, accept.replace('Metadata', 'MetadataList'))).bytes, undefined);
    assert.equal(list['kind'], 'PartialObjectMetadataList');
    assert.equal(list['items'][0].metadata.name, 'a');
  });

  it('falls back to JSON where there is no protobuf form, and refuses when that is not taken', async () => {
    const foo = '/apis/example.com/v1/namespaces/default/foos/f';
    assert.equal((await get(foo, `${protobuf},application/json`)).json.kind, 'Foo');
    assert.equal(
      (await get(foo, `*/*;q=0.1,application/yaml;q=0.5,${protobuf};q=0.9`)).headers['content-type'],
      'application/yaml',
    );
    const refused = await get(foo);
    assert.equal(refused.code, 406);
    assert.match(
      decodeProtobuf(refused.bytes, protobufSchema('Status', 'v1'))['message'],
      /^only the following media types are accepted: application\/json, application\/yaml, /,
    );
    const table = `${protobuf};as=Table;g=meta.k8s.io;v=v1`;
    assert.equal((await get(maps, table)).code, 406);
    assert.equal((await get(maps, `${table},application/json;as=Table;g=meta.k8s.io;v=v1`)).json.kind, 'Table');
    assert.equal((await get('/version', `${protobuf},application/json`)).json.major, '1');
    assert.equal((await get('/version')).code, 406);
  });

  it('refuses CBOR', async () => {
    assert.equal((await get(maps, 'application/cbor')).code, 406);
    const sent = await call('POST', maps, {
      body: Buffer.from([0xa0]),
      headers: { 'content-type': 'application/cbor' },
    });
    assert.equal(sent.code, 415);
    const patch = { body: Buffer.from([0xa0]), headers: { 'content-type': 'application/apply-patch+cbor' } };
    assert.equal((await call('PATCH', `${maps}/a?fieldManager=m`, patch)).code, 415);
  });

  it('gives discovery to clients that take nothing else', async () => {
    const groups = decodeProtobuf((await get('/apis')).bytes, protobufSchema('APIGroupList', 'v1'));
    assert.equal(groups['kind'], 'APIGroupList');
    const resources = decodeProtobuf((await get('/api/v1')).bytes, protobufSchema('APIResourceList', 'v1'));
    assert.ok(resources['resources'].some((one: any) => one.name === 'pods' && one.verbs.includes('watch')));
  });

  it('streams watches in frames', async () => {
    const events = await new Promise<{ type: string; name: string }[]>((resolve, reject) => {
      const outgoing = request({
        host: '127.0.0.1',
        port,
        path: `${maps}?watch=true&fieldSelector=metadata.name%3Da&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`,
        headers: { accept: protobuf },
        ca: test.authority.certificatePem,
        cert: alice.certificatePem,
        key: alice.keyPem,
        agent: false,
      });
      outgoing.on('error', reject);
      outgoing.on('response', (response) => {
        assert.equal(response.headers['content-type'], `${protobuf};stream=watch`);
        let pending = Buffer.alloc(0);
        const seen: { type: string; name: string }[] = [];
        response.on('data', (chunk) => {
          pending = Buffer.concat([pending, chunk]);
          while (pending.length >= 4 && pending.length >= 4 + pending.readUInt32BE(0)) {
            const frame = pending.subarray(4, 4 + pending.readUInt32BE(0));
            pending = pending.subarray(4 + frame.length);
            const type = frame.subarray(2, 2 + frame[1]!).toString();
            const object = decodeProtobuf(frame.subarray(frame.indexOf('k8s\0')), undefined);
            seen.push({ type, name: object['metadata'].name || object['kind'] });
            if (type === 'BOOKMARK') assert.equal(object['metadata'].annotations['k8s.io/initial-events-end'], 'true');
          }
          if (seen.length < 2) return;
          outgoing.destroy();
          resolve(seen);
        });
      });
      outgoing.end();
    });
    assert.deepEqual(events, [
      { type: 'ADDED', name: 'a' },
      { type: 'BOOKMARK', name: 'ConfigMap' },
    ]);
    assert.equal((await get(`${maps}?watch=true`, 'application/yaml')).code, 406);
  });
});
