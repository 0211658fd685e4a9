import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MalformedPathError, parseRequestInfo } from './request-info.ts';

const parse = (path: string) => parseRequestInfo('GET', path, new URLSearchParams());

describe('the parsed path', () => {
  it('is what its escapes stand for, however a path is spelled', () => {
    assert.equal(parse('/%6civez').path, '/livez');
    assert.equal(parse('/readyz/%70ing').path, '/readyz/ping');
    const { isResourceRequest, group, version, resource, namespace, name, subresource, path, rawPath } = parse(
      '/%61pis/%61pps/%761/name%73paces/d%65fault/deploy%6dents/a%2Eb/%73cale',
    );
    assert.deepEqual(
      { isResourceRequest, group, version, resource, namespace, name, subresource },
      {
        isResourceRequest: true,
        group: 'apps',
        version: 'v1',
        resource: 'deployments',
        namespace: 'default',
        name: 'a.b',
        subresource: 'scale',
      },
    );
    assert.equal(path, '/apis/apps/v1/namespaces/default/deployments/a.b/scale');
    assert.equal(rawPath, '/%61pis/%61pps/%761/name%73paces/d%65fault/deploy%6dents/a%2Eb/%73cale');
  });

  it('is decoded once', () => {
    assert.equal(parse('/%256civez').path, '/%6civez');
    assert.equal(parse('/api/v1/namespaces/a%2562').namespace, 'a%62');
    assert.equal(parse('/clusters/a%2562/livez').tenantPrefix, 'a%62');
  });

  it('has no more segments for slashes that are encoded', () => {
    assert.equal(parse('/version%2Fx').path, '/version%2Fx');
    assert.equal(parse('/api%2Fv1/secrets').isResourceRequest, false);
    const { name, subresource } = parse('/api/v1/namespaces/default/pods/x%2Flog');
    assert.deepEqual({ name, subresource }, { name: 'x/log', subresource: '' });
  });

  it('leaves what is passed on as it was sent', () => {
    assert.equal(parse('/api/v1/namespaces/default/services/web/%70roxy/a%2Fb/%41').rest, 'a%2Fb/%41');
  });

  it('is refused where its escapes are broken', () => {
    assert.throws(() => parse('/%zz'), MalformedPathError);
  });
});
