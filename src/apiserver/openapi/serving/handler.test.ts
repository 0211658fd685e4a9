import assert from 'node:assert/strict';
import { it } from 'node:test';
import { builtinResources } from '../../../api/resources/index.ts';
import type { Answer } from '../../answer.ts';
import { ResourceRegistry } from '../../registry.ts';
import { createOpenApi } from './handler.ts';

const aggregation = { remotes: () => [] } as never;

async function ask(
  resources: typeof builtinResources,
  path: string,
  headers: Record<string, string> = {},
  hash?: string,
  prefix?: string,
) {
  const answer = await createOpenApi(
    new ResourceRegistry(resources, []),
    'v1.36.0',
    aggregation,
  )({
    method: 'GET',
    info: { path, ...(prefix !== undefined && { tenantPrefix: prefix }) },
    tenant: 'red',
    accept: headers['accept'] ?? 'application/json',
    headers,
    query: { get: (name: string) => (name === 'hash' ? (hash ?? null) : null) },
  } as never);
  return answer as Extract<Answer, { type: 'bytes' }>;
}

const leases = builtinResources.filter(({ resource }) => resource === 'leases');

it('sends a document once to who keeps it', async () => {
  for (const path of ['/openapi/v2', '/openapi/v3/apis/coordination.k8s.io/v1']) {
    const first = await ask(leases, path);
    const { etag } = first.headers!;
    assert.equal(first.code, 200);
    assert.match(etag!, /^"[0-9A-F]{128}"$/);
    const again = await ask(leases, path, { 'if-none-match': `"other", ${etag}` });
    assert.deepEqual([again.code, again.bytes, again.headers!['etag']], [304, '', etag]);
    const changed = leases.map((definition) => ({ ...definition, kind: 'Other' }));
    assert.notEqual((await ask(changed, path)).headers!['etag'], etag);
  }
});

const json = ({ bytes }: Extract<Answer, { type: 'bytes' }>) => JSON.parse(String(bytes));

it('says that a document may be kept under its own hash, and leads there from any other', async () => {
  const path = '/openapi/v3/apis/coordination.k8s.io/v1';
  const url: string = json(await ask(leases, '/openapi/v3')).paths['apis/coordination.k8s.io/v1'].serverRelativeURL;
  const hash = url.split('hash=')[1]!;
  assert.equal((await ask(leases, path, {}, hash)).headers!['cache-control'], 'public, immutable');
  assert.equal((await ask(leases, path)).headers!['cache-control'], undefined);
  const elsewhere = await ask(leases, path, {}, 'old');
  assert.deepEqual([elsewhere.code, elsewhere.bytes, elsewhere.headers!['location']], [301, '', url]);
  assert.equal((await ask(leases, path, {}, 'old', 'red')).headers!['location'], `/clusters/red${url}`);
});

it('has a document of each group, of each version and of what the server says of itself', async () => {
  const names = Object.keys(json(await ask(leases, '/openapi/v3')).paths);
  assert.deepEqual(names, [
    '.well-known/openid-configuration',
    'api',
    'apis',
    'apis/coordination.k8s.io',
    'apis/coordination.k8s.io/v1',
    'openid/v1/jwks',
    'version',
  ]);
  for (const name of names) {
    const { paths, components } = json(await ask(leases, `/openapi/v3/${name}`));
    assert.ok(Object.keys(paths).includes(`/${name}/`), name);
    assert.equal(components.securitySchemes.BearerToken.in, 'header');
  }
});

it('gives the form that is asked for, and none where it has none', async () => {
  const protobuf = 'application/com.github.proto-openapi.spec.v';
  for (const [path, version] of [
    ['/openapi/v2', 2],
    ['/openapi/v3/apis/coordination.k8s.io/v1', 3],
  ] as const) {
    for (const dot of ['.', '@']) {
      const answer = await ask(leases, path, { accept: `text/html, ${protobuf}${version}${dot}v1.0+protobuf` });
      assert.equal(answer.contentType, `${protobuf}${version}.v1.0+protobuf`);
      // The first field is the version of the format.
      assert.equal(
        Buffer.from(answer.bytes as Buffer)
          .subarray(0, 4)
          .toString('latin1'),
        `\n${version === 2 ? '\u00032.' : '\u00053.'}`,
      );
    }
    assert.equal((await ask(leases, path, { accept: '*/*' })).contentType, 'application/json');
    const refused = await ask(leases, path, { accept: 'application/yaml' });
    assert.deepEqual([refused.code, refused.contentType, refused.bytes], [406, undefined, '']);
  }
});

it('sends the part that is asked for', async () => {
  const path = '/openapi/v3/version';
  const { bytes } = await ask(leases, path);
  const part = await ask(leases, path, { range: 'bytes=1-7' });
  assert.deepEqual([part.code, part.headers!['content-range']], [206, `bytes 1-7/${bytes.length}`]);
  assert.equal(String(part.bytes), '"openap');
  assert.equal((await ask(leases, path, { range: 'bytes=-3' })).bytes.length, 3);
  assert.equal((await ask(leases, path, { range: `bytes=${bytes.length}-` })).code, 416);
  assert.equal((await ask(leases, path, { range: 'bytes=1-7', 'if-range': '"other"' })).code, 200);
});

it('is unchanged since it was made', async () => {
  const openApi = createOpenApi(new ResourceRegistry(leases, []), 'v1.36.0', aggregation);
  const at = async (headers: Record<string, string>) =>
    (await openApi({
      method: 'GET',
      info: { path: '/openapi/v3/version' },
      tenant: 'red',
      accept: '',
      headers,
      query: { get: () => null },
    } as never)) as Extract<Answer, { type: 'bytes' }>;
  const modified = (await at({})).headers!['last-modified']!;
  assert.equal((await at({ 'if-modified-since': modified })).code, 304);
  assert.equal((await at({ 'if-modified-since': new Date(0).toUTCString() })).code, 200);
  assert.equal((await at({ 'if-unmodified-since': new Date(0).toUTCString() })).code, 412);
  assert.equal((await at({ 'if-match': '"other"' })).code, 412);
});
