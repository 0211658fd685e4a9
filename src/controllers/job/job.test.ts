import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { JOBS, PODS } from '../../api/resources.ts';
import { settled, until } from '../../base/testing/until.ts';
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
  await settled();
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

test('a pod that lost its Job by orphaning is freed', async (t) => {
  const harness = await start(t);
  await harness.create(JOBS, draft());
  await until(() => running(harness).length === 1);
  const { name } = running(harness)[0]!.metadata;
  await podsClient(harness).patch(name, 'merge', { metadata: { ownerReferences: null, labels: null } });
  await until(() => harness.get<Pod>(PODS, name)!.metadata.finalizers === undefined);
});

test('what another controller manages is left alone, its pods’ finalizers too', async (t) => {
  const harness = createHarness(t);
  const job = await harness.create<Job>(JOBS, draft({ managedBy: 'example.com/queue' }));
  const status = { conditions: [{ type: 'Complete', status: 'True' }] };
  await harness.client.resource<Job>(testTenant, JOBS, testNamespace).patch('work', 'merge', { status }, 'status');
  const own = { apiVersion: 'batch/v1', kind: 'Job', name: 'work', uid: job.metadata.uid, controller: true };
  const stale = { ...own, uid: 'of-an-earlier-one' };
  for (const [name, reference] of Object.entries({ own, stale })) {
    await harness.create<Pod>(PODS, {
      metadata: { name, ownerReferences: [reference], finalizers: [TRACKING_FINALIZER] },
    } as any);
  }
  await harness.run(createJobController(harness.dependencies));
  await until(() => harness.get<Pod>(PODS, 'stale')!.metadata.finalizers === undefined);
  assert.deepEqual(harness.get<Pod>(PODS, 'own')!.metadata.finalizers, [TRACKING_FINALIZER]);
});

const indexOfPod = (pod: Pod) => Number(pod.metadata.annotations!['batch.kubernetes.io/job-completion-index']);
const indexesOf = (pods: Pod[]) => pods.map(indexOfPod).toSorted();
const runningAt = (harness: Harness, index: number) => running(harness).find((pod) => indexOfPod(pod) === index)!;
const update = (harness: Harness, spec: object) =>
  harness.client.resource<Job>(testTenant, JOBS, testNamespace).patch('work', 'merge', { spec });
const indexed = (spec: object = {}) => draft({ completionMode: 'Indexed', completions: 4, parallelism: 4, ...spec });

test('backoffLimitPerIndex: an index fails for itself, the Job when all have ended', async (t) => {
  const harness = await start(t);
  await harness.create(JOBS, indexed({ completions: 2, parallelism: 2, backoffLimitPerIndex: 1 }));
  await until(() => running(harness).length === 2);
  const failures = (pod: Pod) => pod.metadata.annotations!['batch.kubernetes.io/job-index-failure-count'];
  assert.deepEqual(running(harness).map(failures), ['0', '0']);
  await end(harness, runningAt(harness, 1), 'Failed');
  await until(() => running(harness).length === 2);
  assert.equal(failures(runningAt(harness, 1)), '1');
  await end(harness, runningAt(harness, 1), 'Failed');
  await until(() => jobOf(harness).status?.failedIndexes === '1');
  assert.deepEqual(indexesOf(running(harness)), [0]);
  await end(harness, runningAt(harness, 0), 'Succeeded');
  await until(() => conditions(harness).includes('Failed True FailedIndexes'));
  const { completedIndexes, failedIndexes, failed, succeeded } = jobOf(harness).status!;
  assert.deepEqual([completedIndexes, failedIndexes, failed, succeeded], ['0', '1', 2, 1]);
  await until(() => harness.events().includes('FailedIndexes: Job has failed indexes'));
});

test('maxFailedIndexes: one index too many ends the Job, and the pods that run', async (t) => {
  const harness = await start(t);
  await harness.create(JOBS, indexed({ backoffLimitPerIndex: 0, maxFailedIndexes: 1 }));
  await until(() => running(harness).length === 4);
  await end(harness, runningAt(harness, 0), 'Failed');
  await end(harness, runningAt(harness, 2), 'Failed');
  await until(() => conditions(harness).includes('Failed True MaxFailedIndexesExceeded'));
  assert.equal(running(harness).length, 0);
  assert.equal(jobOf(harness).status!.failedIndexes, '0,2');
  const message = 'Job has exceeded the specified maximal number of failed indexes';
  assert.equal(jobOf(harness).status!.conditions!.at(-1)!.message, message);
});

