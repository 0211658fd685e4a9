import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALL_TENANTS, SYSTEM_TENANT } from '../../api/tenants.ts';
import { anonymous, type Identity, platformIdentity } from '../identity/identity.ts';
import type { RequestContext } from '../request-context.ts';
import { tenantResolutionFilter } from './tenant-resolution.ts';

const bornMs = Date.parse('2026-01-01T00:00:00Z');
const filter = tenantResolutionFilter(
  async (tenant) => ['red', 'blue', SYSTEM_TENANT].includes(tenant),
  (tenant) => (tenant === 'red' ? { uid: 'second', bornMs } : undefined),
);
const userOf = (tenant: string, more: object = {}): Identity => ({
  name: 'u',
  groups: [],
  kind: 'tenant',
  tenant,
  ...more,
});
const host: Identity = { name: 'host:h1', groups: [], kind: 'host', hostName: 'h1' };
const operator = platformIdentity('operator');

/** The tenant whose API is meant, or the code of the refusal. */
async function meant(identity: Identity, tenantPrefix: string | undefined, verb = 'list'): Promise<string | number> {
  const info = { tenantPrefix, verb, isResourceRequest: true };
  const context = { identity, info, tenant: '', showTenant: false } as unknown as RequestContext;
  try {
    await filter(context, async () => ({ type: 'empty' }) as never);
    return context.tenant;
  } catch (error) {
    return (error as { code: number }).code;
  }
}

test('a credential of a tenant is good for that one alone, whether another exists or not', async () => {
  assert.equal(await meant(userOf('red'), undefined), 'red');
  assert.equal(await meant(userOf('red'), 'red'), 'red');
  for (const other of ['blue', 'nobody', SYSTEM_TENANT, ALL_TENANTS, ''])
    assert.equal(await meant(userOf('red'), other), 403, other);
  assert.equal(await meant(userOf('gone'), undefined), 404);
});

test('a host speaks to the system tenant only', async () => {
  assert.equal(await meant(host, undefined), SYSTEM_TENANT);
  assert.equal(await meant(host, SYSTEM_TENANT), SYSTEM_TENANT);
  for (const other of ['red', 'nobody', ALL_TENANTS]) assert.equal(await meant(host, other), 403, other);
});

test('components of the platform speak to any tenant, and hear of all of them at once', async () => {
  assert.equal(await meant(operator, undefined), SYSTEM_TENANT);
  assert.equal(await meant(operator, 'blue'), 'blue');
  assert.equal(await meant(operator, 'nobody'), 404);
  for (const verb of ['list', 'watch']) assert.equal(await meant(operator, ALL_TENANTS, verb), ALL_TENANTS);
  for (const verb of ['get', 'create', 'update', 'patch', 'delete', 'deletecollection'])
    assert.equal(await meant(operator, ALL_TENANTS, verb), 400, verb);
});

test('strangers learn of no tenant whether it exists', async () => {
  assert.equal(await meant(anonymous, 'red'), 'red');
  for (const asked of [undefined, 'nobody', ALL_TENANTS]) assert.equal(await meant(anonymous, asked), '');
});

test('what an earlier tenant of the name gave out opens nothing', async () => {
  const clocksDifferMs = 60_000;
  assert.equal(await meant(userOf('red', { issuedMs: bornMs - clocksDifferMs - 1 }), undefined), 401);
  assert.equal(await meant(userOf('red', { issuedMs: bornMs - clocksDifferMs }), undefined), 'red');
  assert.equal(await meant(userOf('red', { issuedMs: bornMs, tenantUid: 'first' }), undefined), 401);
  assert.equal(
    await meant(userOf('red', { issuedMs: 0, tenantUid: 'second' }), undefined),
    'red',
    'clocks may be wrong',
  );
  assert.equal(await meant(userOf('blue', { issuedMs: 0 }), undefined), 'blue', 'nobody knows since when there is');
});
