import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PodSpec } from '../../api/generated/core-v1.ts';
import type { ContainerInstanceStatus } from '../../api/pool.ts';
import { containerSpec, exited, instanceOf, memoryOf, NOW, observation, record, sandbox } from '../testing/fixtures.ts';
import type { PodObservation, WorkerMemory } from '../worker/state.ts';
import { instanceStatus } from './instance-status.ts';
import { qosClassOf } from './qos-class.ts';

const [a, b] = [containerSpec('a'), containerSpec('b')];
const sidecar = containerSpec('s', { restartPolicy: 'Always' });

function statusOf(
  pod: Partial<PodSpec>,
  observed: PodObservation,
  memory: Partial<WorkerMemory> = {},
  more: { terminated?: boolean; messages?: [string, string][]; deleted?: boolean } = {},
) {
  const metadata = more.deleted ? { deletionTimestamp: '2026-01-02T03:04:05Z', deletionGracePeriodSeconds: 0 } : {};
  return instanceStatus({
    instance: instanceOf(pod, metadata),
    observed,
    memory: memoryOf(memory),
    now: NOW,
    terminated: more.terminated ?? false,
    terminationMessages: new Map(more.messages ?? []),
  });
}

const conditionsOf = (status: ContainerInstanceStatus) =>
  Object.fromEntries(
    (status.conditions ?? []).map((entry) => [entry.type, `${entry.status} ${entry.reason ?? ''}`.trim()]),
  );

describe('the phase', () => {
  const cases: [string, Partial<PodSpec>, PodObservation, string][] = [
    ['nothing yet', { containers: [a] }, observation([]), 'Pending'],
    ['init under way', { initContainers: [b], containers: [a] }, observation([sandbox()], record('b')), 'Pending'],
    [
      'init failed, tried again',
      { initContainers: [b], containers: [a] },
      observation([sandbox()], exited('b', 1)),
      'Pending',
    ],
    [
      'init failed for good',
      { restartPolicy: 'Never', initContainers: [b], containers: [a] },
      observation([sandbox()], exited('b', 1)),
      'Failed',
    ],
    ['all run', { containers: [a, b] }, observation([sandbox()], record('a'), record('b')), 'Running'],
    ['one not yet', { containers: [a, b] }, observation([sandbox()], record('a')), 'Pending'],
    ['one between restarts', { containers: [a] }, observation([sandbox()], exited('a', 1)), 'Running'],
    [
      'one done, one runs',
      { restartPolicy: 'Never', containers: [a, b] },
      observation([sandbox()], exited('a', 1), record('b')),
      'Running',
    ],
    [
      'all done well',
      { restartPolicy: 'OnFailure', containers: [a, b] },
      observation([sandbox()], exited('a', 0), exited('b', 0)),
      'Succeeded',
    ],
    [
      'all done, one badly',
      { restartPolicy: 'Never', containers: [a, b] },
      observation([sandbox()], exited('a', 0), exited('b', 2)),
      'Failed',
    ],
    [
      'done, but for a sidecar',
      { restartPolicy: 'Never', initContainers: [sidecar], containers: [a] },
      observation([sandbox()], record('s'), exited('a', 0)),
      'Running',
    ],
  ];
  for (const [name, pod, observed, phase] of cases) {
    it(`is ${phase}: ${name}`, () => assert.equal(statusOf(pod, observed).phase, phase));
  }

  it('is reported as ended only when nothing runs any more', () => {
    const verdict = { phase: 'Failed', reason: 'DeadlineExceeded', message: 'too long' } as const;
    const previous = statusOf({ containers: [a] }, observation([sandbox()], record('a'))).status;
    const still = statusOf({ containers: [a] }, observation([sandbox()], record('a')), { verdict, status: previous });
    assert.equal(still.phase, 'Failed');
    assert.equal(still.status.phase, 'Running');
    assert.equal(conditionsOf(still.status).Ready, 'False PodFailed');
    const over = statusOf({ containers: [a] }, observation([sandbox()], exited('a', 143)), {
      verdict,
      status: previous,
    });
    assert.deepEqual(
      [over.status.phase, over.status.reason, over.status.message],
      ['Failed', 'DeadlineExceeded', 'too long'],
    );
  });
});

