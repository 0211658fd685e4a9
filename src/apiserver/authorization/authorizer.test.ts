// The boundaries that no role reaches over: between tenants, around the platform, and around what a host may do.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HOST_LEASE_NAMESPACE } from '../../api/pool.ts';
import { SYSTEM_TENANT } from '../../api/tenants.ts';
import { type Identity, platformIdentity } from '../identity/identity.ts';
import { type Attributes, resourceAttributes } from './attributes.ts';
import { createAuthorizer } from './authorizer.ts';

const everyRule = { rules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }], errors: [] };
/** Within a tenant, roles say yes to everything: what is refused here is refused before them. */
const authorizer = createAuthorizer(
  (group) => group === 'pool.skypod.io',
  { authorize: () => ({ allowed: true, reason: 'a role' }), rules: async () => everyRule },
  {
    hostOfInstance: async (namespace, name) =>
      namespace === 'red' && name === 'own' ? 'h1' : name === 'other' ? 'h2' : undefined,
    hasInstancesOf: async (hostName, namespace) => hostName === 'h1' && namespace === 'red',
  },
);
const userOf = (tenant: string, ...groups: string[]): Identity => ({ name: 'u', groups, kind: 'tenant', tenant });
const host: Identity = { name: 'host:h1', groups: ['skypod:hosts'], kind: 'host', hostName: 'h1' };
const allowed = async (identity: Identity, attributes: Attributes) =>
  (await authorizer.authorize(identity, attributes)).allowed;

describe('the boundary between tenants', () => {
  const secrets = (tenant: string) => resourceAttributes(tenant, { verb: 'get', group: '', resource: 'secrets' });

  it('is closed to whoever is of another one, masters too', async () => {
    for (const user of [userOf('red'), userOf('red', 'system:masters')]) {
      assert.equal(await allowed(user, secrets('red')), true);
      for (const tenant of ['blue', SYSTEM_TENANT, '*', '']) assert.equal(await allowed(user, secrets(tenant)), false);
    }
    assert.equal(await allowed(platformIdentity('controllers'), secrets('blue')), true);
  });

  it('shows no rules of another one, and a host none at all', async () => {
    assert.deepEqual(await authorizer.rules(userOf('red'), 'red', 'default'), everyRule);
    assert.deepEqual(await authorizer.rules(userOf('red'), 'blue', 'default'), { rules: [], errors: [] });
    assert.deepEqual(await authorizer.rules(host, SYSTEM_TENANT, 'red'), { rules: [], errors: [] });
  });

  it('leaves what belongs to the platform to it', async () => {
    const instances = resourceAttributes('red', {
      verb: 'list',
      group: 'pool.skypod.io',
      resource: 'containerinstances',
    });
    assert.equal(await allowed(userOf('red', 'system:masters'), instances), false);
  });
});

describe('a host', () => {
  const may = async (
    verb: string,
    what: string,
    {
      namespace = '',
      name = '',
      fieldSelector = '',
    }: { namespace?: string; name?: string; fieldSelector?: string } = {},
  ) => {
    const [path = '', subresource = ''] = what.split('/');
    const [resource = '', ...group] = path.split('.');
    const access = { verb, group: group.join('.'), resource, subresource, namespace, name };
    return allowed(host, { ...resourceAttributes(SYSTEM_TENANT, access), fieldSelector });
  };
  const instances = 'containerinstances.pool.skypod.io';

  it('lists the instances bound to it, and no others', async () => {
    for (const verb of ['list', 'watch']) {
      assert.equal(await may(verb, instances, { fieldSelector: 'spec.hostName=h1' }), true);
      for (const fieldSelector of [
        '',
        'spec.hostName=h2',
        'spec.hostName!=h1',
        'spec.hostName=h1\\,x',
        'metadata.name=h1',
      ])
        assert.equal(await may(verb, instances, { fieldSelector }), false, fieldSelector);
    }
  });

  it('reads, ends and reports on its own instances, and changes what none of them is to be', async () => {
    const own = { namespace: 'red', name: 'own' };
    for (const [verb, what, right] of [
      ['get', instances, true],
      ['delete', instances, true],
      ['patch', `${instances}/status`, true],
      ['update', `${instances}/status`, true],
      ['update', instances, false],
      ['patch', instances, false],
      ['create', instances, false],
      ['deletecollection', instances, false],
      ['create', `${instances}/binding`, false],
    ] as const) {
      assert.equal(await may(verb, what, own), right, `${verb} ${what}`);
      assert.equal(await may(verb, what, { namespace: 'red', name: 'other' }), false, `${verb} ${what} of another`);
      assert.equal(await may(verb, what, { namespace: 'red', name: 'unbound' }), false, `${verb} ${what}, unbound`);
      assert.equal(await may(verb, what, { namespace: 'red' }), false, `${verb} ${what} without a name`);
    }
  });

  it('has a Host and a Lease of its own name', async () => {
    for (const [what, namespace] of [
      ['hosts.pool.skypod.io', ''],
      ['leases.coordination.k8s.io', HOST_LEASE_NAMESPACE],
    ] as const) {
      assert.equal(await may('create', what, { namespace }), true, 'admission looks at the name');
      for (const verb of ['get', 'watch', 'update', 'patch']) {
        assert.equal(await may(verb, what, { namespace, name: 'h1' }), true, `${verb} ${what}`);
        assert.equal(await may(verb, what, { namespace, name: 'h2' }), false, `${verb} ${what} of another`);
        assert.equal(await may(verb, what, { namespace }), false, `${verb} ${what} of all`);
      }
      assert.equal(await may('delete', what, { namespace, name: 'h1' }), false);
    }
    assert.equal(await may('patch', 'hosts.pool.skypod.io/status', { name: 'h1' }), true);
    assert.equal(await may('patch', 'hosts.pool.skypod.io/status', { name: 'h2' }), false);
    assert.equal(await may('get', 'leases.coordination.k8s.io', { namespace: 'kube-system', name: 'h1' }), false);
    assert.equal(await may('create', 'leases.coordination.k8s.io', { namespace: 'kube-system' }), false);
  });

  it('reads services of the tenants it carries, and tells of their pods', async () => {
    const services = 'vpcservices.network.skypod.io';
    for (const [verb, what] of [
      ['list', services],
      ['watch', services],
      ['create', 'events'],
      ['patch', 'events.events.k8s.io'],
    ] as const) {
      assert.equal(await may(verb, what, { namespace: 'red' }), true, `${verb} ${what}`);
      assert.equal(await may(verb, what, { namespace: 'blue' }), false, `${verb} ${what} of a tenant it carries not`);
      assert.equal(await may(verb, what), false, `${verb} ${what} of all`);
    }
    assert.equal(await may('update', services, { namespace: 'red' }), false);
    assert.equal(await may('list', 'events', { namespace: 'red' }), false);
    assert.equal(await may('get', 'secrets', { namespace: 'red', name: 's' }), false);
  });

  it('asks what there is', async () => {
    const asked = (path: string): Attributes => ({
      ...resourceAttributes(SYSTEM_TENANT, { verb: 'get', group: '', resource: '' }),
      isResourceRequest: false,
      path,
    });
    for (const path of ['/api', '/apis/apps/v1', '/healthz', '/version'])
      assert.equal(await allowed(host, asked(path)), true, path);
    for (const path of ['/metrics', '/debug', '/apiary']) assert.equal(await allowed(host, asked(path)), false, path);
  });
});
