import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../base/clock.ts';
import type { Objects } from '../objects.ts';
import { bootstrapIdentity } from './bootstrap-tokens.ts';

const now = Date.parse('2026-01-01T00:00:00Z');
const encoded = (data: Record<string, string>) =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));
const good = {
  'token-id': 'abcdef',
  'token-secret': '0123456789abcdef',
  'usage-bootstrap-authentication': 'true',
};

async function identityOf(data: Record<string, string>, more: object = {}, token = 'abcdef.0123456789abcdef') {
  const object = { metadata: {}, type: 'bootstrap.kubernetes.io/token', data: encoded({ ...good, ...data }), ...more };
  const objects = {
    get: async (_resource: object, tenant: string, namespace: string, name: string) =>
      `${tenant}/${namespace}/${name}` === 'red/kube-system/bootstrap-token-abcdef' ? { object } : undefined,
  } as unknown as Objects;
  return bootstrapIdentity(objects, new ManualClock(now), 'red', token);
}

test('a bootstrap token stands for its own user and groups, in its tenant', async () => {
  assert.deepEqual(await identityOf({}), {
    name: 'system:bootstrap:abcdef',
    groups: ['system:bootstrappers', 'system:authenticated'],
    kind: 'tenant',
    tenant: 'red',
  });
  const grouped = await identityOf({ 'auth-extra-groups': 'system:bootstrappers:b,system:bootstrappers:a' });
  const groups = ['system:bootstrappers', 'system:bootstrappers:a', 'system:bootstrappers:b', 'system:authenticated'];
  assert.deepEqual(grouped?.groups, groups);
  assert.ok(await identityOf({ expiration: '2026-01-01T00:00:01Z' }));
  assert.ok(await identityOf({ expiration: '2026-01-01T00:30:00+00:00' }));
});

test('what is not exactly such a token stands for nobody', async () => {
  const refused: [Record<string, string>, object?, string?][] = [
    [{ expiration: '2026-01-01T00:00:00Z' }],
    // None of these is a time to Kubernetes, and the cleaner takes them for over.
    [{ expiration: '2030' }],
    [{ expiration: '2030-01-01' }],
    [{ expiration: 'Jan 1 2030' }],
    [{ expiration: '2030-01-01T00:00:00' }],
    [{ 'usage-bootstrap-authentication': 'True' }],
    [{ 'token-id': 'abcdeg' }],
    [{ 'token-secret': '0123456789abcdeF' }],
    [{ 'auth-extra-groups': 'system:masters' }],
    [{ 'auth-extra-groups': 'system:bootstrappers:a,' }],
    [{}, { type: 'Opaque' }],
    [{}, { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }],
    [{}, {}, 'abcdef.0123456789abcdeg'],
    [{}, {}, 'ABCDEF.0123456789abcdef'],
    [{}, {}, 'abcdef.0123456789abcdef\n'],
  ];
  for (const [data, more, token] of refused) {
    assert.equal(await identityOf(data, more, token), undefined, JSON.stringify([data, more, token]));
  }
});
