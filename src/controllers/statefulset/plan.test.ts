import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatefulSet } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { plan } from './plan.ts';

const names = { current: 'old', update: 'new' };

interface Given {
  revision?: string;
  ready?: boolean;
  phase?: string;
  deleting?: boolean;
}

const podOf = (ordinal: number, { revision = 'new', ready = true, phase = 'Running', deleting }: Given = {}): Pod =>
  ({
    metadata: {
      name: `db-${ordinal}`,
      namespace: 'default',
      labels: {
        'controller-revision-hash': revision,
        'statefulset.kubernetes.io/pod-name': `db-${ordinal}`,
        'apps.kubernetes.io/pod-index': String(ordinal),
      },
      ...(deleting && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    status: { phase, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }) as unknown as Pod;

function actions(spec: object, pods: Pod[]): string {
  const set = { metadata: { name: 'db', namespace: 'default' }, spec: { replicas: 3, ...spec }, status: {} };
  return plan(set as unknown as StatefulSet, pods, names, Date.parse('2026-01-01T00:01:00Z'))
    .map((action) => (action.type === 'create' ? `+${action.ordinal}` : `-${action.pod.metadata.name.slice(3)}`))
    .join(' ');
}

const parallel = { podManagementPolicy: 'Parallel' };
const three = [0, 1, 2].map((ordinal) => podOf(ordinal));

test('one step at a time, or all at once', () => {
  const cases: [string, object, Pod[], string, string][] = [
    ['nothing there', {}, [], '+0', '+0 +1 +2'],
    ['all there', {}, three, '', ''],
    ['one not ready', {}, [podOf(0), podOf(1, { ready: false })], '', '+2'],
    ['one ended', {}, [podOf(0, { phase: 'Failed' }), podOf(1)], '-0', '-0 +2'],
    [
      'one ended and going',
      {},
      [podOf(0, { phase: 'Failed', deleting: true }), podOf(1), podOf(2), podOf(3)],
      '',
      '-3',
    ],
    ['two too many', {}, [...three, podOf(3), podOf(4)], '-4', '-4 -3'],
    ['too many, the last one going', {}, [...three, podOf(3), podOf(4, { deleting: true })], '', '-3'],
    ['one missing, one too many', {}, [podOf(0), podOf(1), podOf(3)], '+2', '+2 -3'],
    ['ordinals that start later', { ordinals: { start: 2 } }, [podOf(0), podOf(2), podOf(3)], '+4', '+4 -0'],
    ['an old one', {}, [podOf(0, { revision: 'old' }), podOf(1), podOf(2)], '-0', '-0'],
    ['old ones', {}, [0, 1, 2].map((at) => podOf(at, { revision: 'old' })), '-2', '-2'],
    ['old ones, one not back', {}, [podOf(0, { revision: 'old' }), podOf(1, { revision: 'old' })], '+2', '+2'],
    ['old ones, one not ready', {}, [podOf(0, { revision: 'old' }), podOf(1), podOf(2, { ready: false })], '', ''],
    [
      'old ones by hand',
      { updateStrategy: { type: 'OnDelete' } },
      [0, 1, 2].map((at) => podOf(at, { revision: 'old' })),
      '',
      '',
    ],
    [
      'old ones below the partition',
      { updateStrategy: { rollingUpdate: { partition: 2 } } },
      [podOf(0, { revision: 'old' }), podOf(1, { revision: 'old' }), podOf(2)],
      '',
      '',
    ],
    [
      'a partition, and ordinals that start later',
      { ordinals: { start: 5 }, updateStrategy: { rollingUpdate: { partition: 1 } } },
      [5, 6, 7].map((at) => podOf(at, { revision: at === 7 ? 'new' : 'old' })),
      '-6',
      '-6',
    ],
  ];
  for (const [name, spec, pods, ordered, atOnce] of cases) {
    assert.equal(actions(spec, pods), ordered, name);
    assert.equal(actions({ ...spec, ...parallel }, pods), atOnce, `${name}, in parallel`);
  }
});
