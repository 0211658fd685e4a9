import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECRETS } from '../../api/resources.ts';
import { ManualClock } from '../../base/clock.ts';
import { until } from '../../base/testing/until.ts';
import { createHarness } from '../testing/harness.ts';
import { createBootstrapTokenCleaner, endOfTokenMs } from './index.ts';

const data = (expiration: string) => ({ expiration: Buffer.from(expiration).toString('base64') });

test('a token ends when it says, one that cannot be read has ended, one that says nothing never does', () => {
  assert.equal(endOfTokenMs({ data: data('2026-01-01T00:01:00Z') } as any), Date.parse('2026-01-01T00:01:00Z'));
  assert.equal(endOfTokenMs({ data: data('tomorrow') } as any), 0);
  assert.equal(endOfTokenMs({} as any), undefined);
});

test('tokens go when their time is over, other secrets stay', async (t) => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const harness = createHarness(t, { clock });
  const token = (name: string, expiration: string, type = 'bootstrap.kubernetes.io/token') =>
    harness.create(SECRETS, { metadata: { name, namespace: 'kube-system' }, type, data: data(expiration) } as any);
  await token('over', '2025-12-31T00:00:00Z');
  await token('soon', '2026-01-01T00:01:00Z');
  await token('later', '2027-01-01T00:00:00Z');
  await token('other', '2025-12-31T00:00:00Z', 'Opaque');
  await harness.run(createBootstrapTokenCleaner(harness.dependencies));
  const left = () => harness.all(SECRETS).map(({ metadata }) => metadata.name);
  await until(() => left().length === 3);
  await until(() => {
    clock.advance(10_000);
    return left().length === 2;
  });
  assert.deepEqual(left().sort(), ['later', 'other']);
});