test('podFailurePolicy FailIndex: the index fails at once', async (t) => {
  const harness = await start(t);
  const rule = { action: 'FailIndex', onExitCodes: { operator: 'In', values: [42] } };
  const spec = { completions: 2, parallelism: 2, backoffLimitPerIndex: 3, podFailurePolicy: { rules: [rule] } };
  await harness.create(JOBS, indexed(spec));
  await until(() => running(harness).length === 2);
  await end(harness, runningAt(harness, 0), 'Failed', 42);
  await until(() => jobOf(harness).status?.failedIndexes === '0');
  assert.deepEqual(indexesOf(running(harness)), [1]);
});

test('successPolicy: enough of the right indexes end the Job, and the pods that run', async (t) => {
  const cases: [object, number[], string][] = [
    [{ succeededIndexes: '0,2' }, [0, 2], 'Matched rules at index 0'],
    [{ succeededIndexes: '0-2', succeededCount: 2 }, [1, 2], 'Matched rules at index 0'],
    [{ succeededCount: 1 }, [3], 'Matched rules at index 0'],
  ];
  for (const [rule, succeed, message] of cases) {
    const harness = await start(t);
    await harness.create(JOBS, indexed({ successPolicy: { rules: [rule] } }));
    await until(() => running(harness).length === 4);
    for (const index of succeed) {
      assert.equal(jobOf(harness).status?.conditions, undefined, JSON.stringify(rule));
      await end(harness, runningAt(harness, index), 'Succeeded');
      await until(() => (jobOf(harness).status?.succeeded ?? 0) > 0);
    }
    await until(() => conditions(harness).includes('Complete True SuccessPolicy'));
    assert.equal(jobOf(harness).status!.conditions!.at(-1)!.message, message);
    assert.equal(running(harness).length, 0);
  }
});

test('elastic: completions and parallelism of an indexed Job change together', async (t) => {
  const harness = await start(t);
  await harness.create(JOBS, indexed());
  await until(() => running(harness).length === 4);
  await end(harness, runningAt(harness, 3), 'Succeeded');
  await until(() => jobOf(harness).status?.completedIndexes === '3');
  await update(harness, { completions: 2, parallelism: 2 });
  await until(() => running(harness).length === 2);
  assert.deepEqual(indexesOf(running(harness)), [0, 1]);
  await until(() => (jobOf(harness).status?.completedIndexes ?? '') === '');
  await update(harness, { completions: 3, parallelism: 3 });
  await until(() => running(harness).length === 3);
  assert.deepEqual(indexesOf(running(harness)), [0, 1, 2]);
  for (const pod of running(harness)) await end(harness, pod, 'Succeeded');
  await until(() => conditions(harness).includes('Complete True CompletionsReached'));
  assert.equal(jobOf(harness).status!.completedIndexes, '0-2');
});

test('podReplacementPolicy: Failed waits for the end of a pod, TerminatingOrFailed does not', async (t) => {
  for (const [podReplacementPolicy, next] of [
    ['Failed', 0],
    ['TerminatingOrFailed', 1],
  ] as const) {
    const harness = await start(t);
    await harness.create(JOBS, draft({ podReplacementPolicy }));
    await until(() => running(harness).length === 1);
    const first = running(harness)[0]!;
    await podsClient(harness).patch(first.metadata.name, 'merge', { spec: { nodeName: 'a' } });
    await podsClient(harness).delete(first.metadata.name);
    await until(() => jobOf(harness).status?.terminating === 1 || next === 1);
    if (next === 1) await until(() => jobOf(harness).status?.failed === 1);
    else {
      assert.equal(running(harness).length, 0);
      await end(harness, first, 'Failed');
      await until(() => jobOf(harness).status?.failed === 1);
    }
  }
});

test('a resumed Job starts anew; a suspended one has no start time', async (t) => {
  const harness = await start(t);
  await harness.create(JOBS, draft({ activeDeadlineSeconds: 1000 }));
  await until(() => running(harness).length === 1 && jobOf(harness).status?.startTime !== undefined);
  await update(harness, { suspend: true });
  await until(() => conditions(harness).includes('Suspended True JobSuspended'));
  assert.equal(jobOf(harness).status!.startTime, undefined);
  await until(() => running(harness).length === 0);
  await update(harness, { suspend: false });
  await until(() => conditions(harness).includes('Suspended False JobResumed'));
  assert.notEqual(jobOf(harness).status!.startTime, undefined);
  await until(() => harness.events().includes('Resumed: Job resumed'));
});
