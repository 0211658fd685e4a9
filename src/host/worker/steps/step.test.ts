import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  containerSpec,
  exited,
  instanceOf,
  memoryOf,
  NOW,
  observation,
  record,
  sandbox,
  stepInput,
} from '../../testing/fixtures.ts';
import type { Action, StepInput } from '../state.ts';
import { forgetOthers, lengthen, restartKey } from './back-off.ts';
import { step } from './step.ts';

/** An action in a few words. */
function words(action: Action): string {
  switch (action.kind) {
    case 'startContainer':
      return `start ${action.container.name}#${action.attempt}`;
    case 'stopContainer': {
      const after = action.after.length > 0 ? ` after ${action.after.join(',')}` : '';
      return `stop ${action.container.id} ${action.graceSeconds}s${after}: ${action.message}`;
    }
    case 'removeContainer':
      return `remove ${action.containerId}`;
    case 'createSandbox':
      return `createSandbox#${action.attempt}`;
    default:
      return action.kind;
  }
}

const sidecar = (name: string, more: object = {}) => containerSpec(name, { restartPolicy: 'Always', ...more });
const [a, b] = [containerSpec('a'), containerSpec('b')];
const startsOver = (name: string) =>
  containerSpec(name, {
    restartPolicy: 'Never',
    restartPolicyRules: [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [42] } }],
  });
const deleted = { deletionTimestamp: '2026-01-02T03:04:05Z', deletionGracePeriodSeconds: 7 };

