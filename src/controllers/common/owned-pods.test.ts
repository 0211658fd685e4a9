import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '../../api/generated/core-v1.ts';
import { PodTally } from './owned-pods.ts';

interface State {
  labels?: Record<string, string>;
  ready?: boolean;
  phase?: string;
  deletionTimestamp?: string;
}

function podIn({ labels, ready = false, phase = 'Running', deletionTimestamp }: State): Pod {
  const metadata = { name: 'a', namespace: 'b', clusterName: 't', uid: 'u', labels, deletionTimestamp };
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }];
  return { metadata, spec: { containers: [] }, status: { phase, conditions } } as unknown as Pod;
}

const states: State[] = [
  {},
  { labels: { app: 'x' } },
  { labels: { app: 'x' }, ready: true },
  { labels: { app: 'y' }, ready: true },
  { labels: { app: 'x' }, ready: true, deletionTimestamp: '2026-01-01T00:00:00Z' },
  { labels: { app: 'x' }, phase: 'Failed' },
  { labels: { app: 'x' }, phase: 'Failed', deletionTimestamp: '2026-01-01T00:00:00Z' },
];

const countsOf = (tally: PodTally, owner: string) => {
  const pods = tally.of(owner);
  const { readyCount, terminating, active } = pods;
  const named = (app: string) => pods.countLabelled((labels) => labels['app'] === app);
  return { readyCount, terminating: [...terminating], active: [...active.values()], x: named('x'), y: named('y') };
};

describe('the tally of owned pods', () => {
  it('is after an update what it is when the pod goes and comes', () => {
    for (const before of states.map(podIn)) {
      for (const after of states.map(podIn)) {
        for (const [ownerBefore, owner] of [
          ['o', 'o'],
          ['o', 'p'],
          [undefined, 'o'],
          ['o', undefined],
        ]) {
          const updated = new PodTally();
          const anew = new PodTally();
          for (const tally of [updated, anew]) {
            tally.add('o', { ...podIn({ ready: true }), metadata: { ...podIn({}).metadata, name: 'other' } });
            tally.add(ownerBefore, before);
          }
          updated.update(ownerBefore, before, owner, after);
          anew.remove(ownerBefore, before);
          anew.add(owner, after);
          for (const each of ['o', 'p']) assert.deepEqual(countsOf(updated, each), countsOf(anew, each));
        }
      }
    }
  });
});
