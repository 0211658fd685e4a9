import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { JOBS, PODS } from '../../api/resources.ts';
import { until } from '../../client/testing/until.ts';
import { createHarness, type Harness, testNamespace, testTenant } from '../testing/harness.ts';
import { createJobController } from './index.ts';
import { IndexSet } from './indexes.ts';
import { TRACKING_FINALIZER } from './pods.ts';

const draft = (spec: object = {}): any => ({
  metadata: { name: 'work' },
  spec: {
    parallelism: 1,
    completions: 1,
    backoffLimit: 6,
    template: { metadata: {}, spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } },
    ...spec,
  },
});
async function start(t: any): Promise<Harness> {
  const harness = createHarness(t);
  await harness.run(createJobController(harness.dependencies));
  return harness;
}
const jobOf = (harness: Harness) => harness.get<Job>(JOBS, 'work')!;
const podsClient = (harness: Harness) => harness.client.resource<Pod>(testTenant, PODS, testNamespace);
const running = (harness: Harness) =>
  harness
    .all<Pod>(PODS)
    .filter(
      (pod) =>
        pod.metadata.deletionTimestamp === undefined && !['Succeeded', 'Failed'].includes(pod.status?.phase ?? ''),
    );
async function end(
  harness: Harness,
  pod: Pod,
  phase: string,
  exitCode = phase === 'Succeeded' ? 0 : 1,
  finishedAt = '2020-01-01T00:00:00Z',
) {
  const containerStatuses = [{ name: 'c', restartCount: 0, state: { terminated: { exitCode, finishedAt } } }];
  await podsClient(harness).patch(pod.metadata.name, 'merge', { status: { phase, containerStatuses } }, 'status');
}
const conditions = (harness: Harness) =>
  (jobOf(harness).status?.conditions ?? []).map(({ type, status, reason }) => `${type} ${status} ${reason}`);

test('runs to completion, counts each pod once and frees it', async (t) => {
  const harness = await start(t);
  await harness.create(JOBS, draft({ parallelism: 2, completions: 5 }));
  for (let round = 0; round < 5; round++) {
    await until(() => running(harness).length === Math.min(2, 5 - round));
    await end(harness, running(harness)[0]!, 'Succeeded');
  }
  await until(() => conditions(harness).length === 2);
  const { status } = jobOf(harness);
  assert.deepEqual(conditions(harness), [
    'SuccessCriteriaMet True CompletionsReached',
    'Complete True CompletionsReached',
  ]);
  assert.equal(status!.succeeded, 5);
  assert.equal(status!.failed, undefined);
  assert.equal(status!.active, undefined);
  assert.ok(status!.completionTime);
  assert.deepEqual(status!.uncountedTerminatedPods, {});
  assert.equal(harness.all(PODS).length, 5);
  assert.ok(harness.all<Pod>(PODS).every((pod) => !(pod.metadata.finalizers ?? []).includes(TRACKING_FINALIZER)));
  assert.ok(harness.all<Pod>(PODS).every((pod) => pod.metadata.labels!['batch.kubernetes.io/job-name'] === 'work'));
  await until(() => harness.events().includes('Completed: Job completed'));
});

test('fails beyond its backoff limit', async (t) => {
  const harness = await start(t);
  await harness.create(JOBS, draft({ backoffLimit: 1 }));
  for (let round = 0; round < 2; round++) {
    await until(() => running(harness).length === 1);
    await end(harness, running(harness)[0]!, 'Failed');
  }
  await until(() => conditions(harness).length === 2);
  assert.deepEqual(conditions(harness), [
    'FailureTarget True BackoffLimitExceeded',
    'Failed True BackoffLimitExceeded',
  ]);
  assert.equal(jobOf(harness).status!.failed, 2);
  await until(() => harness.events().includes('BackoffLimitExceeded: Job has reached the specified backoff limit'));
});

