import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOST_LEASE_NAMESPACE } from '../../api/pool.ts';
import type { Identity } from '../identity/identity.ts';
import type { AdmissionRequest } from './admission.ts';
import { hostRestriction } from './host-restriction.ts';

const host: Identity = { name: 'host:h1', groups: [], kind: 'host', hostName: 'h1' };
const creation = (resource: string, name: string, namespace = ''): AdmissionRequest =>
  ({
    operation: 'CREATE',
    definition: { group: '', version: 'v1', resource, kind: resource },
    subresource: '',
    tenant: 'system',
    namespace,
    name,
    object: { metadata: { name } },
    identity: host,
  }) as unknown as AdmissionRequest;
const isLetIn = (request: AdmissionRequest): boolean => {
  try {
    hostRestriction.validate!(request);
    return true;
  } catch (error) {
    assert.equal((error as { code: number }).code, 403);
    return false;
  }
};

test('what a host creates bears its own name', () => {
  assert.equal(isLetIn(creation('hosts', 'h1')), true);
  assert.equal(isLetIn(creation('hosts', 'h2')), false);
  assert.equal(isLetIn(creation('leases', 'h1', HOST_LEASE_NAMESPACE)), true);
  assert.equal(isLetIn(creation('leases', 'h2', HOST_LEASE_NAMESPACE)), false);
  assert.equal(isLetIn(creation('leases', 'h1', 'kube-system')), false);
  assert.equal(isLetIn(creation('events', 'pod.1', 'red')), true);
  assert.equal(isLetIn(creation('secrets', 'h1', 'red')), false);
});

test('looks at what hosts create, and at nothing else', () => {
  const request = creation('hosts', 'h1');
  assert.equal(hostRestriction.handles(request), true);
  assert.equal(hostRestriction.handles({ ...request, operation: 'UPDATE' }), false);
  assert.equal(hostRestriction.handles({ ...request, identity: { ...host, kind: 'platform' } }), false);
});
