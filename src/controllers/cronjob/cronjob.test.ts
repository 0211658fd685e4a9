import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CronJob, Job } from '../../api/generated/batch-v1.ts';
import { CRON_JOBS, JOBS } from '../../api/resources.ts';
import { ManualClock } from '../../base/clock.ts';
import { until } from '../../client/testing/until.ts';
import { createHarness, type Harness, testNamespace, testTenant } from '../testing/harness.ts';
import { createCronJobController } from './index.ts';
import { parseSchedule } from './schedule.ts';

const startMs = Date.parse('2026-01-01T00:00:30Z');
const next = (line: string, after: string, timeZone?: string) => {
  const atMs = parseSchedule(line, timeZone).next(Date.parse(after));
  return atMs === undefined ? undefined : new Date(atMs).toISOString();
};

test('schedules', () => {
  assert.equal(next('*/5 * * * *', '2026-01-01T00:02:10Z'), '2026-01-01T00:05:00.000Z');
  assert.equal(next('30 6-16/4 * * 1-5', '2026-01-03T00:00:00Z'), '2026-01-05T06:30:00.000Z');
  assert.equal(next('0 0 1,15 * MON', '2026-01-02T00:00:00Z'), '2026-01-05T00:00:00.000Z', 'either day counts');
  assert.equal(next('0 0 29 FEB *', '2026-01-01T00:00:00Z'), '2028-02-29T00:00:00.000Z');
  assert.equal(next('0 0 31 2 *', '2026-01-01T00:00:00Z'), undefined);
  assert.equal(next('@hourly', '2026-01-01T00:59:59Z'), '2026-01-01T01:00:00.000Z');
  assert.equal(next('@every 1h30m', '2026-01-01T00:00:10.500Z'), '2026-01-01T01:30:10.000Z');
  assert.equal(next('0 9 * * *', '2026-07-01T00:00:00Z', 'Europe/Berlin'), '2026-07-01T07:00:00.000Z');
  assert.equal(next('15 5 * * *', '2026-07-01T00:00:00Z', 'Asia/Kathmandu'), '2026-07-01T23:30:00.000Z');
  for (const wrong of ['* * * *', '60 * * * *', 'a * * * *', '*/0 * * * *', '5-1 * * * *', '@never', '* * * * 7']) {
    assert.throws(() => parseSchedule(wrong), Error, wrong);
  }
  assert.throws(() => parseSchedule('* * * * *', 'Mars/Olympus'), RangeError);
});

test('a skipped hour does not run, a repeated one runs twice', () => {
  const zone = 'America/New_York';
  assert.equal(next('30 2 * * *', '2026-03-08T05:00:00Z', zone), '2026-03-09T06:30:00.000Z');
  assert.equal(next('30 1 * * *', '2026-11-01T04:00:00Z', zone), '2026-11-01T05:30:00.000Z');
  assert.equal(next('30 1 * * *', '2026-11-01T05:30:00Z', zone), '2026-11-01T06:30:00.000Z');
  assert.equal(next('30 1 * * *', '2026-11-01T06:30:00Z', zone), '2026-11-02T06:30:00.000Z');
});

const draft = (spec: object = {}): any => ({
  metadata: { name: 'tick' },
  spec: { schedule: '* * * * *', jobTemplate: { spec: { template: { spec: { containers: [] } } } }, ...spec },
});
async function start(t: any, spec?: object): Promise<{ harness: Harness; clock: ManualClock }> {
  const clock = new ManualClock(startMs);
  const harness = createHarness(t, { clock });
  await harness.run(createCronJobController(harness.dependencies));
  await harness.create(CRON_JOBS, draft(spec));
  return { harness, clock };
}
const jobs = (harness: Harness) => harness.all<Job>(JOBS);
const cronJobOf = (harness: Harness) => harness.get<CronJob>(CRON_JOBS, 'tick')!;
const finish = (harness: Harness, name: string, type = 'Complete') =>
  harness.client.resource(testTenant, JOBS, testNamespace).patch(
    name,
    'merge',
    {
      status: {
        startTime: '2026-01-01T00:00:00Z',
        completionTime: '2026-01-01T00:01:30Z',
        conditions: [{ type, status: 'True' }],
      },
    },
    'status',
  );
/** Moves on minute by minute, as time does, waiting for the controller to fall asleep in between. */
async function advance(clock: ManualClock, byMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  clock.advance(byMs);
  await new Promise((resolve) => setTimeout(resolve, 20));
}

test('starts a Job a minute, and keeps as many as the limits say', async (t) => {
  const { harness, clock } = await start(t, { successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 1 });
  await advance(clock, 31_000);
  await until(() => jobs(harness).length === 1);
  const [job] = jobs(harness);
  assert.equal(job!.metadata.name, `tick-${Date.parse('2026-01-01T00:01:00Z') / 60_000}`);
  assert.equal(job!.metadata.annotations!['batch.kubernetes.io/cronjob-scheduled-timestamp'], '2026-01-01T00:01:00Z');
  await until(() => cronJobOf(harness).status?.active?.length === 1);
  assert.equal(cronJobOf(harness).status!.lastScheduleTime, '2026-01-01T00:01:00Z');
  await finish(harness, job!.metadata.name);
  await until(() => cronJobOf(harness).status?.active?.length === 0);
  assert.equal(cronJobOf(harness).status!.lastSuccessfulTime, '2026-01-01T00:01:30Z');
  await advance(clock, 60_000);
  await until(() => jobs(harness).length === 2);
  await finish(harness, jobs(harness)[1]!.metadata.name);
  await until(() => jobs(harness).length === 1);
  await until(() => harness.events().some((event) => event.startsWith('SawCompletedJob: Saw completed job: tick-')));
});

test('Forbid waits for the Job that runs; Replace ends it', async (t) => {
  const forbid = await start(t, { concurrencyPolicy: 'Forbid' });
  await advance(forbid.clock, 31_000);
  await until(() => cronJobOf(forbid.harness).status?.active?.length === 1);
  await advance(forbid.clock, 60_000);
  await until(() => forbid.harness.events().some((event) => event.startsWith('JobAlreadyActive')));
  assert.equal(jobs(forbid.harness).length, 1);

  const replace = await start(t, { concurrencyPolicy: 'Replace' });
  await advance(replace.clock, 31_000);
  await until(() => cronJobOf(replace.harness).status?.active?.length === 1);
  const first = jobs(replace.harness)[0]!.metadata.name;
  await advance(replace.clock, 60_000);
  await until(() => jobs(replace.harness).length === 1 && jobs(replace.harness)[0]!.metadata.name !== first);
});

test('of many missed times one runs, unless it is too late', async (t) => {
  const late = await start(t, { suspend: true });
  await advance(late.clock, 20 * 60_000);
  assert.equal(jobs(late.harness).length, 0);
  await late.harness.client
    .resource(testTenant, CRON_JOBS, testNamespace)
    .patch('tick', 'merge', { spec: { suspend: false } });
  await until(() => jobs(late.harness).length === 1);
  assert.equal(jobs(late.harness)[0]!.metadata.name, `tick-${Date.parse('2026-01-01T00:20:00Z') / 60_000}`);

  const tooLate = await start(t, { suspend: true, schedule: '0 * * * *', startingDeadlineSeconds: 100 });
  await advance(tooLate.clock, 90 * 60_000);
  await tooLate.harness.client
    .resource(testTenant, CRON_JOBS, testNamespace)
    .patch('tick', 'merge', { spec: { suspend: false } });
  await advance(tooLate.clock, 0);
  assert.equal(jobs(tooLate.harness).length, 0);
});
