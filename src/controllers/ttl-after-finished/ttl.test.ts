import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job } from '../../api/generated/batch-v1.ts';
import { JOBS } from '../../api/resources.ts';
import { ManualClock } from '../../base/clock.ts';
import { settled, until } from '../../base/testing/until.ts';
import { createHarness } from '../testing/harness.ts';
import { createTtlAfterFinishedController } from './index.ts';

test('a finished Job goes when its time is over, and not before', async (t) => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const harness = createHarness(t, { clock });
  await harness.run(createTtlAfterFinishedController(harness.dependencies));
  const draft = (name: string, spec: object, type: string): any => ({
    metadata: { name },
    spec,
    status: { conditions: [{ type, status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }] },
  });
  await harness.create<Job>(JOBS, draft('soon', { ttlSecondsAfterFinished: 10 }, 'Complete'));
  await harness.create<Job>(JOBS, draft('failed', { ttlSecondsAfterFinished: 10 }, 'Failed'));
  await harness.create<Job>(JOBS, draft('kept', {}, 'Complete'));
  await harness.create<Job>(JOBS, draft('running', { ttlSecondsAfterFinished: 0 }, 'Suspended'));
  await settled();
  clock.advance(9000);
  await settled();
  assert.equal(harness.all(JOBS).length, 4);
  clock.advance(1000);
  const isOver = (name: string) => {
    const job = harness.get<Job>(JOBS, name);
    // Foreground: the garbage collector, which does not run here, lets it go.
    return job === undefined || job.metadata.deletionTimestamp !== undefined;
  };
  await until(() => isOver('soon') && isOver('failed'));
  assert.deepEqual(['kept', 'running'].filter(isOver), []);
});
