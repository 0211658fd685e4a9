import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerSpec, exited, instanceOf, memoryOf, observation, record, sandbox } from '../../testing/fixtures.ts';
import type { PodObservation, WorkerMemory } from '../state.ts';
import { isOnItsWay } from './on-its-way.ts';

const a = containerSpec('a');

function isStarting(observed: PodObservation, memory: Partial<WorkerMemory> = {}, pod: object = {}, metadata = {}) {
  const instance = instanceOf({ containers: [a], ...pod }, metadata);
  return isOnItsWay({ instance, observed, memory: memoryOf(memory) });
}
const waiting = { name: 'a', ready: false, restartCount: 0, image: '', imageID: '', state: { waiting: {} } };

test('until a container is said to run, a pod is on its way', () => {
  assert.equal(isStarting(observation([])), true);
  assert.equal(isStarting(observation([sandbox()])), true);
  const starting = { starting: new Set([record('a').id]) };
  assert.equal(isStarting(observation([sandbox()], record('a')), starting), true);
  assert.equal(isStarting(observation([sandbox()], record('a'))), false);
  assert.equal(
    isStarting(observation([sandbox()]), { status: { phase: 'Pending', containerStatuses: [waiting] } }),
    true,
  );
});

test('what has happened to a pod is told', () => {
  assert.equal(isStarting(observation([sandbox()], exited('a', 1))), false);
  const reason = { reason: 'ErrImagePull', retryAt: 0 };
  assert.equal(isStarting(observation([sandbox()]), { waiting: new Map([['a', reason]]) }), false);
  assert.equal(isStarting(observation([]), { verdict: { phase: 'Failed' } }), false);
  assert.equal(isStarting(observation([]), {}, {}, { deletionTimestamp: '2026-01-02T03:04:05Z' }), false);
  assert.equal(isStarting(observation([]), {}, { initContainers: [containerSpec('b')] }), false);
  // Its sandbox is made anew.
  assert.equal(isStarting(observation([]), { status: { phase: 'Running' } }), false);
  const restarted = { ...waiting, lastState: { terminated: { exitCode: 1 } } };
  assert.equal(isStarting(observation([]), { status: { phase: 'Pending', containerStatuses: [restarted] } }), false);
});
