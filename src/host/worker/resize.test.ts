import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container } from '../../api/generated/core-v1.ts';
import type { ContainerResources } from '../../runtime/sandbox-runtime.ts';
import { instanceStatus } from '../status/instance-status.ts';
import {
  containerSpec,
  exited,
  instanceOf,
  memoryOf,
  observation,
  record,
  sandbox,
  stepInput,
} from '../testing/fixtures.ts';
import { adopt } from './adoption.ts';
import { podResources } from './containers/resources.ts';
import type { WorkerContext } from './context.ts';
import { isPodResizePending, pendingResizes, resizePod } from './resize.ts';
import type { StepInput } from './state.ts';
import { step } from './steps/step.ts';

const MIB = 1024 * 1024;

const sized = (name: string, cpu: string, memory: string, more: Partial<Container> = {}): Container =>
  containerSpec(name, { resources: { requests: { cpu, memory }, limits: { cpu, memory } }, ...more });
const given = (container: Container) => container.resources!;

/** Containers that run with `before` and are to have `after`. */
function input(before: Container[], after: Container[], more: object = {}): StepInput {
  const records = before.map(({ name }) => record(name));
  return stepInput(instanceOf({ containers: after }), observation([sandbox()], ...records), {
    actuated: new Map(before.map((container) => [`${container.name}-0`, given(container)])),
    podResources: podResources({ containers: before } as never),
    ...more,
  });
}

const kinds = (stepped: StepInput) => step(stepped).actions.map(({ kind }) => kind);

test('nothing is done for what is written otherwise and means the same', () => {
  const same = input([sized('a', '1', '1Gi')], [sized('a', '1000m', '1024Mi')]);
  assert.deepEqual(pendingResizes(same), []);
  assert.equal(isPodResizePending(same), false);
  assert.deepEqual(kinds(same), []);
});

test('a changed container is resized; one whose policy wants it is stopped for a new one', () => {
  assert.deepEqual(kinds(input([sized('a', '1', '1Gi')], [sized('a', '2', '1Gi')])), ['resizePod']);
  const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] as Container['resizePolicy'];
  const policy = { resizePolicy };
  assert.deepEqual(kinds(input([sized('a', '1', '1Gi', policy)], [sized('a', '2', '1Gi', policy)])), ['resizePod']);
  const [stop] = step(input([sized('a', '1', '1Gi', policy)], [sized('a', '1', '2Gi', policy)])).actions;
  assert.equal(stop!.kind === 'stopContainer' && stop.restarts, true);
  assert.equal(stop!.kind === 'stopContainer' && stop.message, 'Container a resize requires restart');
});

test('a container stopped for its size comes back however it ended, and its pod runs on', () => {
  const wanted = {
    ...sized('a', '1', '2Gi'),
    resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }],
  };
  const instance = instanceOf({ restartPolicy: 'OnFailure', containers: [wanted as Container] });
  const observed = observation([sandbox()], exited('a', 0));
  const memory = {
    restarting: new Set(['a-0']),
    killedToRestart: new Set(['a-0']),
    actuated: new Map([['a-0', given(sized('a', '1', '1Gi'))]]),
  };
  const stepped = stepInput(instance, observed, memory);
  assert.deepEqual(kinds(stepped), ['startContainer']);
  const { phase, status } = instanceStatus({ ...stepped, terminationMessages: new Map(), terminated: false });
  assert.equal(phase, 'Running');
  const [container] = status.containerStatuses!;
  assert.equal(container!.ready, false, 'but gets no requests');
  assert.equal(status.conditions!.find(({ type }) => type === 'PodResizeInProgress')?.status, 'True');

  const deleted = {
    ...stepped,
    instance: instanceOf(instance.spec.pod, { deletionTimestamp: '2026-01-02T03:04:05Z' }),
  };
  const last = instanceStatus({ ...deleted, terminationMessages: new Map(), terminated: true });
  assert.equal(last.status.containerStatuses![0]!.state!.terminated?.exitCode, 0, 'unless nothing comes any more');
});

