import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { request } from 'node:https';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parse as parseYaml } from 'yaml';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

describe('lists of more objects than go out at once', () => {
  let server: TestServer;
  let port: number;
  let access: { ca: string; cert: string; key: string };
  const path = '/api/v1/namespaces/default/configmaps';

  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
    ({ port } = await server.server.listen({ host: '127.0.0.1', port: 0 }));
    const user = await server.authority.issueTenantUser('a', 'admin', ['system:masters']);
    access = { ca: server.authority.certificatePem, cert: user.certificatePem, key: user.keyPem };
    await Promise.all(
      Array.from({ length: 700 }, (_, index) =>
        server.transport.request({
          method: 'POST',
          path: `/clusters/a${path}`,
          body: { metadata: { name: `map-${index}` }, data: { text: `line\n"${index}"`, filler: 'x'.repeat(2000) } },
        }),
      ),
    );
  });
  after(() => server.close());

  async function ask(
    accept: string,
    { query = '', encoding = '', agent = 'test' } = {},
  ): Promise<{ text: string; headers: NodeJS.Dict<string | string[]> }> {
    const asked = request({
      host: '127.0.0.1',
      port,
      path: `${path}${query}`,
      headers: { accept, 'accept-encoding': encoding, 'user-agent': agent },
      ...access,
    });
    asked.end();
    const [response] = await once(asked, 'response');
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const text = (response.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString();
    return { text, headers: response.headers };
  }

  const names = (items: any[]) => new Set(items.map((item) => item.metadata.name));

  test('JSON, plain, pretty and compressed, says the same', async () => {
    const { text } = await ask('application/json');
    const list = JSON.parse(text);
    assert.equal(list.kind, 'ConfigMapList');
    assert.equal(names(list.items).size, 701);
    assert.equal(list.items[3].metadata.clusterName, undefined);
    const { text: pretty } = await ask('application/json', { query: '?pretty=true' });
    assert.deepEqual(JSON.parse(pretty), list);
    assert.equal(pretty, JSON.stringify(JSON.parse(pretty), undefined, 2));
    const { text: zipped, headers } = await ask('application/json', { encoding: 'gzip' });
    assert.equal(headers['content-encoding'], 'gzip');
    assert.equal(zipped, text);
  });

  test('YAML', async () => {
    const { text, headers } = await ask('application/yaml');
    assert.equal(headers['content-type'], 'application/yaml');
    const list = parseYaml(text);
    assert.equal(list.apiVersion, 'v1');
    assert.equal(names(list.items).size, 701);
    assert.equal(list.items.find((item: any) => item.metadata.name === 'map-7').data.text, 'line\n"7"');
  });

  test('Tables and partial metadata', async () => {
    const table = JSON.parse((await ask('application/json;as=Table;g=meta.k8s.io;v=v1')).text);
    assert.equal(table.kind, 'Table');
    assert.equal(table.columnDefinitions[0].name, 'Name');
    assert.equal(table.rows.length, 701);
    assert.equal(table.rows[0].cells.length, table.columnDefinitions.length);
    assert.ok(Number(table.metadata.resourceVersion) > 0);
    const wrong = await ask('application/json;as=Table;g=meta.k8s.io;v=v1', { query: '?includeObject=all' });
    assert.equal(JSON.parse(wrong.text).code, 400, 'it is refused before the list begins');
    const partial = JSON.parse((await ask('application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1')).text);
    assert.equal(partial.kind, 'PartialObjectMetadataList');
    assert.equal(partial.items[0].kind, 'PartialObjectMetadata');
    assert.equal(partial.items.length, 701);
  });

  test('a client that stops reading holds up nobody, and one that leaves frees its seats', async () => {
    const session = connect(`https://127.0.0.1:${port}`, access);
    // Never read: the window of 64 KiB fills up.
    const stalled = Array.from({ length: 40 }, () => session.request({ ':path': path }));
    for (const stream of stalled) stream.on('error', () => {});
    await Promise.all(stalled.map((stream) => once(stream, 'response')));
    const { text } = await ask('application/json');
    assert.equal(JSON.parse(text).items.length, 701);
    session.destroy();
  });
});
