import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConfigMap, Pod, Secret, ServiceAccount } from '../../api/generated/core-v1.ts';
import { secretsOf } from '../../api/pods/pod-secrets.ts';
import { CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS } from '../../api/resources.ts';
import { TOKEN_INVALID_SINCE_LABEL, TOKEN_LAST_USED_LABEL, TOKEN_SECRET_TYPE } from '../../api/well-known.ts';
import { ManualClock } from '../../base/clock.ts';
import { until } from '../../base/testing/until.ts';
import { createHarness, testTenant } from '../testing/harness.ts';
import { evaluateToken, isDay } from './evaluate.ts';
import { createLegacyTokenControllers, TRACKING_CONFIG_MAP } from './index.ts';

const dayMs = 24 * 3_600_000;
const nowMs = Date.parse('2026-06-15T12:00:00Z');

interface Case {
  labels?: Record<string, string>;
  created?: string;
  deleted?: boolean;
  type?: string;
  listed?: boolean;
  account?: boolean;
  mounted?: boolean;
  since?: string;
}

const verdictOf = (given: Case) => {
  const {
    labels,
    created = '2025-01-01T00:00:00Z',
    deleted,
    type = TOKEN_SECRET_TYPE,
    listed = true,
    account = true,
  } = given;
  const metadata = {
    name: 'token',
    creationTimestamp: created,
    ...(labels !== undefined && { labels }),
    ...(deleted && { deletionTimestamp: created }),
  };
  const owner = { metadata: { name: 'a' }, secrets: listed ? [{ name: 'token' }] : [] };
  const facts = {
    secret: { metadata, type } as unknown as Secret,
    account: account ? (owner as unknown as ServiceAccount) : undefined,
    isMounted: () => given.mounted === true,
    trackedSince: given.since ?? '2025-01-01',
  };
  return evaluateToken(facts, 30 * dayMs, nowMs);
};

test('a token is kept, marked or deleted', () => {
  const cases: [string, Case, string][] = [
    ['never used', {}, 'invalidate'],
    ['used long ago', { labels: { [TOKEN_LAST_USED_LABEL]: '2026-05-15' } }, 'invalidate'],
    ['used on the last day that counts', { labels: { [TOKEN_LAST_USED_LABEL]: '2026-05-16' } }, 'keep'],
    ['used on no day', { labels: { [TOKEN_LAST_USED_LABEL]: 'yesterday' } }, 'keep'],
    ['young', { created: '2026-05-17T00:00:00Z' }, 'keep'],
    ['going', { deleted: true }, 'keep'],
    ['of another type', { type: 'Opaque' }, 'keep'],
    ['made by hand', { listed: false }, 'keep'],
    ['of nobody', { account: false }, 'keep'],
    ['mounted', { mounted: true }, 'keep'],
    ['not tracked', { since: '' }, 'keep'],
    ['not tracked for long', { since: '2026-05-16' }, 'keep'],
    ['just tracked for long enough', { since: '2026-05-15' }, 'invalidate'],
    ['marked lately', { labels: { [TOKEN_INVALID_SINCE_LABEL]: '2026-05-16' } }, 'keep'],
    ['marked long ago', { labels: { [TOKEN_INVALID_SINCE_LABEL]: '2026-05-15' } }, 'delete'],
    ['marked in no way', { labels: { [TOKEN_INVALID_SINCE_LABEL]: 'x' } }, 'invalidate'],
    [
      'marked long ago and used since',
      { labels: { [TOKEN_INVALID_SINCE_LABEL]: '2026-05-01', [TOKEN_LAST_USED_LABEL]: '2026-06-01' } },
      'keep',
    ],
  ];
  for (const [name, given, expected] of cases) assert.equal(verdictOf(given), expected, name);
  assert.deepEqual(['2026-02-28', '2026-02-30', '2026-2-3', undefined].map(isDay), [true, false, false, false]);
});

test('a pod’s secrets are found wherever it names them', () => {
  const spec = {
    imagePullSecrets: [{ name: 'pull' }],
    volumes: [
      { name: 'v', secret: { secretName: 'mounted' } },
      { name: 'w', projected: { sources: [{ secret: { name: 'projected' } }, { configMap: { name: 'no' } }] } },
      { name: 'x', csi: { driver: 'd', nodePublishSecretRef: { name: 'published' } } },
    ],
    containers: [{ name: 'c', envFrom: [{ secretRef: { name: 'all' } }] }],
    initContainers: [{ name: 'i', env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 'one', key: 'k' } } }] }],
  };
  const found = secretsOf({ metadata: {}, spec } as unknown as Pod);
  assert.deepEqual([...found].toSorted(), ['all', 'mounted', 'one', 'projected', 'published', 'pull']);
});

test('tokens are tracked where there are any; what is not used is marked, and goes', async (t) => {
  const clock = new ManualClock(nowMs);
  const harness = createHarness(t, { clock });
  const controllers = createLegacyTokenControllers(harness.dependencies, 2 * dayMs);
  await harness.create<ServiceAccount>(SERVICE_ACCOUNTS, {
    metadata: { name: 'robot', namespace: 'default' },
    secrets: [{ name: 'token' }],
  } as any);
  await harness.run(...controllers);
  assert.equal(harness.all(CONFIG_MAPS).length, 0);
  const annotations = { 'kubernetes.io/service-account.name': 'robot' };
  await harness.create<Secret>(SECRETS, { metadata: { name: 'token', annotations }, type: TOKEN_SECRET_TYPE } as any);
  const tracked = () => harness.get<ConfigMap>(CONFIG_MAPS, TRACKING_CONFIG_MAP)?.data?.['since'];
  await until(() => tracked() === '2026-06-15');
  const maps = harness.client.resource<ConfigMap>(testTenant, CONFIG_MAPS, 'kube-system');
  await maps.patch(TRACKING_CONFIG_MAP, 'merge', { data: { since: 'ever' } });
  await until(() => tracked() === '2026-06-15');
  const label = () => harness.get<Secret>(SECRETS, 'token')?.metadata.labels?.[TOKEN_INVALID_SINCE_LABEL];
  const passDays = (until_: () => boolean) =>
    until(() => {
      if (until_()) return true;
      clock.advance(dayMs);
      return false;
    });
  await passDays(() => label() !== undefined);
  assert.ok(label()! >= '2026-06-18');
  await passDays(() => harness.get(SECRETS, 'token') === undefined);
});
