import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CronJob, Job } from '../../api/generated/batch-v1.ts';
import { CRON_JOBS, JOBS } from '../../api/resources.ts';
import type { ApiRequest } from '../../api/transport.ts';
import { ManualClock } from '../../base/clock.ts';
import { settled, until } from '../../base/testing/until.ts';
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
async function start(
  t: any,
  spec?: object,
  onRequest?: (request: ApiRequest) => void,
): Promise<{ harness: Harness; clock: ManualClock }> {
  const clock = new ManualClock(startMs);
  const harness = createHarness(t, { clock, ...(onRequest !== undefined && { onRequest }) });
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
  await settled();
  clock.advance(byMs);
  await settled();
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

test('says what is wrong with a schedule, in upstream’s words', async (t) => {
  const eventsOf = async (spec: object) => {
    const { harness } = await start(t, spec);
    await until(() => harness.events().length > 0);
    return harness.events();
  };
  assert.deepEqual(await eventsOf({ timeZone: 'Mars/Base', suspend: true }), [
    'UnknownTimeZone: invalid timeZone: "Mars/Base": unknown time zone Mars/Base',
  ]);
  assert.deepEqual(await eventsOf({ schedule: 'TZ=Mars/Base * * * * *' }), [
    'UnsupportedSchedule: CRON_TZ or TZ used in schedule "TZ=Mars/Base * * * * *" is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
    'UnparseableSchedule: unparseable schedule: "TZ=Mars/Base * * * * *" : provided bad location Mars/Base: unknown time zone Mars/Base',
  ]);
  assert.deepEqual(await eventsOf({ schedule: '59 23 31 2 *' }), [
    'InvalidSchedule: invalid schedule: 59 23 31 2 * : time difference between two schedules is less than 1 second',
  ]);
  assert.equal(next('CRON_TZ=Europe/Berlin 0 12 * * *', '2026-01-01T00:00:00Z'), '2026-01-01T11:00:00.000Z');
});

test('tells of missed times: very many of them, and those whose deadline is over', async (t) => {
  const resume = ({ client }: Harness) =>
    client.resource(testTenant, CRON_JOBS, testNamespace).patch('tick', 'merge', { spec: { suspend: false } });
  const many = await start(t, { suspend: true });
  await advance(many.clock, 200 * 60_000);
  await resume(many.harness);
  await until(() =>
    many.harness
      .events()
      .includes(
        'TooManyMissedTimes: too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
      ),
  );
  await until(() => jobs(many.harness).length === 1);

  // The deadline bounds how far back a missed time is looked for, so only the very edge is told of.
  const edge = await start(t, { suspend: true, schedule: '0 * * * *', startingDeadlineSeconds: 3600 });
  await advance(edge.clock, Date.parse('2026-01-01T02:00:00.500Z') - startMs);
  await resume(edge.harness);
  await until(() => jobs(edge.harness).length === 1);
});

test('a schedule that changes begins with its next time', async (t) => {
  const { harness, clock } = await start(t, { schedule: '0 0 1 1 *' });
  const cronJobs = harness.client.resource<CronJob>(testTenant, CRON_JOBS, testNamespace);
  await advance(clock, 10 * 60_000);
  await cronJobs.patch('tick', 'merge', { spec: { schedule: '*/5 * * * *' } });
  await advance(clock, 0);
  assert.equal(jobs(harness).length, 0);
  await advance(clock, 5 * 60_000);
  await until(() => jobs(harness).length === 1);
  assert.equal(jobs(harness)[0]!.metadata.name, `tick-${Date.parse('2026-01-01T00:15:00Z') / 60_000}`);
  await cronJobs.patch('tick', 'merge', { spec: { schedule: 'not a schedule' } });
  const message = 'UnParseableCronJobSchedule: unparseable schedule for cronjob: not a schedule';
  await until(() => harness.events().includes(message));
});

test('a Job that cannot be deleted does not keep the next from starting', async (t) => {
  const { harness, clock } = await start(t, { successfulJobsHistoryLimit: 0 }, (request) => {
    if (request.method === 'DELETE') throw new Error('not now');
  });
  await advance(clock, 31_000);
  await until(() => jobs(harness).length === 1);
  await finish(harness, jobs(harness)[0]!.metadata.name);
  await until(() => harness.events().includes('FailedDelete: Deleted job: not now'));
  await advance(clock, 60_000);
  await until(() => jobs(harness).length === 2);
});