test('a failed pod is replaced only after its back-off', async (t) => {
  const harness = await start(t);
  await harness.create(JOBS, draft());
  await until(() => running(harness).length === 1);
  await end(harness, running(harness)[0]!, 'Failed', 1, new Date().toISOString());
  await until(() => jobOf(harness).status?.failed === 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(running(harness).length, 0);
});

test('Indexed: each index runs once, under its own name', async (t) => {
  const harness = await start(t);
  await harness.create(JOBS, draft({ parallelism: 2, completions: 3, completionMode: 'Indexed' }));
  await until(() => running(harness).length === 2);
  const first = running(harness).find((pod) => pod.metadata.name.startsWith('work-0-'))!;
  assert.equal(first.spec!.hostname, 'work-0');
  assert.equal(first.metadata.annotations!['batch.kubernetes.io/job-completion-index'], '0');
  assert.equal(first.spec!.containers[0]!.env![0]!.name, 'JOB_COMPLETION_INDEX');
  for (let round = 0; round < 3; round++) {
    await until(() => running(harness).length > 0);
    await end(harness, running(harness)[0]!, 'Succeeded');
  }
  await until(() => conditions(harness).includes('Complete True CompletionsReached'));
  assert.equal(jobOf(harness).status!.completedIndexes, '0-2');
  assert.equal(harness.all(PODS).length, 3);
});

test('a suspended Job has no pods, and starts when it is resumed', async (t) => {
  const harness = await start(t);
  await harness.create(JOBS, draft({ suspend: true }));
  await until(() => conditions(harness).includes('Suspended True JobSuspended'));
  assert.equal(harness.all(PODS).length, 0);
  assert.equal(jobOf(harness).status!.startTime, undefined);
  await harness.client.resource(testTenant, JOBS, testNamespace).patch('work', 'merge', { spec: { suspend: false } });
  await until(() => running(harness).length === 1 && conditions(harness).includes('Suspended False JobResumed'));
  await harness.client.resource(testTenant, JOBS, testNamespace).patch('work', 'merge', { spec: { suspend: true } });
  await until(() => running(harness).length === 0);
  assert.equal(jobOf(harness).status!.failed, undefined, 'what suspension removes is no failure');
});

test('podFailurePolicy: FailJob ends it at once, Ignore does not count', async (t) => {
  const harness = await start(t);
  const rules = [
    { action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } },
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
  ];
  await harness.create(JOBS, draft({ backoffLimit: 0, podFailurePolicy: { rules } }));
  await until(() => running(harness).length === 1);
  const [disrupted] = running(harness);
  await podsClient(harness).patch(
    disrupted!.metadata.name,
    'merge',
    {
      status: {
        phase: 'Failed',
        conditions: [
          { type: 'DisruptionTarget', status: 'True' },
          { type: 'Ready', status: 'False', lastTransitionTime: '2020-01-01T00:00:00Z' },
        ],
      },
    },
    'status',
  );
  await until(() => running(harness).length === 1);
  assert.deepEqual(conditions(harness), []);
  const [pod] = running(harness);
  await end(harness, pod!, 'Failed', 42);
  await until(() => conditions(harness).includes('Failed True PodFailurePolicy'));
  const message = jobOf(harness).status!.conditions!.find((condition) => condition.type === 'Failed')!.message;
  assert.equal(
    message,
    `Container c for pod default/${pod!.metadata.name} failed with exit code 42 matching FailJob rule at index 0`,
  );
});

test('takes an orphan back, and lets go of a pod that left its selector', async (t) => {
  const harness = await start(t);
  await harness.create(
    JOBS,
    draft({
      parallelism: 2,
      completions: 4,
      selector: { matchLabels: { app: 'work' } },
      manualSelector: true,
      template: {
        metadata: { labels: { app: 'work' } },
        spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] },
      },
    }),
  );
  await until(() => running(harness).length === 2);
  const [orphan] = running(harness);
  const uidOf = (name: string) =>
    harness.all<Pod>(PODS).find(({ metadata }) => metadata.name === name)?.metadata.ownerReferences?.[0]?.uid;
  const { name } = orphan!.metadata;
  await podsClient(harness).patch(name, 'merge', { metadata: { ownerReferences: null } });
  await until(() => uidOf(name) === jobOf(harness).metadata.uid);
  assert.equal(running(harness).length, 2, 'no other took its place');

  await podsClient(harness).patch(name, 'merge', { metadata: { labels: { app: null } } });
  await until(() => uidOf(name) === undefined && running(harness).length === 3);
  const freed = harness.all<Pod>(PODS).find(({ metadata }) => metadata.name === name)!;
  assert.equal(freed.metadata.finalizers, undefined);
});

test('pods of a deleted Job lose the finalizer that would hold them', async (t) => {
  const harness = await start(t);
  await harness.create(JOBS, draft());
  await until(() => running(harness).length === 1);
  await harness.client.resource(testTenant, JOBS, testNamespace).delete('work');
  await until(() => harness.all<Pod>(PODS)[0]!.metadata.finalizers === undefined);
});

test('index sets read and write as Job status does', () => {
  assert.equal(IndexSet.of([0, 1, 3, 4, 5, 9]).toString(), '0,1,3-5,9');
  assert.equal(IndexSet.parse('0,1,3-5,9', 5).toString(), '0,1,3,4');
  assert.equal(IndexSet.parse('1,3-5', 10).size, 4);
  assert.equal(IndexSet.parse('1,3-5', 10).has(4), true);
  assert.equal(IndexSet.parse('1,3-5', 10).has(2), false);
  assert.deepEqual(IndexSet.parse('1,3-5', 10).firstMissing(3, 8), [0, 2, 6]);
  assert.deepEqual(IndexSet.parse('0-7', 8).firstMissing(3, 8), []);
});
