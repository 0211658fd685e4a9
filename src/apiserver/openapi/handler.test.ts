import assert from 'node:assert/strict';
import { it } from 'node:test';
import { builtinResources } from '../../api/resources/index.ts';
import type { Answer } from '../answer.ts';
import { ResourceRegistry } from '../registry.ts';
import { createOpenApi } from './handler.ts';

const aggregation = { remotes: () => [] } as never;

function ask(resources: typeof builtinResources, path: string, headers: Record<string, string> = {}, hash?: string) {
  const answer = createOpenApi(
    new ResourceRegistry(resources, []),
    'v1',
    aggregation,
  )({
    info: { path },
    tenant: 'red',
    accept: 'application/json',
    headers,
    query: { get: (name: string) => (name === 'hash' ? (hash ?? null) : null) },
  } as never);
  return answer as Extract<Answer, { type: 'bytes' }>;
}

const leases = builtinResources.filter(({ resource }) => resource === 'leases');

it('sends a document once to who keeps it', () => {
  for (const path of ['/openapi/v2', '/openapi/v3/apis/coordination.k8s.io/v1']) {
    const first = ask(leases, path);
    const { etag } = first.headers!;
    assert.equal(first.code, 200);
    assert.match(etag!, /^"[0-9A-F]{32}"$/);
    const again = ask(leases, path, { 'if-none-match': `"other", ${etag}` });
    assert.deepEqual([again.code, again.bytes, again.headers!['etag']], [304, '', etag]);
    const changed = leases.map((definition) => ({ ...definition, kind: 'Other' }));
    assert.notEqual(ask(changed, path).headers!['etag'], etag);
  }
});

it('says that a document may be kept only under its own hash', () => {
  const path = '/openapi/v3/apis/coordination.k8s.io/v1';
  const list = ask(leases, '/openapi/v3') as unknown as {
    object: { paths: Record<string, { serverRelativeURL: string }> };
  };
  const hash = list.object.paths['apis/coordination.k8s.io/v1']!.serverRelativeURL.split('hash=')[1]!;
  assert.equal(ask(leases, path, {}, hash).headers!['cache-control'], 'public, immutable');
  assert.equal(ask(leases, path, {}, 'old').headers!['cache-control'], undefined);
});