test('the status tells what was given, not what was asked for', () => {
  const stepped = input([sized('a', '1', '1Gi')], [sized('a', '2', '1Gi')], { resizeError: 'EBUSY' });
  stepped.instance.spec.podGeneration = 7;
  const { status } = instanceStatus({ ...stepped, terminationMessages: new Map(), terminated: false });
  const [container] = status.containerStatuses!;
  assert.equal(container!.allocatedResources!['cpu'], '2');
  assert.equal(container!.resources!.requests!['cpu'], '1');
  assert.equal(status.observedGeneration, 7);
  const condition = status.conditions!.find(({ type }) => type === 'PodResizeInProgress')!;
  assert.deepEqual([condition.reason, condition.message], ['Error', 'EBUSY']);
});

/** What the runtime is told, in order. */
async function resize(stepped: StepInput, usage: Record<string, number> = {}): Promise<string[]> {
  const calls: string[] = [];
  const words = ({ cpuQuota, memoryLimitBytes }: ContainerResources) =>
    `${cpuQuota ?? '-'} ${memoryLimitBytes === undefined ? '-' : memoryLimitBytes / MIB}`;
  const runtime = {
    updatePodSandboxResources: async (_: string, resources: ContainerResources) =>
      void calls.push(`pod ${words(resources)}`),
    updateContainerResources: async (id: string, resources: ContainerResources) =>
      void calls.push(`${id} ${words(resources)}`),
    stats: async () =>
      Object.entries(usage).map(([containerId, memoryWorkingSetBytes]) => ({ containerId, memoryWorkingSetBytes })),
  };
  await resizePod({
    dependencies: { runtime, hostMemoryBytes: 8192 * MIB, clock: { now: () => 0 } },
    instance: stepped.instance,
    memory: stepped.memory,
    observed: () => stepped.observed,
  } as unknown as WorkerContext);
  return calls;
}

test('the pod is widened first and narrowed last; who shrinks goes before who grows', async () => {
  const stepped = input(
    [sized('a', '1', '100Mi'), sized('b', '1', '100Mi')],
    [sized('a', '2', '100Mi'), sized('b', '500m', '50Mi')],
  );
  assert.deepEqual(await resize(stepped), ['pod 250000 200', 'b-0 50000 50', 'a-0 200000 100', 'pod 250000 150']);
  assert.deepEqual(pendingResizes(stepped), []);
  assert.equal(isPodResizePending(stepped), false);
});

test('memory is not cut below what is in use', async () => {
  const stepped = input([sized('a', '1', '100Mi')], [sized('a', '1', '50Mi')]);
  await assert.rejects(resize(stepped, { 'a-0': 60 * MIB }), /cannot decrease memory limits: .*"a" memory limit/);
  assert.match(stepped.memory.resizeError!, /below current usage \(62914560\)/);
  assert.equal(pendingResizes(stepped).length, 1);
  await resize(stepped, { 'a-0': 40 * MIB });
  assert.equal(stepped.memory.resizeError, undefined);
});

test('an agent that starts anew knows what containers were given from what was last reported of them', () => {
  const before = sized('a', '1', '1Gi');
  const status = { containerStatuses: [{ name: 'a', containerID: 'containerd://a-0', resources: given(before) }] };
  const memory = memoryOf({ status: status as never });
  const observed = observation([sandbox()], record('a'));
  const instance = instanceOf({ containers: [sized('a', '2', '1Gi')] });
  adopt(instance, memory, observed);
  assert.equal(pendingResizes({ instance, observed, memory, now: 0 }).length, 1);
});

test('an init container is resized while it runs', () => {
  const before = sized('setup', '1', '1Gi');
  const main = sized('a', '1', '1Gi');
  const pod = { initContainers: [sized('setup', '2', '1Gi')], containers: [main] };
  const resizing = (state: 'running' | 'exited') => {
    const setup = state === 'running' ? record('setup') : exited('setup', 0);
    return stepInput(instanceOf(pod), observation([sandbox()], setup), {
      actuated: new Map([['setup-0', given(before)]]),
    });
  };
  assert.deepEqual(
    pendingResizes(resizing('running')).map(({ container }) => container.name),
    ['setup'],
  );
  assert.deepEqual(pendingResizes(resizing('exited')), []);
});