const cases: { name: string; input: StepInput; expect: string[] }[] = [
  {
    name: 'files come first',
    input: stepInput(instanceOf({ containers: [a] }), observation([]), { filesReady: false }),
    expect: ['prepareFiles'],
  },
  {
    name: 'files that failed a moment ago wait',
    input: stepInput(instanceOf({ containers: [a] }), observation([]), {
      filesReady: false,
      notBefore: new Map([['files', NOW + 500]]),
    }),
    expect: [],
  },
  {
    name: 'then the sandbox',
    input: stepInput(instanceOf({ containers: [a] }), observation([])),
    expect: ['createSandbox#0'],
  },
  {
    name: 'an adopted pod learns its address before anything else',
    input: (() => {
      const input = stepInput(instanceOf({ containers: [a] }), observation([sandbox()], record('a')));
      delete input.memory.address;
      return input;
    })(),
    expect: ['attachNetwork'],
  },
  {
    name: 'containers start one after the other',
    input: stepInput(instanceOf({ containers: [a, b] }), observation([sandbox()])),
    expect: ['start a#0'],
  },
  {
    name: 'nothing starts while another start is under way',
    input: stepInput(instanceOf({ containers: [a, b] }), observation([sandbox()]), { busy: new Set(['start']) }),
    expect: [],
  },
  {
    name: 'a container that waits does not hold up the next one',
    input: stepInput(instanceOf({ containers: [a, b] }), observation([sandbox()]), {
      waiting: new Map([['a', { reason: 'CreateContainerConfigError', retryAt: NOW + 5000 }]]),
    }),
    expect: ['start b#0'],
  },
  {
    name: 'a dead sandbox is replaced, after what still runs in it has been stopped',
    input: stepInput(instanceOf({ containers: [a] }), observation([sandbox('notReady')], record('a'))),
    expect: ['stop a-0 30s: Stopping container a'],
  },
  {
    name: 'a dead sandbox is replaced',
    input: stepInput(instanceOf({ containers: [a] }), observation([sandbox('notReady')], exited('a', 137))),
    expect: ['createSandbox#1'],
  },
  {
    name: 'a dead sandbox of a pod that never restarts is not replaced',
    input: stepInput(
      instanceOf({ restartPolicy: 'Never', containers: [a] }),
      observation([sandbox('notReady')], exited('a', 137)),
    ),
    expect: [],
  },
  {
    name: 'the first init container starts first',
    input: stepInput(instanceOf({ initContainers: [b], containers: [a] }), observation([sandbox()])),
    expect: ['start b#0'],
  },
  {
    name: 'nothing happens while an init container runs',
    input: stepInput(instanceOf({ initContainers: [b], containers: [a] }), observation([sandbox()], record('b'))),
    expect: [],
  },
  {
    name: 'a failed init container is tried again',
    input: stepInput(instanceOf({ initContainers: [b], containers: [a] }), observation([sandbox()], exited('b', 1))),
    expect: ['start b#1'],
  },
  {
    name: 'a failed init container of a pod that never restarts ends it',
    input: stepInput(
      instanceOf({ restartPolicy: 'Never', initContainers: [sidecar('s'), b], containers: [a] }),
      observation([sandbox()], record('s'), exited('b', 1)),
    ),
    expect: ['stop s-0 30s after a: Stopping container s'],
  },
  {
    name: 'a sidecar that has not started holds up what follows',
    input: stepInput(
      instanceOf({ initContainers: [sidecar('s', { startupProbe: {} })], containers: [a] }),
      observation([sandbox()], record('s')),
    ),
    expect: [],
  },
  {
    name: 'after a sidecar has started the next init container does',
    input: stepInput(
      instanceOf({ initContainers: [sidecar('s', { startupProbe: {} }), b], containers: [a] }),
      observation([sandbox()], record('s')),
      { probes: new Map([['s-0', { startup: 'success' }]]) },
    ),
    expect: ['start b#0'],
  },
  {
    name: 'a sidecar that ended comes back beside running containers',
    input: stepInput(
      instanceOf({ initContainers: [sidecar('s')], containers: [a] }),
      observation([sandbox()], exited('s', 0), record('a')),
    ),
    expect: ['start s#1'],
  },
  {
    name: 'sidecars do not keep a finished pod alive, and end in reverse order',
    input: stepInput(
      instanceOf({ restartPolicy: 'Never', initContainers: [sidecar('s'), sidecar('t')], containers: [a] }),
      observation([sandbox()], record('s'), record('t'), exited('a', 0)),
    ),
    expect: ['stop s-0 30s after a,t: Stopping container s', 'stop t-0 30s after a: Stopping container t'],
  },
  {
    name: 'an exit leads to a restart',
    input: stepInput(instanceOf({ containers: [a] }), observation([sandbox()], exited('a', 0))),
    expect: ['start a#1'],
  },
  {
    name: 'OnFailure leaves a success alone',
    input: stepInput(
      instanceOf({ restartPolicy: 'OnFailure', containers: [a, b] }),
      observation([sandbox()], exited('a', 0), exited('b', 1)),
    ),
    expect: ['start b#1'],
  },
  {
    name: 'a failed liveness probe stops the container with the probe’s own grace period',
    input: stepInput(
      instanceOf({ containers: [containerSpec('a', { livenessProbe: { terminationGracePeriodSeconds: 3 } })] }),
      observation([sandbox()], record('a')),
      { probes: new Map([['a-0', { liveness: 'failure' }]]) },
    ),
    expect: ['stop a-0 3s: Container a failed liveness probe, will be restarted'],
  },
  {
    name: 'a failed startup probe ends a container that never restarts',
    input: stepInput(
      instanceOf({ restartPolicy: 'Never', containers: [containerSpec('a', { startupProbe: {} })] }),
      observation([sandbox()], record('a')),
      { probes: new Map([['a-0', { startup: 'failure' }]]) },
    ),
    expect: ['stop a-0 30s: Container a failed startup probe'],
  },
  {
    name: 'records beyond the last exit are removed',
    input: stepInput(
      instanceOf({ containers: [a] }),
      observation(
        [sandbox()],
        record('a', { attempt: 3 }),
        exited('a', 1, { attempt: 2 }),
        exited('a', 1, { attempt: 1 }),
      ),
    ),
    expect: ['remove a-1'],
  },
  {
    name: 'an exit that makes the pod start over stops what runs, without a grace period',
    input: stepInput(
      instanceOf({ restartPolicy: 'Never', initContainers: [b, sidecar('s')], containers: [startsOver('x'), a] }),
      observation([sandbox()], exited('b', 0), record('s'), exited('x', 42), record('a')),
    ),
    expect: ['stop s-0 0s: killing', 'stop a-0 0s: killing'],
  },
  {
    name: 'then everything is removed but the exit that asked for it',
    input: stepInput(
      instanceOf({ restartPolicy: 'Never', initContainers: [b], containers: [startsOver('x'), a] }),
      observation([sandbox()], exited('b', 0), exited('x', 42, { attempt: 1 }), exited('x', 1), exited('a', 137)),
    ),
    expect: ['remove b-0', 'remove x-0', 'remove a-0'],
  },
  {
    name: 'then that too',
    input: stepInput(
      instanceOf({ restartPolicy: 'Never', initContainers: [b], containers: [startsOver('x'), a] }),
      observation([sandbox()], exited('x', 42)),
    ),
    expect: ['remove x-0'],
  },
  {
    name: 'another exit is left alone',
    input: stepInput(
      instanceOf({ restartPolicy: 'Never', containers: [startsOver('x'), a] }),
      observation([sandbox()], exited('x', 41), record('a')),
    ),
    expect: [],
  },
  {
    name: 'a pod that is deleted does not start over',
    input: stepInput(
      instanceOf({ restartPolicy: 'Never', containers: [startsOver('x'), a] }, deleted),
      observation([sandbox()], exited('x', 42), exited('a', 137)),
    ),
    expect: ['stopSandboxes'],
  },
  {
    name: 'deletion stops everything, sidecars last',
    input: stepInput(
      instanceOf({ initContainers: [sidecar('s')], containers: [a] }, deleted),
      observation([sandbox()], record('s'), record('a')),
    ),
    expect: ['stop s-0 7s after a: Stopping container s', 'stop a-0 7s: Stopping container a'],
  },
  {
    name: 'then the sandbox goes',
    input: stepInput(instanceOf({ containers: [a] }, deleted), observation([sandbox()], exited('a', 0))),
    expect: ['stopSandboxes'],
  },
  {
    name: 'then the final status is written',
    input: stepInput(instanceOf({ containers: [a] }, deleted), observation([sandbox('notReady')], exited('a', 0))),
    expect: ['writeFinalStatus'],
  },
  {
    name: 'then everything is cleared away',
    input: stepInput(instanceOf({ containers: [a] }, deleted), observation([sandbox('notReady')], exited('a', 0)), {
      finalStatusWritten: true,
    }),
    expect: ['cleanUp'],
  },
  {
    name: 'and the object is deleted',
    input: stepInput(instanceOf({ containers: [a] }, deleted), observation([]), {
      finalStatusWritten: true,
      cleanedUp: true,
    }),
    expect: ['deleteInstance'],
  },
  {
    name: 'a pod whose object is gone is cleared away without a report',
    input: stepInput(instanceOf({ containers: [a] }), observation([sandbox('notReady')], exited('a', 0)), {
      gone: true,
    }),
    expect: ['cleanUp'],
  },
  {
    name: 'a finished pod keeps its records',
    input: stepInput(instanceOf({ containers: [a] }), observation([sandbox('notReady')], exited('a', 0)), {
      verdict: { phase: 'Succeeded' },
    }),
    expect: [],
  },
];

