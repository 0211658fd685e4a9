import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts';
import { fenceposts, maxUnavailableOf, newSetSize, proportionalSizes } from './replica-math.ts';
import { maxRevision, newSetAnnotations, replicaSetName } from './revisions.ts';
import { rolloutStatus } from './status.ts';

const deployment = (replicas: number, maxSurge: number | string, maxUnavailable: number | string, more: object = {}) =>
  ({
    metadata: { name: 'web', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { replicas, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } },
    ...more,
  }) as unknown as Deployment;
let age = 0;
const set = (name: string, replicas: number, maxReplicas?: number) =>
  ({
    metadata: {
      name,
      creationTimestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, age++)).toISOString(),
      ...(maxReplicas !== undefined && {
        annotations: { 'deployment.kubernetes.io/max-replicas': String(maxReplicas) },
      }),
    },
    spec: { replicas },
  }) as unknown as ReplicaSet;

test('surge rounds up, unavailable down, and never both are 0', () => {
  assert.deepEqual(fenceposts(deployment(10, '25%', '25%')), { maxSurge: 3, maxUnavailable: 2 });
  assert.deepEqual(fenceposts(deployment(2, 0, '1%')), { maxSurge: 0, maxUnavailable: 1 });
  assert.deepEqual(fenceposts(deployment(1, '25%', '25%')), { maxSurge: 1, maxUnavailable: 0 });
  assert.equal(maxUnavailableOf(deployment(3, 0, 10)), 3);
  assert.equal(maxUnavailableOf(deployment(0, 0, 1)), 0);
});

test('a new set grows only into what the others leave', () => {
  const old = set('old', 10);
  assert.equal(newSetSize(deployment(10, 3, 0), [old], 0), 3);
  assert.equal(newSetSize(deployment(10, 3, 0), [old, set('new', 3)], 3), 3);
  assert.equal(newSetSize(deployment(10, 3, 0), [set('old', 2), set('new', 8)], 8), 10);
});

test('scaling amid a rollout gives each set its share', () => {
  const sizes = (desired: number, ...sets: ReplicaSet[]) =>
    [...proportionalSizes(deployment(desired, 3, 2), sets)].map(([name, size]) => `${name}=${size}`).sort();
  // 10 + 3 surge before; 15 + 3 after: 5 more, spread as 8 to 5.
  assert.deepEqual(sizes(15, set('old', 8, 13), set('new', 5, 13)), ['new=7', 'old=11']);
  assert.deepEqual(sizes(5, set('old', 8, 13), set('new', 5, 13)), ['new=3', 'old=5']);
  assert.deepEqual(sizes(0, set('old', 8, 13), set('new', 5, 13)), ['new=0', 'old=0']);
  assert.deepEqual(sizes(10, set('old', 8, 13), set('new', 5, 13)), ['new=5', 'old=8']);
});

test('revisions count in 64 bits', () => {
  const adopted = set('adopted', 1);
  adopted.metadata.annotations = { 'deployment.kubernetes.io/revision': '3546343826724305832' };
  const next = maxRevision([adopted]) + 1n;
  assert.equal(
    newSetAnnotations(deployment(1, 1, 0), undefined, next)['deployment.kubernetes.io/revision'],
    '3546343826724305833',
  );
});

test('a set that comes back keeps the revisions it had', () => {
  const current = { 'deployment.kubernetes.io/revision': '2', 'deployment.kubernetes.io/revision-history': '1' };
  const annotations = newSetAnnotations(deployment(1, 1, 0), current, 5n);
  assert.equal(annotations['deployment.kubernetes.io/revision'], '5');
  assert.equal(annotations['deployment.kubernetes.io/revision-history'], '1,2');
  assert.equal(newSetAnnotations(deployment(1, 1, 0), current, 1n)['deployment.kubernetes.io/revision'], '2');
  assert.equal(replicaSetName('a'.repeat(253), 'bbbb').length, 253);
});

test('a rollout that stands still for too long has failed, until it moves', () => {
  const startMs = Date.parse('2026-01-01T00:00:00Z');
  const progressing = {
    type: 'Progressing',
    status: 'True',
    reason: 'NewReplicaSetCreated',
    message: '',
    lastUpdateTime: '2026-01-01T00:00:00Z',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  const stuck = deployment(2, 1, 0, { status: { conditions: [progressing], replicas: 1, updatedReplicas: 1 } });
  stuck.spec.progressDeadlineSeconds = 60;
  const newSet = { ...set('web-1', 2), status: { replicas: 1, observedGeneration: 1 } } as ReplicaSet;
  const conditionAt = (object: Deployment, atMs: number, latest = newSet) =>
    rolloutStatus(object, latest, [], atMs).conditions!.find(({ type }) => type === 'Progressing')!;
  assert.equal(conditionAt(stuck, startMs + 60_000).reason, 'NewReplicaSetCreated');
  const failed = conditionAt(stuck, startMs + 61_000);
  assert.equal(failed.status, 'False');
  assert.equal(failed.reason, 'ProgressDeadlineExceeded');
  assert.equal(failed.message, 'ReplicaSet "web-1" has timed out progressing.');
  const late = { ...stuck, status: { ...stuck.status, conditions: [failed] } } as Deployment;
  const moved = { ...newSet, status: { replicas: 2, observedGeneration: 1 } } as ReplicaSet;
  assert.equal(conditionAt(late, startMs + 90_000, moved).reason, 'ReplicaSetUpdated');
  assert.equal(conditionAt(late, startMs + 90_000).reason, 'ProgressDeadlineExceeded');
});