describe('a container’s status', () => {
  it('waits with what the kubelet says before there is a container', () => {
    const { status } = statusOf({ initContainers: [b], containers: [a] }, observation([]));
    assert.deepEqual(status.containerStatuses, [
      {
        name: 'a',
        state: { waiting: { reason: 'PodInitializing' } },
        lastState: {},
        ready: false,
        started: false,
        restartCount: 0,
        image: 'registry.example/a:1',
        imageID: '',
      },
    ]);
    assert.deepEqual(conditionsOf(status), {
      PodReadyToStartContainers: 'False',
      Initialized: 'False ContainersNotInitialized',
      Ready: 'False ContainersNotReady',
      ContainersReady: 'False ContainersNotReady',
      PodScheduled: 'True',
    });
    assert.equal(status.conditions?.[1]?.message, 'containers with incomplete status: [b]');
    assert.equal(status.conditions?.[2]?.message, 'containers with unready status: [a]');
  });

  it('tells the present and the last state, resources and mounts', () => {
    const container = containerSpec('a', {
      resources: { requests: { cpu: '100m' }, limits: { cpu: '1' } },
      volumeMounts: [{ name: 'v', mountPath: '/v', readOnly: true }],
    });
    const { status } = statusOf(
      { containers: [container] },
      observation([sandbox()], record('a', { attempt: 1 }), exited('a', 3)),
      {},
      { messages: [['a-0', 'because']] },
    );
    assert.deepEqual(status.containerStatuses, [
      {
        name: 'a',
        state: { running: { startedAt: '2026-01-02T03:03:15Z' } },
        lastState: {
          terminated: {
            exitCode: 3,
            reason: 'Error',
            message: 'because',
            startedAt: '2026-01-02T03:03:15Z',
            finishedAt: '2026-01-02T03:04:04Z',
            containerID: 'containerd://a-0',
          },
        },
        ready: true,
        started: true,
        restartCount: 1,
        image: 'registry.example/a:1',
        imageID: `registry.example/a@sha256:${'0'.repeat(64)}`,
        containerID: 'containerd://a-1',
        allocatedResources: { cpu: '100m' },
        resources: { requests: { cpu: '100m' }, limits: { cpu: '1' } },
        volumeMounts: [{ name: 'v', mountPath: '/v', readOnly: true, recursiveReadOnly: 'Disabled' }],
      },
    ]);
  });

  it('waits between restarts, the end being its last state', () => {
    const waiting = new Map([['a', { reason: 'CrashLoopBackOff', message: 'back-off', retryAt: NOW + 1 }]]);
    const { status } = statusOf({ containers: [a] }, observation([sandbox()], exited('a', 1)), { waiting });
    const [container] = status.containerStatuses!;
    assert.deepEqual(container?.state, { waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } });
    assert.equal(container?.lastState?.terminated?.exitCode, 1);
    assert.equal(status.phase, 'Running');
  });

  it('is ready by its readiness probe, once started by its startup probe', () => {
    const container = containerSpec('a', { readinessProbe: {}, startupProbe: {} });
    const observed = observation([sandbox()], record('a'));
    const flags = (results: object) => {
      const { status } = statusOf({ containers: [container] }, observed, { probes: new Map([['a-0', results]]) });
      return [status.containerStatuses![0]!.started, status.containerStatuses![0]!.ready];
    };
    assert.deepEqual(flags({}), [false, false]);
    assert.deepEqual(flags({ startup: 'success' }), [true, false]);
    assert.deepEqual(flags({ startup: 'success', readiness: 'success' }), [true, true]);
    assert.deepEqual(flags({ startup: 'success', readiness: 'failure' }), [true, false]);
  });

  it('keeps its readiness over a restart of the agent until a probe has spoken', () => {
    const pod = { containers: [containerSpec('a', { readinessProbe: {} })] };
    const observed = observation([sandbox()], record('a'));
    const before = statusOf(pod, observed, { probes: new Map([['a-0', { readiness: 'success' }]]) }).status;
    const adopted = statusOf(pod, observed, { status: before }).status;
    assert.deepEqual(adopted, before);
    const failed = statusOf(pod, observed, {
      status: before,
      probes: new Map([['a-0', { readiness: 'failure' }]]),
    }).status;
    assert.equal(failed.containerStatuses?.[0]?.ready, false);
  });

  it('whose container vanished counts as failed when the pod is over', () => {
    const before = statusOf({ containers: [a] }, observation([sandbox()], record('a'))).status;
    const { status } = statusOf(
      { containers: [a] },
      observation([]),
      { status: before },
      { terminated: true, deleted: true },
    );
    assert.equal(status.phase, 'Failed');
    assert.deepEqual(status.containerStatuses?.[0]?.state?.terminated, {
      exitCode: 137,
      reason: 'ContainerStatusUnknown',
      message: 'The container could not be located when the pod was terminated',
    });
  });

  it('changes the time of a condition only with its status', () => {
    const before = statusOf({ containers: [a] }, observation([sandbox()], record('a'))).status;
    const older = structuredClone(before);
    for (const condition of older.conditions!) condition.lastTransitionTime = '2025-01-01T00:00:00Z';
    const { status } = statusOf({ containers: [a] }, observation([sandbox()], exited('a', 1)), { status: older });
    const times = Object.fromEntries(
      status.conditions!.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
    );
    assert.equal(times.Ready, '2026-01-02T03:04:05Z');
    assert.equal(times.Initialized, '2025-01-01T00:00:00Z');
  });

  it('keeps other conditions, and leaves readiness gates to the virtual node', () => {
    const gate = { type: 'example.com/lb', status: 'False' as const };
    const pod = { containers: [a], readinessGates: [{ conditionType: 'example.com/lb' }] };
    const previous = { phase: 'Running' as const, conditions: [gate] };
    const { status } = statusOf(pod, observation([sandbox()], record('a')), { status: previous });
    assert.deepEqual(status.conditions?.[0], gate);
    assert.equal(conditionsOf(status).Ready, 'True');
    assert.equal(conditionsOf(status).ContainersReady, 'True');
  });
});

it('the quality of service follows requests and limits', () => {
  const pod = (resources: object): PodSpec => ({ containers: [{ ...a, resources }] });
  assert.equal(qosClassOf(pod({})), 'BestEffort');
  assert.equal(qosClassOf(pod({ requests: { cpu: '1' } })), 'Burstable');
  assert.equal(qosClassOf(pod({ limits: { cpu: '1', memory: '1Gi' } })), 'Guaranteed');
  const same = { requests: { cpu: '1000m', memory: '1024Mi' }, limits: { cpu: '1', memory: '1Gi' } };
  assert.equal(qosClassOf(pod(same)), 'Guaranteed');
  assert.equal(qosClassOf({ containers: [{ ...a, resources: same }, b] }), 'Burstable');
});
