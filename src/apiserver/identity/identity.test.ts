import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOSTS_GROUP, identityOfSubject, PLATFORM_GROUP } from './identity.ts';

const kindOf = (user: string, groups: string[], ...units: string[]) =>
  identityOfSubject({ user, groups, units })?.kind ?? 'nobody';

test('a certificate stands for one tenant’s user, a host or the platform, or for nobody', () => {
  assert.deepEqual(identityOfSubject({ user: 'alice', groups: ['dev'], units: ['tenant:red'] }), {
    name: 'alice',
    groups: ['dev', 'system:authenticated'],
    kind: 'tenant',
    tenant: 'red',
  });
  assert.equal(kindOf('alice', []), 'nobody');
  assert.equal(kindOf('alice', [], 'red'), 'nobody');
  assert.equal(kindOf('alice', [], 'tenant:red', 'tenant:blue'), 'nobody', 'which of them?');
  assert.equal(kindOf('alice', [], 'sales', 'tenant:red'), 'tenant');
  assert.equal(kindOf('operator', [PLATFORM_GROUP]), 'platform');
  assert.equal(identityOfSubject({ user: 'host:h1', groups: [HOSTS_GROUP], units: [] })?.hostName, 'h1');
  assert.equal(kindOf('h1', [HOSTS_GROUP]), 'nobody');
  assert.equal(kindOf('host:h1', [], 'tenant:red'), 'tenant', 'a name alone makes no host');
});