describe('a step', () => {
  for (const { name, input, expect } of cases) {
    it(name, () => assert.deepEqual(step(input).actions.map(words), expect));
  }

  it('waits out the restart back-off, and says so once', () => {
    const memory = memoryOf();
    lengthen(memory.restartBackOff, restartKey(a), NOW - 20_000, NOW - 20_000);
    const input = { ...stepInput(instanceOf({ containers: [a] }), observation([sandbox()], exited('a', 1))), memory };
    const result = step(input);
    assert.deepEqual(result.actions, []);
    assert.equal(result.wakeAt, NOW + 9000);
    assert.deepEqual(result.waiting, [
      {
        container: 'a',
        reason: {
          reason: 'CrashLoopBackOff',
          message: 'back-off 10s restarting failed container=a pod=web_shop(uid-1)',
          retryAt: NOW + 9000,
        },
        event: {
          type: 'Warning',
          reason: 'BackOff',
          message: 'Back-off restarting failed container a in pod web_shop(uid-1)',
          container: 'a',
        },
      },
    ]);
    memory.waiting.set('a', result.waiting[0]!.reason);
    assert.deepEqual(step(input).waiting, []);
    assert.deepEqual(step({ ...input, now: NOW + 9000 }).actions.map(words), ['start a#1']);
    const changed = [{ image: 'registry.example/a:2' }, { resources: { limits: { cpu: '1' } } }];
    for (const change of changed) {
      const instance = instanceOf({ containers: [{ ...a, ...change }] });
      assert.deepEqual(step({ ...input, instance }).actions.map(words), ['start a#1'], JSON.stringify(change));
    }
  });

  it('forgets what containers waited by before they were changed', () => {
    const { restartBackOff } = memoryOf();
    const changed = { ...a, image: 'registry.example/a:2' };
    const other = { ...a, name: 'aa' };
    for (const container of [a, changed, other]) lengthen(restartBackOff, restartKey(container), NOW, NOW);
    forgetOthers(restartBackOff, changed);
    assert.deepEqual([...restartBackOff.entries.keys()], [changed, other].map(restartKey));
  });

  it('turns a failed pull into a back-off', () => {
    const memory = memoryOf();
    lengthen(memory.imageBackOff, a.image!, NOW - 3000, NOW - 3000);
    memory.waiting.set('a', { reason: 'ErrImagePull', message: 'not found', retryAt: NOW - 1000 });
    const input = { ...stepInput(instanceOf({ containers: [a] }), observation([sandbox()])), memory };
    const result = step(input);
    assert.equal(result.waiting[0]?.reason.reason, 'ImagePullBackOff');
    assert.equal(
      result.waiting[0]?.reason.message,
      'Back-off pulling image "registry.example/a:1": ErrImagePull: not found',
    );
    assert.equal(result.wakeAt, NOW + 7000);
    assert.deepEqual(step({ ...input, now: NOW + 7000 }).actions.map(words), ['start a#0']);
    memory.waiting.set('a', result.waiting[0]!.reason);
    assert.deepEqual(step(input).actions.map(words), []);
    const changed = instanceOf({ containers: [{ ...a, image: 'registry.example/a:2' }] });
    assert.deepEqual(step({ ...input, instance: changed }).actions.map(words), ['start a#0']);
  });

  it('wakes at the deadline', () => {
    const instance = instanceOf({ activeDeadlineSeconds: 100, containers: [a] });
    assert.equal(step(stepInput(instance, observation([sandbox()], record('a')))).wakeAt, NOW + 40_000);
  });
});
