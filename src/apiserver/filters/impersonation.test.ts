import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALL_TENANTS } from '../../api/tenants.ts';
import { type Identity, platformIdentity } from '../identity/identity.ts';
import type { RequestContext } from '../request-context.ts';
import { impersonationFilter } from './impersonation.ts';

const everything = impersonationFilter({
  authorize: () => ({ allowed: true, reason: '' }),
  rules: () => ({ rules: [], errors: [] }),
});

/** Who asks in the end. */
async function asker(tenant: string, ...rawHeaders: string[]): Promise<Identity> {
  const identity = platformIdentity('operator');
  const context = { identity, tenant, rawHeaders, info: { verb: 'get' }, query: new Map(), showTenant: true };
  let asked: RequestContext | undefined;
  await everything(context as unknown as RequestContext, async (further) => {
    asked = further;
    return { type: 'empty' } as never;
  });
  return asked!.identity;
}

test('who is impersonated is one of the tenant whose API is asked, whoever asks', async () => {
  const { kind, tenant, groups } = await asker('red', 'Impersonate-User', 'operator', 'Impersonate-Group', 'dev');
  assert.deepEqual(
    { kind, tenant, groups },
    { kind: 'tenant', tenant: 'red', groups: ['dev', 'system:authenticated'] },
  );
  assert.equal((await asker('red')).kind, 'platform', 'without headers nobody is');
});

test('nobody is impersonated in all tenants at once', async () => {
  await assert.rejects(asker(ALL_TENANTS, 'Impersonate-User', 'alice'), { code: 400 });
});
